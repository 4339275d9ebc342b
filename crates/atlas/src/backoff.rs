//! Delays that grow with each failure, and retries with such delays.

use std::time::Duration;

/// The delay before the first retry. Each further delay is twice as long; jitter adds up to 100%.
const FIRST_RETRY_DELAY: Duration = Duration::from_millis(500);

const MAX_RETRY_DELAY: Duration = Duration::from_secs(60);

/// If `Retry-After` is longer, there is no retry.
const MAX_RETRY_WAIT: Duration = Duration::from_secs(5);

/// A delay that doubles with each failure in a row, up to a maximum.
#[derive(Clone, Debug)]
pub struct Backoff {
    initial: Duration,
    max: Duration,
    failures: u32,
}

impl Backoff {
    /// Starts with `initial`. A `max` below that counts as `initial`.
    #[must_use]
    pub fn new(initial: Duration, max: Duration) -> Self {
        Self { initial, max: max.max(initial), failures: 0 }
    }

    /// The delay after one more failure, without jitter.
    #[must_use]
    pub fn next_delay(&mut self) -> Duration {
        let delay = self.initial.saturating_mul(1 << self.failures.min(16)).min(self.max);
        self.failures += 1;
        delay
    }

    /// Starts again with the initial delay.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// The retries of one request or poll after transient failures.
#[derive(Clone, Debug)]
pub struct Retries {
    left: u32,
    backoff: Backoff,
}

impl Retries {
    /// At most this many retries.
    #[must_use]
    pub fn new(max: u32) -> Self {
        Self { left: max, backoff: Backoff::new(FIRST_RETRY_DELAY, MAX_RETRY_DELAY) }
    }

    /// How long to wait before the next attempt: with jitter, and at least for `retry_after`, as Atlas asks. `None` if
    /// no retry is left, or if Atlas asks for more than 5 s: the next poll is soon enough.
    #[must_use]
    pub fn next_delay(&mut self, retry_after: Duration) -> Option<Duration> {
        if retry_after > MAX_RETRY_WAIT {
            return None;
        }
        self.left = self.left.checked_sub(1)?;
        Some(self.backoff.next_delay().mul_f64(1.0 + fastrand::f64()).max(retry_after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_maximum_and_start_again_after_a_reset() {
        let mut backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(10));
        let delays: Vec<_> = (0..40).map(|_| backoff.next_delay().as_secs()).collect();
        assert_eq!((&delays[..4], delays[39]), ([2, 4, 8, 10].as_slice(), 10));
        backoff.reset();
        assert_eq!(backoff.next_delay().as_secs(), 2);
        assert_eq!(Backoff::new(Duration::from_secs(2), Duration::ZERO).next_delay().as_secs(), 2);
    }
}
