//! The places for polls of one account at the same time.

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::sleep_until,
};

use super::pause::Pause;

/// One in so many places may hold a poll of a target whose last poll failed, and at least one. Groups that time
/// out hold their place for the whole deadline; without a bound, a few of them would hold all.
const FAILING_SHARE: usize = 4;

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

    /// Waits until the group's pause is over and there is a place.
    pub(super) async fn take(&self, is_failing: bool, pause: &Pause) -> Place<'_> {
        loop {
            sleep_until(pause.until()).await;
            // Neither semaphore is ever closed, so neither of these fails.
            let failing = if is_failing { self.failing.acquire().await.ok() } else { None };
            let all = self.all.acquire().await.ok();
            // A pause may have begun while this poll stood in line; it must not hold a place meanwhile.
            if pause.is_over() {
                return Place { _all: all, _failing: failing };
            }
        }
    }
}
