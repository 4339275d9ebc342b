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
    /// They succeed, but hold a permit for long.
    Slow,
    /// They fail quickly, or only the last one held its permit for long and failed.
    Failing(Failure),
    /// They fail after they held a permit for long.
    Hanging(Failure),
}

impl Condition {
    /// Why they fail, if they do.
    pub(super) fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Healthy | Self::Slow => None,
            Self::Failing(failure) | Self::Hanging(failure) => Some(failure),
        }
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

    /// How many different listings must fail, with no success between, before the others are expected to fail. Listings
    /// of a group mostly fail together. Those of a provider may just happen to fail one after the other.
    fn threshold(&self) -> usize {
        match self {
            Self::Provider(_) => 16,
            Self::Group(_) => 2,
        }
    }
}

/// Opens when enough siblings in a row fail or are slow, and closes when one succeeds quickly.
#[derive(Default)]
pub(super) struct Breaker {
    /// Siblings that failed or were slow since the last success of any.
    failed: BTreeSet<ListingKey>,
    is_open: bool,
    /// The last failure.
    failure: Option<Failure>,
}

impl Breaker {
    /// Whether the siblings are expected to fail or to be slow.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Why they are, if the breaker is open and they fail.
    pub(super) fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref().filter(|_| self.is_open)
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
        self.is_open |= self.failed.len() >= siblings.threshold();
        self.failure = condition.failure().cloned().or(self.failure.take());
    }

    /// Drops what is known from these listings.
    pub(super) fn forget(&mut self, is_forgotten: impl Fn(&ListingKey) -> bool) {
        self.failed.retain(|key| !is_forgotten(key));
        if self.failed.is_empty() {
            *self = Self::default();
        }
    }
}
