//! How many requests may come: a bucket of tokens, as the toolkit has it.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::go_yaml;
use yaml_reader::{ConfigFaults, Section};

/// Holds `burst` tokens and gets one back each interval. A request takes one.
pub(crate) struct RateLimiter {
    interval: Duration,
    burst: f64,
    held: Mutex<Held>,
}

struct Held {
    tokens: f64,
    at: Instant,
}

impl RateLimiter {
    pub(crate) fn parse(mut section: Section<'_>, warnings: &ConfigFaults) -> Option<Self> {
        let interval = go_yaml::nanoseconds(&mut section, "interval");
        let burst = go_yaml::number(&mut section, "burst");
        let warn = |key, message: &str| warnings.note(section.path_of(key), message);
        match (interval, burst) {
            (..0, _) => warn("interval", "is below zero, so there is no limit, as with the toolkit"),
            (0, 1..) => warn("interval", "is zero or missing, so there is no limit, as with the toolkit"),
            (1.., ..=0) => warn("burst", "is not above zero, so every request is refused, as with the toolkit"),
            (1..1_000_000, _) => warn("interval", "is below a millisecond: a number without a unit is nanoseconds"),
            _ => {}
        }
        section.end();
        let interval = u64::try_from(interval).ok().filter(|interval| *interval > 0)?;
        Some(Self::new(Duration::from_nanos(interval), burst, Instant::now()))
    }

    #[allow(clippy::cast_precision_loss, reason = "of bursts above 2^53")]
    fn new(interval: Duration, burst: i64, now: Instant) -> Self {
        let burst = burst as f64;
        Self { interval, burst, held: Mutex::new(Held { tokens: burst, at: now }) }
    }

    /// Takes a token, if there is one.
    pub(crate) fn allows(&self, now: Instant) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let regained = now.saturating_duration_since(held.at).as_secs_f64() / self.interval.as_secs_f64();
        let tokens = (held.tokens + regained).min(self.burst);
        let allows = tokens >= 1.0;
        *held = Held { tokens: if allows { tokens - 1.0 } else { tokens }, at: held.at.max(now) };
        allows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_and_then_one_an_interval() {
        let (start, none, second) = (Instant::now(), Duration::ZERO, Duration::from_secs(1));
        let bucket = RateLimiter::new(second, 2, start);
        let allowed = |after: Duration| bucket.allows(start + after);
        assert_eq!([allowed(none), allowed(none), allowed(none)], [true, true, false]);
        assert!(!allowed(second / 2));
        assert!(allowed(second));
        assert!(!allowed(second));
        assert_eq!([allowed(second * 60), allowed(second * 60), allowed(second * 60)], [true, true, false]);
    }

    #[test]
    fn a_burst_of_zero_allows_nothing() {
        let start = Instant::now();
        assert!(!RateLimiter::new(Duration::from_secs(1), 0, start).allows(start + Duration::from_secs(60)));
        assert!(!RateLimiter::new(Duration::from_secs(1), -3, start).allows(start + Duration::from_secs(60)));
    }
}
