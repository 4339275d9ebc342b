//! The places for polls of one account at the same time.

use tokio::sync::{Semaphore, SemaphorePermit};

/// One in so many places may hold a poll of a listing whose last poll ran out of time, and at least one: such polls
/// hold their place for long, and without a bound a few of them would hold all.
const SLOW_SHARE: usize = 2;

/// Who comes first is served first.
pub(super) struct PollSlots {
    all: Semaphore,
    slow: Semaphore,
}

/// A poll's place; free again when dropped.
pub(super) struct SlotPermit<'a> {
    _all: Option<SemaphorePermit<'a>>,
    _slow: Option<SemaphorePermit<'a>>,
}

impl PollSlots {
    pub(super) fn new(concurrency: usize) -> Self {
        Self { all: Semaphore::new(concurrency), slow: Semaphore::new((concurrency / SLOW_SHARE).max(1)) }
    }

    /// Waits for a place; `is_slow` tells whether the listing's last poll ran out of time.
    pub(super) async fn take(&self, is_slow: bool) -> SlotPermit<'_> {
        // Neither semaphore is ever closed, so neither of these fails.
        let slow = if is_slow { self.slow.acquire().await.ok() } else { None };
        SlotPermit { _all: self.all.acquire().await.ok(), _slow: slow }
    }
}
