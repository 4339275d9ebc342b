//! TLS handshakes under way. If there are too many, the oldest one makes room for the newest.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

/// Those that have begun and not come to their end, by their age.
pub(super) struct Handshakes {
    limit: usize,
    under_way: Mutex<UnderWay>,
}

#[derive(Default)]
struct UnderWay {
    begun: u64,
    cuts: BTreeMap<u64, CancellationToken>,
}

/// One of them, until it is dropped.
pub(super) struct Handshake {
    all: Arc<Handshakes>,
    number: u64,
    cut: CancellationToken,
}

impl Handshakes {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, under_way: Mutex::default() })
    }

    pub(super) fn begin(self: &Arc<Self>) -> Handshake {
        let mut under_way = self.under_way();
        let (number, cut) = (under_way.begun, CancellationToken::new());
        under_way.begun += 1;
        under_way.cuts.insert(number, cut.clone());
        if under_way.cuts.len() > self.limit
            && let Some((_, oldest)) = under_way.cuts.pop_first()
        {
            oldest.cancel();
        }
        Handshake { all: self.clone(), number, cut }
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handshake {
    /// Comes when it has to make room.
    pub(super) async fn cut(&self) {
        self.cut.cancelled().await;
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.all.under_way().cuts.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room() {
        let all = Handshakes::new(2);
        let [first, second] = [all.begin(), all.begin()];
        assert!(!first.cut.is_cancelled());
        drop(second);
        let third = all.begin();
        assert!(!first.cut.is_cancelled(), "what has ended takes no room");
        let fourth = all.begin();
        assert_eq!([&first, &third, &fourth].map(|one| one.cut.is_cancelled()), [true, false, false]);
    }
}
