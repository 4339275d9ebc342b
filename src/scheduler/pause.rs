//! The pause of a group that Atlas limits.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Atlas may ask to wait for 0 seconds, or not say how long.
const SHORTEST: Duration = Duration::from_secs(1);

/// Shared by the targets of one group: the bucket of requests is the group's.
pub(super) struct Pause(Mutex<Limit>);

struct Limit {
    until: Instant,
    times_in_a_row: u32,
}

impl Default for Pause {
    fn default() -> Self {
        Self(Mutex::new(Limit { until: Instant::now(), times_in_a_row: 0 }))
    }
}

impl Pause {
    /// How long the group must not be polled; nothing if it may.
    pub(super) fn left(&self) -> Option<Duration> {
        let left = self.limit().until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// Atlas limited the group. Waits as long as Atlas asks, and each time in a row twice as long as before,
    /// up to `longest`; then a little more, so that not all who were limited return in the same instant.
    pub(super) fn begin(&self, asked: Option<Duration>, longest: Duration) -> Instant {
        let mut limit = self.limit();
        if limit.until > Instant::now() {
            // Another target of the group was told the same.
            return limit.until;
        }
        let growing = SHORTEST.saturating_mul(1 << limit.times_in_a_row.min(16)).min(longest.max(SHORTEST));
        let wait = asked.unwrap_or_default().max(growing);
        let jitter = SHORTEST.mul_f64(fastrand::f64());
        limit.times_in_a_row += 1;
        limit.until = Instant::now() + wait + jitter;
        limit.until
    }

    /// A poll of the group succeeded.
    pub(super) fn end(&self) {
        let mut limit = self.limit();
        if limit.until <= Instant::now() {
            limit.times_in_a_row = 0;
        }
    }

    fn limit(&self) -> MutexGuard<'_, Limit> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(60);

    fn seconds(pause: &Pause, asked: Option<u64>) -> f64 {
        let until = pause.begin(asked.map(Duration::from_secs), INTERVAL);
        until.duration_since(Instant::now()).as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn waits_as_long_as_atlas_asks_and_never_less_than_a_second() {
        for (asked, shortest) in [(None, 1.0), (Some(0), 1.0), (Some(30), 30.0), (Some(600), 600.0)] {
            let waited = seconds(&Pause::default(), asked);
            assert!((shortest..=shortest + 1.0).contains(&waited), "{asked:?}: {waited}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn waits_longer_each_time_in_a_row_but_not_longer_than_the_interval() {
        let pause = Pause::default();
        let mut waits = Vec::new();
        for _ in 0..9 {
            waits.push(seconds(&pause, Some(0)).floor());
            tokio::time::sleep(pause.left().unwrap()).await;
        }
        assert!(waits.is_sorted(), "{waits:?}");
        assert!(waits[5] >= 32.0 && waits[8] <= 61.0, "{waits:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_after_the_pause_ends_it() {
        let pause = Pause::default();
        seconds(&pause, Some(10));
        assert!(pause.left().is_some());
        tokio::time::sleep(Duration::from_secs(12)).await;
        assert_eq!(pause.left(), None);
        pause.end();
        assert!(seconds(&pause, None) <= 2.0);
    }
}
