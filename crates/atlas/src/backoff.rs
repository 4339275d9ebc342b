//! Delays that grow with each failure.

use std::time::Duration;

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
