//! What the polls of some listings say about others: those of the same provider, or of the same group.

use std::collections::BTreeSet;

use crate::state::{Failure, ListingKey};
use atlas::{GroupId, Provider};

/// What is known of the polls of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Condition {
    /// They succeed quickly, or nothing is known.
    #[default]
    Healthy,
    /// They fail quickly.
    Failing(Failure),
    /// They hold a permit for long, and then may fail.
    Slow(Option<Failure>),
}

impl Condition {
    /// Why they fail, if they do.
    pub(super) fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Healthy | Self::Slow(None) => None,
            Self::Failing(failure) | Self::Slow(Some(failure)) => Some(failure),
        }
    }

    /// Takes over what a later poll says, but keeps the failure if that poll has none yet.
    pub(super) fn update(&mut self, later: Self) {
        *self = match later {
            Self::Slow(None) => Self::Slow(self.failure().cloned()),
            later => later,
        };
    }
}

/// Listings of one account that often fail together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Siblings {
    /// Of one provider, in all groups.
    Provider(Provider),
    /// Of one group, with all providers.
    Group(GroupId),
}

impl Siblings {
    /// Those of a listing.
    pub(super) fn of(key: &ListingKey) -> [Self; 2] {
        [Self::Provider(key.provider), Self::Group(key.group.clone())]
    }

    pub(super) fn include(&self, key: &ListingKey) -> bool {
        match self {
            Self::Provider(provider) => key.provider == *provider,
            Self::Group(group) => key.group == *group,
        }
    }

    /// How many different listings must fail, with no success between, before the others are expected to fail. A group
    /// has at most three.
    fn threshold(&self) -> usize {
        match self {
            Self::Provider(_) => 3,
            Self::Group(_) => 2,
        }
    }
}

/// Opens when several siblings in a row fail or are slow, and closes when one succeeds quickly.
#[derive(Default)]
pub(super) struct Breaker {
    /// Siblings that failed or were slow since the last success of any.
    failed: BTreeSet<ListingKey>,
    condition: Condition,
}

impl Breaker {
    /// What to expect of the siblings; healthy while the breaker is closed.
    pub(super) fn condition(&self) -> &Condition {
        &self.condition
    }

    pub(super) fn is_open(&self) -> bool {
        self.condition != Condition::Healthy
    }

    /// Whether nothing is known.
    pub(super) fn is_empty(&self) -> bool {
        self.failed.is_empty()
    }

    /// Records the poll of a sibling.
    pub(super) fn observe(&mut self, siblings: &Siblings, key: &ListingKey, condition: &Condition) {
        if *condition == Condition::Healthy {
            *self = Self::default();
            return;
        }
        self.failed.insert(key.clone());
        if self.failed.len() >= siblings.threshold() {
            self.condition.update(condition.clone());
        }
    }

    /// Drops what is known from these listings.
    pub(super) fn forget(&mut self, is_forgotten: impl Fn(&ListingKey) -> bool) {
        self.failed.retain(|key| !is_forgotten(key));
        if self.failed.is_empty() {
            self.condition = Condition::Healthy;
        }
    }
}
