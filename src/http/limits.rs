//! Limits on what a client may do: their values, and the counters that HTTP and TLS libraries do not have.

use std::{collections::VecDeque, time::Duration};

use parking_lot::Mutex;
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;

/// The limits of the server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at the same time; more wait until one of them closes.
    pub connections: usize,
    /// The time a client has for a TLS handshake, for a whole request header, and between two requests.
    pub header: Duration,
    /// The time for which a client may read nothing of a response.
    pub write: Duration,
    /// The time that in-flight requests have to finish on shutdown.
    pub drain: Duration,
}

impl Default for Limits {
    /// A scraper needs one connection and reads at once; container engines kill ten seconds after SIGTERM.
    fn default() -> Self {
        Self {
            connections: 256,
            header: Duration::from_secs(20),
            write: Duration::from_secs(30),
            drain: Duration::from_secs(8),
        }
    }
}

/// TLS handshakes in progress, the oldest first. Beyond the limit, each new handshake evicts the oldest.
pub(super) struct Handshakes {
    limit: usize,
    active: Mutex<VecDeque<CancellationToken>>,
}

impl Handshakes {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, active: Mutex::default() }
    }

    /// Starts a handshake. The token is canceled to evict it; the caller cancels it when the handshake ends.
    pub(super) fn begin(&self) -> CancellationToken {
        let mut active = self.active.lock();
        active.retain(|handshake| !handshake.is_cancelled());
        if active.len() >= self.limit
            && let Some(oldest) = active.pop_front()
        {
            oldest.cancel();
        }
        let handshake = CancellationToken::new();
        active.push_back(handshake.clone());
        handshake
    }
}

/// The requests in flight on one HTTP/2 connection, which may have several at once.
#[derive(Clone, Default)]
pub(super) struct InFlightRequests(watch::Sender<usize>);

/// A request in flight, until it is dropped.
pub(super) struct InFlightRequest(watch::Sender<usize>);

impl InFlightRequests {
    pub(super) fn begin(&self) -> InFlightRequest {
        self.0.send_modify(|count| *count += 1);
        InFlightRequest(self.0.clone())
    }

    /// Completes when there was no request for the duration.
    pub(super) async fn idle_for(&self, duration: Duration) {
        let mut count = self.0.subscribe();
        // The sender is in `self`, so neither of the two can fail.
        while count.wait_for(|count| *count == 0).await.is_ok() {
            if timeout(duration, count.changed()).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for InFlightRequest {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    #[test]
    fn a_handshake_beyond_the_limit_evicts_the_oldest() {
        let handshakes = Handshakes::new(2);
        let [first, second] = [handshakes.begin(), handshakes.begin()];
        assert!(!first.is_cancelled());
        second.cancel();
        let third = handshakes.begin();
        assert!(!first.is_cancelled(), "a completed handshake does not count");
        let fourth = handshakes.begin();
        assert_eq!([first, third, fourth].map(|handshake| handshake.is_cancelled()), [true, false, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn each_request_restarts_the_idle_time() {
        let (requests, second) = (InFlightRequests::default(), Duration::from_secs(1));
        let start = Instant::now();
        let client = async {
            for _ in 0..3 {
                sleep(second).await;
                let request = requests.begin();
                sleep(second * 10).await;
                drop(request);
            }
        };
        tokio::join!(requests.idle_for(second * 2), client);
        assert_eq!(start.elapsed(), second * 35);
    }
}
