//! The token bucket of one group.

use std::time::Instant;

use super::RateLimit;

/// How long an empty bucket that is never filled again tells its clients to wait, in seconds.
const NEVER: u64 = 60;

#[derive(Debug)]
pub(super) struct Bucket {
    limit: RateLimit,
    tokens: f64,
    filled: Instant,
}

/// The bucket was empty.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Exceeded {
    /// In whole seconds rounded down: Atlas too says "after 0 seconds".
    pub(super) retry_after: u64,
}

impl Bucket {
    pub(super) fn full(limit: RateLimit, now: Instant) -> Bucket {
        Bucket { limit, tokens: f64::from(limit.capacity), filled: now }
    }

    /// Takes a token and says how many are left.
    pub(super) fn take(&mut self, now: Instant) -> Result<u64, Exceeded> {
        let per_second = f64::from(self.limit.refill_per_minute) / 60.0;
        let fresh = now.duration_since(self.filled).as_secs_f64() * per_second;
        self.tokens = (self.tokens + fresh).min(f64::from(self.limit.capacity));
        self.filled = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(whole(self.tokens));
        }
        let wait = (1.0 - self.tokens) / per_second;
        Err(Exceeded { retry_after: if wait.is_finite() { whole(wait) } else { NEVER } })
    }
}

// Neither tokens nor seconds are ever negative.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn bucket(refill_per_minute: u32) -> (Bucket, Instant) {
        let now = Instant::now();
        let limit = RateLimit { capacity: 2, refill_per_minute };
        (Bucket::full(limit, now), now)
    }

    #[test]
    fn an_empty_bucket_says_when_to_come_back_and_fills_up() {
        let (mut bucket, now) = bucket(6);
        assert_eq!(bucket.take(now), Ok(1));
        assert_eq!(bucket.take(now), Ok(0));
        assert_eq!(bucket.take(now), Err(Exceeded { retry_after: 10 }));
        assert_eq!(bucket.take(now + Duration::from_secs(11)), Ok(0));
        assert_eq!(bucket.take(now + Duration::from_secs(600)), Ok(1));
    }

    #[test]
    fn a_fast_bucket_says_zero_seconds_as_atlas_does() {
        let (mut bucket, now) = bucket(1000);
        let last = (0..3).map(|_| bucket.take(now)).last();
        assert_eq!(last, Some(Err(Exceeded { retry_after: 0 })));
    }

    #[test]
    fn a_bucket_without_refill_stays_empty() {
        let (mut bucket, now) = bucket(0);
        let last = (0..3).map(|_| bucket.take(now)).last();
        assert_eq!(last, Some(Err(Exceeded { retry_after: NEVER })));
    }
}
