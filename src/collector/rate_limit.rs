//! Back-off from rate limits, one for each token bucket of Atlas.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use atlas::{Backoff, Endpoint, GroupId, Outcome, RequestRecord};

/// The shortest back-off, and its random extra at most: Atlas may send `Retry-After: 0` or no such header.
const MIN_BACKOFF: Duration = Duration::from_secs(1);

/// The back-offs of one account, fed with every request.
pub(super) struct RateLimitBackoffs {
    max_growth: Duration,
    by_bucket: Mutex<HashMap<Bucket, RateLimitBackoff>>,
}

/// Requests that share a token bucket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Bucket {
    /// Peerings and containers of a group.
    Group(GroupId),
    /// The list of groups; the bucket belongs to the user or the organization.
    Groups,
}

impl RateLimitBackoffs {
    /// No back-off yet. Back-offs of a length that Atlas does not set grow to `max_growth` at most.
    pub(super) fn new(max_growth: Duration) -> Self {
        let groups = (Bucket::Groups, RateLimitBackoff::new(max_growth));
        Self { max_growth, by_bucket: Mutex::new(HashMap::from([groups])) }
    }

    /// Keeps the buckets of these groups only.
    pub(super) fn set_groups(&self, groups: &BTreeSet<&GroupId>) {
        let mut by_bucket = self.by_bucket.lock();
        by_bucket.retain(|bucket, _| match bucket {
            Bucket::Group(group) => groups.contains(group),
            Bucket::Groups => true,
        });
        for group in groups {
            let bucket = Bucket::Group(GroupId::clone(group));
            by_bucket.entry(bucket).or_insert_with(|| RateLimitBackoff::new(self.max_growth));
        }
    }

    /// Applies what the response says about the bucket of its request. Late responses about other groups are ignored.
    pub(super) fn observe(&self, request: &RequestRecord) {
        let bucket = match (request.endpoint, &request.group) {
            (Endpoint::Peers | Endpoint::Containers, Some(group)) => Bucket::Group(group.clone()),
            (Endpoint::Groups | Endpoint::OrgGroups, _) => Bucket::Groups,
            _ => return,
        };
        let mut by_bucket = self.by_bucket.lock();
        let Some(backoff) = by_bucket.get_mut(&bucket) else { return };
        match request.outcome {
            Outcome::Status(429) => backoff.grow(request.retry_after),
            Outcome::Status(503) => backoff.extend(request.retry_after.unwrap_or_default()),
            // The bucket is empty: Atlas would reject the next request.
            _ if request.rate_limit.is_some_and(|limit| limit.remaining == 0) => backoff.extend(MIN_BACKOFF),
            Outcome::Status(200) => backoff.reset(),
            _ => {}
        }
    }

    /// How long requests that take from the bucket must wait; `None` if they may be sent.
    pub(super) fn remaining(&self, bucket: &Bucket) -> Option<Duration> {
        self.by_bucket.lock().get(bucket).and_then(RateLimitBackoff::remaining)
    }
}

/// The back-off of one bucket.
struct RateLimitBackoff {
    until: Option<Instant>,
    growth: Backoff,
}

impl RateLimitBackoff {
    fn new(max_growth: Duration) -> Self {
        Self { until: None, growth: Backoff::new(MIN_BACKOFF, max_growth) }
    }

    fn remaining(&self) -> Option<Duration> {
        let remaining = self.until?.saturating_duration_since(Instant::now());
        (!remaining.is_zero()).then_some(remaining)
    }

    /// Backs off after a 429: at least as long as Atlas requests, and twice as long as the time before, up to the
    /// maximum. A 429 to a request from before the current back-off only extends it.
    fn grow(&mut self, retry_after: Option<Duration>) {
        let retry_after = retry_after.unwrap_or_default();
        if self.remaining().is_some() {
            return self.extend(retry_after);
        }
        let growing = self.growth.next_delay();
        self.extend(retry_after.max(growing));
    }

    /// Backs off for `delay` from now and a little more, so that listings of one bucket do not return in the same
    /// instant; or longer, if it does already.
    fn extend(&mut self, delay: Duration) {
        if !delay.is_zero() {
            self.until = self.until.max(Some(Instant::now() + delay + MIN_BACKOFF.mul_f64(fastrand::f64())));
        }
    }

    /// Ends the growth after a success. A response that arrives during the back-off changes nothing.
    fn reset(&mut self) {
        if self.remaining().is_none() {
            self.growth.reset();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use atlas::RateLimit;

    const MAX_GROWTH: Duration = Duration::from_secs(60);

    fn seconds(backoff: &mut RateLimitBackoff, retry_after: Option<u64>) -> f64 {
        backoff.grow(retry_after.map(Duration::from_secs));
        backoff.remaining().unwrap_or_default().as_secs_f64()
    }

    fn group(n: u8) -> GroupId {
        format!("5e57d85c854180642f7844{n:02}").parse().unwrap()
    }

    fn backoffs() -> RateLimitBackoffs {
        let backoffs = RateLimitBackoffs::new(MAX_GROWTH);
        backoffs.set_groups(&BTreeSet::from([&group(1), &group(2)]));
        backoffs
    }

    fn request(endpoint: Endpoint, group: Option<GroupId>, status: u16, remaining: u64) -> RequestRecord {
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
    async fn backs_off_as_long_as_atlas_asks_and_at_least_a_second() {
        for (retry_after, shortest) in [(None, 1.0), (Some(0), 1.0), (Some(30), 30.0), (Some(600), 600.0)] {
            let delay = seconds(&mut RateLimitBackoff::new(MAX_GROWTH), retry_after);
            assert!((shortest..=shortest + 1.0).contains(&delay), "{retry_after:?}: {delay}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn consecutive_rate_limits_double_the_back_off_up_to_the_interval() {
        let mut backoff = RateLimitBackoff::new(MAX_GROWTH);
        let mut delays = Vec::new();
        for _ in 0..9 {
            delays.push(seconds(&mut backoff, Some(0)).floor());
            tokio::time::sleep(backoff.remaining().unwrap()).await;
        }
        assert!(delays.is_sorted(), "{delays:?}");
        assert!(delays[5] >= 32.0 && delays[8] <= 61.0, "{delays:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_after_the_back_off_resets_it() {
        let mut backoff = RateLimitBackoff::new(MAX_GROWTH);
        seconds(&mut backoff, Some(10));
        assert!(backoff.remaining().is_some());
        tokio::time::sleep(Duration::from_secs(12)).await;
        assert_eq!(backoff.remaining(), None);
        backoff.reset();
        assert!(seconds(&mut backoff, None) <= 2.0);
    }

    #[tokio::test(start_paused = true)]
    async fn only_requests_of_the_same_bucket_back_off() {
        let backoffs = backoffs();
        let remaining = |bucket| backoffs.remaining(&bucket);
        backoffs.observe(&request(Endpoint::Containers, Some(group(1)), 429, 0));
        assert!(remaining(Bucket::Group(group(1))).is_some(), "containers share the bucket of peers");
        assert_eq!((remaining(Bucket::Group(group(2))), remaining(Bucket::Groups)), (None, None));
        backoffs.observe(&request(Endpoint::OrgGroups, None, 429, 0));
        assert!(remaining(Bucket::Groups).is_some());
        assert_eq!(remaining(Bucket::Group(group(2))), None);
        backoffs.observe(&request(Endpoint::Token, None, 429, 0));
        backoffs.observe(&request(Endpoint::Root, None, 429, 0));
        assert_eq!(remaining(Bucket::Group(group(2))), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_longer_retry_after_extends_the_back_off_and_a_shorter_one_does_not_cut_it() {
        let backoffs = backoffs();
        let remaining = || backoffs.remaining(&Bucket::Group(group(1))).unwrap();
        let retry_after = |status: u16, seconds| RequestRecord {
            retry_after: Some(Duration::from_secs(seconds)),
            ..request(Endpoint::Peers, Some(group(1)), status, 0)
        };
        backoffs.observe(&request(Endpoint::Peers, Some(group(1)), 200, 0));
        backoffs.observe(&retry_after(429, 30));
        assert!(remaining() >= Duration::from_secs(30));
        backoffs.observe(&retry_after(503, 300));
        assert!(remaining() >= Duration::from_secs(300));
        backoffs.observe(&retry_after(429, 0));
        assert!(remaining() >= Duration::from_secs(300));
    }

    #[tokio::test(start_paused = true)]
    async fn a_group_that_stays_keeps_its_back_off_and_a_removed_one_is_forgotten() {
        let backoffs = backoffs();
        backoffs.observe(&request(Endpoint::Peers, Some(group(1)), 429, 0));
        backoffs.set_groups(&BTreeSet::from([&group(1)]));
        assert!(backoffs.remaining(&Bucket::Group(group(1))).is_some());
        backoffs.set_groups(&BTreeSet::new());
        backoffs.observe(&request(Endpoint::Peers, Some(group(1)), 429, 0));
        assert_eq!(backoffs.remaining(&Bucket::Group(group(1))), None, "a late response changes nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_bucket_backs_off_before_atlas_rejects_a_request() {
        let backoffs = backoffs();
        let remaining = || backoffs.remaining(&Bucket::Group(group(1)));
        assert_eq!(remaining(), None);
        backoffs.observe(&request(Endpoint::Peers, Some(group(1)), 200, 1));
        assert_eq!(remaining(), None);
        backoffs.observe(&request(Endpoint::Peers, Some(group(1)), 200, 0));
        assert!((MIN_BACKOFF..=MIN_BACKOFF * 2).contains(&remaining().unwrap()));
    }
}
