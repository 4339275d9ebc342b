//! How long nothing was asked on a connection of HTTP/2, which may have many requests at once.

use std::time::Duration;

use tokio::{sync::watch, time::timeout};

/// Counts the requests that are being answered.
#[derive(Clone)]
pub(super) struct Requests(watch::Sender<usize>);

/// One of them, until it is dropped.
pub(super) struct UnderWay(watch::Sender<usize>);

impl Requests {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    pub(super) fn begin(&self) -> UnderWay {
        self.0.send_modify(|count| *count += 1);
        UnderWay(self.0.clone())
    }

    /// Comes when there was none for so long.
    pub(super) async fn none_for(&self, time: Duration) {
        let mut count = self.0.subscribe();
        // The sender is ours, so neither of the two can fail.
        while count.wait_for(|count| *count == 0).await.is_ok() {
            if timeout(time, count.changed()).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_time_begins_anew_with_each_request() {
        let (requests, second) = (Requests::new(), Duration::from_secs(1));
        let start = Instant::now();
        let asking = async {
            for _ in 0..3 {
                sleep(second).await;
                let request = requests.begin();
                sleep(second * 10).await;
                drop(request);
            }
        };
        tokio::join!(requests.none_for(second * 2), asking);
        assert_eq!(start.elapsed(), second * 35);
    }
}
