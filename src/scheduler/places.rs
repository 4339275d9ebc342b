//! The places for polls of one account at the same time.

use tokio::sync::{Semaphore, SemaphorePermit};

/// One in so many places may hold a poll of a target whose last poll failed, and at least one. Groups that hang
/// hold their place for long; without a bound, a few of them would hold all.
const FAILING_SHARE: usize = 2;

/// Who comes first is served first.
pub(super) struct Places {
    all: Semaphore,
    failing: Semaphore,
}

/// A poll's place; free again when dropped.
pub(super) struct Place<'a> {
    _all: Option<SemaphorePermit<'a>>,
    _failing: Option<SemaphorePermit<'a>>,
}

impl Places {
    pub(super) fn new(concurrency: usize) -> Self {
        Self { all: Semaphore::new(concurrency), failing: Semaphore::new((concurrency / FAILING_SHARE).max(1)) }
    }

    /// Waits for a place; `is_failing` tells whether the target's last poll failed.
    pub(super) async fn take(&self, is_failing: bool) -> Place<'_> {
        // Neither semaphore is ever closed, so neither of these fails.
        let failing = if is_failing { self.failing.acquire().await.ok() } else { None };
        Place { _all: self.all.acquire().await.ok(), _failing: failing }
    }
}
