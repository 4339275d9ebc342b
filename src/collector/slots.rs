//! Concurrency permits for the polls of one account.

use tokio::sync::{Semaphore, SemaphorePermit};

/// One slot in this many, and at least one, is open to listings whose last poll timed out. Such polls hold a slot for
/// a long time; without this bound, a few of them would hold every slot.
const SLOW_SHARE: usize = 2;

/// The slots of one account, granted in the order of arrival.
pub(super) struct PollSlots {
    all: Semaphore,
    slow: Semaphore,
}

/// A slot, free again when dropped.
pub(super) type SlotPermit<'a> = [Option<SemaphorePermit<'a>>; 2];

impl PollSlots {
    pub(super) fn new(concurrency: usize) -> Self {
        Self { all: Semaphore::new(concurrency), slow: Semaphore::new((concurrency / SLOW_SHARE).max(1)) }
    }

    /// Waits for a slot. `is_slow` means that the listing's last poll timed out.
    pub(super) async fn acquire(&self, is_slow: bool) -> SlotPermit<'_> {
        // The semaphores are never closed, so `acquire` does not fail.
        let slow = if is_slow { self.slow.acquire().await.ok() } else { None };
        [self.all.acquire().await.ok(), slow]
    }
}
