//! Limits log lines about listings: the first few of a kind, then their count once per interval.

use std::collections::BTreeMap;

use parking_lot::Mutex;

/// Lines of one kind per interval.
const BURST: usize = 10;

/// Counts the lines of one account.
#[derive(Default)]
pub(super) struct LogLimiter(Mutex<BTreeMap<LineKind, usize>>);

/// What a line says about a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LineKind {
    /// Its polls fail for this reason.
    Failing(&'static str),
    /// Its polls succeed again.
    Recovered,
    /// Its peerings are no longer exported.
    Dropped,
}

impl LogLimiter {
    /// Counts a line of this kind and returns whether to log it.
    pub(super) fn allow(&self, kind: LineKind) -> bool {
        let mut lines = self.0.lock();
        let count = lines.entry(kind).or_default();
        *count += 1;
        *count <= BURST
    }

    /// The number of suppressed lines of each kind; resets all counts.
    pub(super) fn take_suppressed(&self) -> Vec<(LineKind, usize)> {
        let lines = std::mem::take(&mut *self.0.lock());
        lines.into_iter().filter(|(_, count)| *count > BURST).map(|(kind, count)| (kind, count - BURST)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_lines_of_a_kind_are_logged_and_the_rest_are_counted() {
        let limiter = LogLimiter::default();
        let logged = (0..750).filter(|_| limiter.allow(LineKind::Failing("server"))).count();
        assert_eq!(logged, BURST);
        assert!(limiter.allow(LineKind::Failing("timeout")) && limiter.allow(LineKind::Recovered));
        assert_eq!(limiter.take_suppressed(), [(LineKind::Failing("server"), 740)]);
        assert!(limiter.allow(LineKind::Failing("server")) && limiter.take_suppressed().is_empty());
    }
}
