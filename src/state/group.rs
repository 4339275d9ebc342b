//! What is known of a group beside its peerings.

use std::collections::{BTreeMap, BTreeSet};

use atlas::{self, Container};

/// What is known of a group beside its peerings.
#[derive(Clone, Debug, Default)]
pub struct GroupState {
    /// The account that polls it, as the config names it.
    pub account: String,
    /// The name that the config gives it, else that of Atlas; may be empty.
    pub name: String,
    /// The organization it belongs to; empty where nothing asked for it.
    pub org_id: String,
    /// How it comes to be watched.
    pub(super) listed: Listed,
    /// What the account's discovery told of it; nothing where none did yet.
    pub(super) told: Option<atlas::Group>,
    /// The config lists it no more, and no discovery told of it yet: accounts that may still do so.
    pub(super) awaits: BTreeSet<String>,
    /// Atlas's side of the peerings, by the container's id; as far as it was asked for.
    pub containers: BTreeMap<String, Container>,
    /// In how many discoveries in a row it was missing.
    pub(super) missing: u32,
}

/// How a group comes to be watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Listed {
    /// The config lists it with a name, which stays.
    WithName,
    /// The config lists it without a name.
    WithoutName,
    /// It was discovered.
    #[default]
    No,
}

impl GroupState {
    /// A group of the config, whose name may be empty.
    #[must_use]
    pub fn listed(account: &str, name: &str) -> Self {
        let listed = if name.is_empty() { Listed::WithoutName } else { Listed::WithName };
        Self { account: account.to_owned(), name: name.to_owned(), listed, ..Self::default() }
    }

    /// What a discovery told of it, if one did.
    pub(super) fn told(&self) -> Option<&atlas::Group> {
        self.told.as_ref()
    }

    /// Takes over what Atlas told of it before.
    pub(super) fn inherit(&mut self, before: Self) {
        if self.name.is_empty() {
            self.name = match &before.told {
                Some(told) => told.name.clone(),
                None if before.listed == Listed::WithName => String::new(),
                None => before.name,
            };
        }
        self.org_id = before.org_id;
        self.containers = before.containers;
        self.told = before.told.filter(|_| self.account == before.account);
    }

    /// As a group that the config lists no more, and that one of these accounts is to discover; the first of them polls
    /// it until then. If a discovery of that one told of it before, nothing is open.
    pub(super) fn left_to(self, heirs: Vec<String>) -> Self {
        let account = heirs.first().cloned().unwrap_or_default();
        let told = self.told.filter(|_| self.account == account);
        let name = told.as_ref().map_or(self.name, |told| told.name.clone());
        let awaits = if told.is_some() { BTreeSet::new() } else { heirs.into_iter().collect() };
        Self { account, name, listed: Listed::No, told, awaits, ..self }
    }

    /// Whether the account's discovery is to tell whether it is there.
    pub(super) fn is_up_to(&self, account: &str) -> bool {
        let is_discovered = self.account == account && self.listed == Listed::No && self.awaits.is_empty();
        is_discovered || self.awaits.contains(account)
    }
}
