//! How many lines of one kind are logged: the first few, then how many more there were.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// LogLimiter of one kind within an interval; more of them say nothing new.
const FEW: usize = 10;

/// The lines of one account.
#[derive(Default)]
pub(super) struct LogLimiter(Mutex<BTreeMap<Kind, usize>>);

/// What a line says of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Its polls fail for this reason.
    Failing(&'static str),
    /// Its polls succeed again.
    Recovered,
    /// Its peerings are off the page.
    Dropped,
}

impl LogLimiter {
    /// Whether a line of this kind is one of the first.
    pub(super) fn may(&self, kind: Kind) -> bool {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = lines.entry(kind).or_default();
        *count += 1;
        *count <= FEW
    }

    /// How many more there were of each kind; from now on they are counted anew.
    pub(super) fn rest(&self) -> Vec<(Kind, usize)> {
        let lines = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        lines
            .into_iter()
            .filter_map(|(kind, count)| Some((kind, count.checked_sub(FEW).filter(|more| *more > 0)?)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_lines_of_a_kind_pass_and_the_rest_is_counted() {
        let lines = LogLimiter::default();
        let passed = (0..750).filter(|_| lines.may(Kind::Failing("server"))).count();
        assert_eq!(passed, FEW);
        assert!(lines.may(Kind::Failing("timeout")) && lines.may(Kind::Recovered));
        assert_eq!(lines.rest(), [(Kind::Failing("server"), 740)]);
        assert!(lines.may(Kind::Failing("server")) && lines.rest().is_empty());
    }
}
