//! Back-off from rate limits, one for each token bucket of Atlas.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use atlas::{Backoff, Endpoint, GroupId, Outcome, RequestRecord};

/// The shortest back-off, and the upper bound of its jitter: Atlas may send `Retry-After: 0` or no such header.
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
            let backoff = || RateLimitBackoff::new(self.max_growth);
            by_bucket.entry(Bucket::Group(GroupId::clone(group))).or_insert_with(backoff);
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
        let retry_after = request.retry_after.unwrap_or_default();
        match request.outcome {
            Outcome::Status(429) => backoff.grow(retry_after),
            // The bucket is empty: Atlas would reject the next request.
            _ if request.rate_limit.is_some_and(|limit| limit.remaining == 0) => backoff.extend(MIN_BACKOFF),
            // A response that arrives during the back-off changes nothing.
            Outcome::Status(200) if backoff.remaining().is_none() => backoff.growth.reset(),
            _ => {}
        }
    }

    /// How long to send nothing that takes from the bucket; `None` if requests may be sent.
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
    fn grow(&mut self, retry_after: Duration) {
        let growth = if self.remaining().is_some() { Duration::ZERO } else { self.growth.next_delay() };
        self.extend(retry_after.max(growth));
    }

    /// Backs off for `delay` from now plus a jitter, so that the listings of one bucket do not resume in the same
    /// instant. Never shortens the current back-off.
    fn extend(&mut self, delay: Duration) {
        if !delay.is_zero() {
            self.until = self.until.max(Some(Instant::now() + delay + MIN_BACKOFF.mul_f64(fastrand::f64())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use atlas::RateLimit;

    fn group(n: u8) -> GroupId {
        format!("5e57d85c854180642f7844{n:02}").parse().unwrap()
    }

    fn backoffs() -> RateLimitBackoffs {
        let backoffs = RateLimitBackoffs::new(Duration::from_secs(60));
        backoffs.set_groups(&BTreeSet::from([&group(1), &group(2)]));
        backoffs
    }

    /// A request for the peerings of the first group.
    fn request(status: u16, retry_after: Option<u64>) -> RequestRecord {
        RequestRecord {
            endpoint: Endpoint::Peers,
            group: Some(group(1)),
            outcome: Outcome::Status(status),
            duration: Duration::ZERO,
            rate_limit: None,
            retry_after: retry_after.map(Duration::from_secs),
            version_ends: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn backs_off_as_long_as_atlas_requests_and_at_least_a_second() {
        for (retry_after, shortest) in [(None, 1.0), (Some(0), 1.0), (Some(30), 30.0), (Some(600), 600.0)] {
            let backoffs = backoffs();
            backoffs.observe(&request(429, retry_after));
            let delay = backoffs.remaining(&Bucket::Group(group(1))).unwrap().as_secs_f64();
            assert!((shortest..=shortest + 1.0).contains(&delay), "{retry_after:?}: {delay}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn consecutive_rate_limits_double_the_back_off_up_to_the_interval_until_a_success() {
        let backoffs = backoffs();
        let remaining = || backoffs.remaining(&Bucket::Group(group(1)));
        let mut delays = Vec::new();
        for _ in 0..9 {
            backoffs.observe(&request(429, Some(0)));
            backoffs.observe(&request(200, None));
            delays.push(remaining().unwrap().as_secs_f64().floor());
            tokio::time::sleep(remaining().unwrap()).await;
        }
        assert!(delays.is_sorted() && delays[5] >= 32.0 && delays[8] <= 61.0, "{delays:?}");
        assert_eq!(remaining(), None);
        backoffs.observe(&request(200, None));
        backoffs.observe(&request(429, None));
        assert!(remaining() <= Some(Duration::from_secs(2)));
    }

    #[tokio::test(start_paused = true)]
    async fn only_requests_of_the_same_bucket_back_off() {
        let backoffs = backoffs();
        let buckets = [Bucket::Group(group(1)), Bucket::Group(group(2)), Bucket::Groups];
        for (endpoint, about, expected) in [
            (Endpoint::Token, None, [false, false, false]),
            (Endpoint::Root, None, [false, false, false]),
            (Endpoint::Containers, Some(group(1)), [true, false, false]),
            (Endpoint::OrgGroups, None, [true, false, true]),
        ] {
            backoffs.observe(&RequestRecord { endpoint, group: about, ..request(429, None) });
            let back_off = buckets.each_ref().map(|bucket| backoffs.remaining(bucket).is_some());
            assert_eq!(back_off, expected, "{endpoint:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_longer_retry_after_extends_the_back_off_and_a_shorter_one_does_not_cut_it() {
        let backoffs = backoffs();
        for (status, retry_after, shortest) in [(429, 30, 30), (429, 300, 300), (429, 0, 300)] {
            backoffs.observe(&request(status, Some(retry_after)));
            let remaining = backoffs.remaining(&Bucket::Group(group(1)));
            assert!(remaining >= Some(Duration::from_secs(shortest)), "{status}: {remaining:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_503_says_nothing_about_the_bucket() {
        let backoffs = backoffs();
        backoffs.observe(&request(503, Some(3600)));
        assert_eq!(backoffs.remaining(&Bucket::Group(group(1))), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_group_that_stays_keeps_its_back_off_and_a_removed_one_is_forgotten() {
        let backoffs = backoffs();
        backoffs.observe(&request(429, None));
        backoffs.set_groups(&BTreeSet::from([&group(1)]));
        assert!(backoffs.remaining(&Bucket::Group(group(1))).is_some());
        backoffs.set_groups(&BTreeSet::new());
        backoffs.observe(&request(429, None));
        assert_eq!(backoffs.remaining(&Bucket::Group(group(1))), None, "a late response changes nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_bucket_backs_off_before_atlas_rejects_a_request() {
        let backoffs = backoffs();
        for (remaining, is_empty) in [(1, false), (0, true)] {
            let rate_limit = Some(RateLimit { limit: 2000, remaining });
            backoffs.observe(&RequestRecord { rate_limit, ..request(200, None) });
            let backoff = backoffs.remaining(&Bucket::Group(group(1)));
            assert_eq!(backoff.is_some_and(|backoff| backoff >= MIN_BACKOFF), is_empty);
            assert!(backoff <= Some(MIN_BACKOFF * 2));
        }
    }
}
