//! The token buckets of the resources: their sizes, owners and contents.

use std::{collections::HashMap, time::Instant};

use crate::{
    endpoint::SimulatedEndpoint,
    http::{auth::Caller, request::ApiRequest},
    scenario::{Scenario, settings::RateLimitSettings},
};

/// The documented limit of `GET /groups/{id}`, which no scenario changes.
const GROUP_LIMIT: RateLimitSettings = RateLimitSettings { capacity: 1200, refill_per_minute: 500 };

/// The documented limit of `GET /api/atlas/v2`, which no scenario changes.
const ROOT_LIMIT: RateLimitSettings = RateLimitSettings { capacity: 300, refill_per_minute: 100 };

/// The wait that an empty bucket without refill announces, in seconds.
const NO_REFILL_WAIT: u64 = 60;

/// Every bucket in use, by endpoint, by group or organization, and by caller where each has a bucket.
#[derive(Default)]
pub(crate) struct RateLimits(HashMap<(SimulatedEndpoint, String, Option<Caller>), Bucket>);

pub(crate) struct Bucket {
    limit: RateLimitSettings,
    tokens: f64,
    filled: Instant,
}

impl RateLimits {
    /// Takes a token and returns how many remain, as [`Bucket::take`] does. A new bucket is full.
    pub(crate) fn take(
        &mut self,
        request: &ApiRequest,
        caller: &Caller,
        limit: RateLimitSettings,
        now: Instant,
    ) -> Result<u64, u64> {
        use SimulatedEndpoint::{Containers, Groups, Peers, Root};
        // Peerings and containers of a group share a bucket.
        let endpoint = if request.endpoint == Containers { Peers } else { request.endpoint };
        let caller = matches!(endpoint, Groups | Root).then(|| caller.clone());
        let bucket = self.0.entry((endpoint, request.id.clone(), caller));
        bucket.or_insert_with(|| Bucket::full(limit, now)).take(now)
    }
}

/// The limit of an endpoint, or of an unknown path.
pub(crate) fn limit(settings: &Scenario, endpoint: SimulatedEndpoint) -> RateLimitSettings {
    match endpoint {
        SimulatedEndpoint::Group => GROUP_LIMIT,
        SimulatedEndpoint::Groups => settings.group_list_rate_limit,
        SimulatedEndpoint::OrgGroups => settings.org_rate_limit,
        SimulatedEndpoint::Root => ROOT_LIMIT,
        _ => settings.rate_limit,
    }
}

impl Bucket {
    pub(crate) fn full(limit: RateLimitSettings, now: Instant) -> Bucket {
        Bucket { limit, tokens: f64::from(limit.capacity), filled: now }
    }

    /// Takes a token and returns how many remain. The error is the wait for one in whole seconds, rounded down: Atlas
    /// also sends "after 0 seconds".
    pub(crate) fn take(&mut self, now: Instant) -> Result<u64, u64> {
        let per_second = f64::from(self.limit.refill_per_minute) / 60.0;
        let refill = now.duration_since(self.filled).as_secs_f64() * per_second;
        self.tokens = (self.tokens + refill).min(f64::from(self.limit.capacity));
        self.filled = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(whole(self.tokens));
        }
        let wait = (1.0 - self.tokens) / per_second;
        Err(if wait.is_finite() { whole(wait) } else { NO_REFILL_WAIT })
    }
}

// Neither tokens nor seconds are negative.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_empty_bucket_announces_its_refill_and_fills_up() {
        let now = Instant::now();
        let bucket = |refill_per_minute| Bucket::full(RateLimitSettings { capacity: 2, refill_per_minute }, now);
        let mut slow = bucket(6);
        assert_eq!([slow.take(now), slow.take(now)], [Ok(1), Ok(0)]);
        assert_eq!(slow.take(now), Err(10));
        assert_eq!(slow.take(now + Duration::from_secs(11)), Ok(0));
        assert_eq!(slow.take(now + Duration::from_secs(600)), Ok(1));
        for (refill_per_minute, retry_after) in [(1000, 0), (0, NO_REFILL_WAIT)] {
            let mut bucket = bucket(refill_per_minute);
            assert_eq!((0..3).map(|_| bucket.take(now)).last(), Some(Err(retry_after)));
        }
    }
}
