//! The pauses of what Atlas limits: a group, or the list of groups; and nothing else.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use atlas::{Endpoint, GroupId, Outcome, RequestRecord};

/// Atlas may ask to wait for 0 seconds, or not say how long.
const SHORTEST: Duration = Duration::from_secs(1);

/// The pauses of one account, fed with everything that Atlas answers.
pub struct RateLimitBackoffs {
    longest: Duration,
    pauses: Mutex<HashMap<Bucket, Arc<RateLimitBackoff>>>,
}

/// Whose requests share a token bucket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Bucket {
    /// Peers and containers: it belongs to the group.
    Group(GroupId),
    /// The list of groups: it belongs to the user, or the organization.
    Groups,
}

impl RateLimitBackoffs {
    /// Where Atlas does not say for how long, no pause is longer than `longest`.
    #[must_use]
    pub fn new(longest: Duration) -> Self {
        Self { longest, pauses: Mutex::default() }
    }

    /// Learns what an answer says about the bucket that it took its token from.
    pub fn heed(&self, exchange: &RequestRecord) {
        let bucket = match (exchange.endpoint, &exchange.group) {
            (Endpoint::Peers | Endpoint::Containers, Some(group)) => Bucket::Group(group.clone()),
            (Endpoint::Groups | Endpoint::OrgGroups, _) => Bucket::Groups,
            _ => return,
        };
        let Some(pause) = self.known(bucket) else { return };
        match exchange.outcome {
            Outcome::Status(429) => pause.begin(exchange.retry_after, self.longest),
            Outcome::Status(503) => pause.wait(exchange.retry_after.unwrap_or_default()),
            // The next request would be refused.
            _ if exchange.rate_limit.is_some_and(|limit| limit.remaining == 0) => pause.wait(SHORTEST),
            Outcome::Status(200) => pause.end(),
            _ => {}
        }
    }

    /// A group that is watched no more has none, whatever answer still comes.
    fn known(&self, bucket: Bucket) -> Option<Arc<RateLimitBackoff>> {
        match bucket {
            Bucket::Groups => Some(self.of(bucket)),
            Bucket::Group(_) => self.pauses().get(&bucket).cloned(),
        }
    }

    pub(super) fn of(&self, bucket: Bucket) -> Arc<RateLimitBackoff> {
        self.pauses().entry(bucket).or_default().clone()
    }

    pub(super) fn forget(&self, group: &GroupId) {
        self.pauses().remove(&Bucket::Group(group.clone()));
    }

    fn pauses(&self) -> MutexGuard<'_, HashMap<Bucket, Arc<RateLimitBackoff>>> {
        // Nothing panics while it holds the lock.
        self.pauses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shared by all who take from one bucket.
pub(super) struct RateLimitBackoff(Mutex<Limit>);

struct Limit {
    until: Instant,
    times_in_a_row: u32,
}

impl Default for RateLimitBackoff {
    fn default() -> Self {
        Self(Mutex::new(Limit { until: Instant::now(), times_in_a_row: 0 }))
    }
}

impl RateLimitBackoff {
    /// For how long nothing must be asked; nothing if it may.
    pub(super) fn left(&self) -> Option<Duration> {
        let left = self.limit().until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// Atlas limits. Waits as long as Atlas asks, and each time in a row twice as long as before, up to `longest`; then
    /// a little more, so that not all who were limited return in the same instant.
    fn begin(&self, asked: Option<Duration>, longest: Duration) {
        let mut limit = self.limit();
        if limit.until > Instant::now() {
            // Another request was told the same, or to wait for longer.
            drop(limit);
            return self.wait(asked.unwrap_or_default());
        }
        let growing = SHORTEST.saturating_mul(1 << limit.times_in_a_row.min(16)).min(longest.max(SHORTEST));
        let wait = asked.unwrap_or_default().max(growing);
        let jitter = SHORTEST.mul_f64(fastrand::f64());
        limit.times_in_a_row += 1;
        limit.until = Instant::now() + wait + jitter;
    }

    /// Waits for as long as that, or for longer if it must already.
    fn wait(&self, asked: Duration) {
        if asked.is_zero() {
            return;
        }
        let until = Instant::now() + asked + SHORTEST.mul_f64(fastrand::f64());
        let mut limit = self.limit();
        limit.until = limit.until.max(until);
    }

    /// Something was answered.
    fn end(&self) {
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
    use atlas::RateLimit;

    const INTERVAL: Duration = Duration::from_secs(60);

    fn seconds(pause: &RateLimitBackoff, asked: Option<u64>) -> f64 {
        pause.begin(asked.map(Duration::from_secs), INTERVAL);
        pause.left().unwrap_or_default().as_secs_f64()
    }

    fn group(n: u8) -> GroupId {
        format!("5e57d85c854180642f7844{n:02}").parse().unwrap()
    }

    fn exchange(endpoint: Endpoint, group: Option<GroupId>, status: u16, remaining: u64) -> RequestRecord {
        RequestRecord {
            endpoint,
            group,
            outcome: Outcome::Status(status),
            duration: Duration::ZERO,
            rate_limit: Some(RateLimit { limit: 2000, remaining }),
            retry_after: None,
            version_ends: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn waits_as_long_as_atlas_asks_and_never_less_than_a_second() {
        for (asked, shortest) in [(None, 1.0), (Some(0), 1.0), (Some(30), 30.0), (Some(600), 600.0)] {
            let waited = seconds(&RateLimitBackoff::default(), asked);
            assert!((shortest..=shortest + 1.0).contains(&waited), "{asked:?}: {waited}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn waits_longer_each_time_in_a_row_but_not_longer_than_the_interval() {
        let pause = RateLimitBackoff::default();
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
        let pause = RateLimitBackoff::default();
        seconds(&pause, Some(10));
        assert!(pause.left().is_some());
        tokio::time::sleep(Duration::from_secs(12)).await;
        assert_eq!(pause.left(), None);
        pause.end();
        assert!(seconds(&pause, None) <= 2.0);
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_shares_the_bucket_is_paused() {
        let pauses = RateLimitBackoffs::new(INTERVAL);
        let left = |bucket| pauses.of(bucket).left();
        let _ = (left(Bucket::Group(group(1))), left(Bucket::Group(group(2))));
        pauses.heed(&exchange(Endpoint::Containers, Some(group(1)), 429, 0));
        assert!(left(Bucket::Group(group(1))).is_some(), "containers take from the bucket of peers");
        assert_eq!((left(Bucket::Group(group(2))), left(Bucket::Groups)), (None, None));
        pauses.heed(&exchange(Endpoint::OrgGroups, None, 429, 0));
        assert!(left(Bucket::Groups).is_some());
        assert_eq!(left(Bucket::Group(group(2))), None);
        pauses.heed(&exchange(Endpoint::Token, None, 429, 0));
        pauses.heed(&exchange(Endpoint::Root, None, 429, 0));
        assert_eq!(left(Bucket::Group(group(2))), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_longer_wait_is_heeded_while_a_shorter_one_lasts_and_with_503_too() {
        let pauses = RateLimitBackoffs::new(INTERVAL);
        let pause = pauses.of(Bucket::Group(group(1)));
        let wait = |status, seconds| RequestRecord {
            retry_after: Some(Duration::from_secs(seconds)),
            ..exchange(Endpoint::Peers, Some(group(1)), status, 0)
        };
        pauses.heed(&exchange(Endpoint::Peers, Some(group(1)), 200, 0));
        pauses.heed(&wait(429, 30));
        assert!(pause.left() >= Some(Duration::from_secs(30)));
        pauses.heed(&wait(503, 300));
        assert!(pause.left() >= Some(Duration::from_secs(300)));
        pauses.heed(&wait(429, 0));
        assert!(pause.left() >= Some(Duration::from_secs(300)), "none is made shorter");
    }

    #[tokio::test(start_paused = true)]
    async fn a_group_that_is_forgotten_stays_forgotten() {
        let pauses = RateLimitBackoffs::new(INTERVAL);
        pauses.of(Bucket::Group(group(1)));
        pauses.forget(&group(1));
        pauses.heed(&exchange(Endpoint::Peers, Some(group(1)), 429, 0));
        assert!(pauses.pauses().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_bucket_is_left_alone_before_atlas_refuses() {
        let pauses = RateLimitBackoffs::new(INTERVAL);
        let left = || pauses.of(Bucket::Group(group(1))).left();
        assert_eq!(left(), None);
        pauses.heed(&exchange(Endpoint::Peers, Some(group(1)), 200, 1));
        assert_eq!(left(), None);
        pauses.heed(&exchange(Endpoint::Peers, Some(group(1)), 200, 0));
        assert!((SHORTEST..=SHORTEST * 2).contains(&left().unwrap()));
    }
}
