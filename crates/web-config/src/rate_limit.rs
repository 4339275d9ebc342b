//! `rate_limit`: a token bucket, as in the toolkit.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::go_yaml;
use yaml_reader::Section;

/// Starts with `burst` tokens, which is also the most it holds, and gains one each interval. A request takes one.
pub(crate) struct RateLimiter {
    interval: Duration,
    burst: f64,
    level: Mutex<Level>,
}

/// The number of tokens at a time.
struct Level {
    tokens: f64,
    at: Instant,
}

impl RateLimiter {
    pub(crate) fn parse(mut section: Section<'_>) -> Option<Self> {
        let interval = go_yaml::nanoseconds(&mut section, "interval");
        let burst = go_yaml::number(&mut section, "burst");
        let warn = |key, message: &str| section.warn(key, message);
        match (interval, burst) {
            (..0, _) => warn("interval", "is below zero, so there is no limit, as in the toolkit"),
            (0, 1..) => warn("interval", "is zero or missing, so there is no limit, as in the toolkit"),
            (1.., ..=0) => warn("burst", "is not above zero, so every request is rejected, as in the toolkit"),
            (1..1_000_000, _) => warn("interval", "is below a millisecond; a number without a unit means nanoseconds"),
            _ => {}
        }
        section.finish();
        let interval = u64::try_from(interval).ok().filter(|interval| *interval > 0)?;
        Some(Self::new(Duration::from_nanos(interval), burst, Instant::now()))
    }

    #[allow(clippy::cast_precision_loss, reason = "of bursts above 2^53")]
    fn new(interval: Duration, burst: i64, now: Instant) -> Self {
        let burst = burst as f64;
        Self { interval, burst, level: Mutex::new(Level { tokens: burst, at: now }) }
    }

    /// Takes a token, if there is one.
    pub(crate) fn try_acquire(&self, now: Instant) -> bool {
        let mut level = self.level.lock();
        let gained = now.saturating_duration_since(level.at).as_secs_f64() / self.interval.as_secs_f64();
        let tokens = (level.tokens + gained).min(self.burst);
        let acquired = tokens >= 1.0;
        *level = Level { tokens: if acquired { tokens - 1.0 } else { tokens }, at: level.at.max(now) };
        acquired
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_and_then_one_request_per_interval() {
        let (start, none, second) = (Instant::now(), Duration::ZERO, Duration::from_secs(1));
        let limiter = RateLimiter::new(second, 2, start);
        let acquired = |after: Duration| limiter.try_acquire(start + after);
        assert_eq!([acquired(none), acquired(none), acquired(none)], [true, true, false]);
        assert!(!acquired(second / 2));
        assert!(acquired(second));
        assert!(!acquired(second));
        assert_eq!([acquired(second * 60), acquired(second * 60), acquired(second * 60)], [true, true, false]);
        for burst in [0, -3] {
            assert!(!RateLimiter::new(second, burst, start).try_acquire(start + second * 60), "{burst}");
        }
    }
}
