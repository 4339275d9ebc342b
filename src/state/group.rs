//! One group (a project in Atlas's UI): where it comes from, and everything about it except its peerings.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use atlas::Container;

/// Consecutive discoveries without a group that decide that an account does not have it; a single list may lack it by
/// mistake.
pub(super) const MISSES_TO_REMOVE: u32 = 2;

/// What is known about a group besides its peerings.
#[derive(Clone, Debug)]
pub struct GroupState {
    /// The account that polls it, by its name in the config.
    pub account: String,
    /// The name in the config, otherwise Atlas's; may be empty.
    pub name: String,
    /// Its organization; empty until a discovery finds the group.
    pub org_id: String,
    /// Atlas's side of the peerings, by container id.
    pub containers: BTreeMap<String, Container>,
    /// The group as its account last discovered it.
    pub discovered: Option<atlas::Group>,
    /// Why it is polled.
    pub(super) origin: Origin,
}

/// Why a group is polled.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// The config lists it. A name in the config takes precedence over Atlas's.
    Configured { is_named: bool },
    /// Its account discovered it; `missed` counts the consecutive discoveries without it since.
    Discovered { missed: u32 },
    /// Its account no longer discovers it, and another one may. `asked` counts the discoveries without it of every other
    /// account since.
    Departed { since: Instant, asked: BTreeMap<String, u32> },
    /// A reload stopped listing it. `candidates` are the accounts that may discover it and have not reported yet.
    Orphaned { candidates: BTreeSet<String> },
}

impl GroupState {
    /// A group that the config lists, with a name or an empty one.
    #[must_use]
    pub fn configured(account: &str, name: &str) -> Self {
        Self {
            account: account.to_owned(),
            name: name.to_owned(),
            org_id: String::new(),
            containers: BTreeMap::new(),
            discovered: None,
            origin: Origin::Configured { is_named: !name.is_empty() },
        }
    }

    /// A group that the account discovered.
    pub(super) fn discovered(account: &str, group: atlas::Group) -> Self {
        let mut state = Self { origin: Origin::Discovered { missed: 0 }, ..Self::configured(account, "") };
        state.record_found(group);
        state
    }

    /// Records that a discovery of the group's account found it.
    pub(super) fn record_found(&mut self, group: atlas::Group) {
        self.org_id.clone_from(&group.org_id);
        if !matches!(self.origin, Origin::Configured { is_named: true }) {
            self.name.clone_from(&group.name);
        }
        if !matches!(self.origin, Origin::Configured { .. }) {
            self.origin = Origin::Discovered { missed: 0 };
        }
        self.discovered = Some(group);
    }

    /// Takes over Atlas's data about the group from before a reload.
    pub(super) fn carry_over(&mut self, before: Self) {
        if self.name.is_empty() {
            self.name = match (&before.discovered, &before.origin) {
                (Some(discovered), _) => discovered.name.clone(),
                (None, Origin::Configured { is_named: true }) => String::new(),
                (None, _) => before.name,
            };
        }
        self.org_id = before.org_id;
        self.containers = before.containers;
        self.discovered = before.discovered.filter(|_| self.account == before.account);
    }

    /// The group after a reload that does not list it. The first candidate polls it. If that account has discovered the
    /// group before, it counts as discovered; otherwise the candidates decide whether it stays.
    pub(super) fn unlisted(mut self, candidates: Vec<String>) -> Self {
        let account = candidates.first().cloned().unwrap_or_default();
        self.discovered = self.discovered.filter(|_| self.account == account);
        self.account = account;
        self.origin = match (&self.discovered, self.origin) {
            (None, _) => Origin::Orphaned { candidates: candidates.into_iter().collect() },
            (Some(_), origin @ (Origin::Discovered { .. } | Origin::Departed { .. })) => origin,
            (Some(_), _) => Origin::Discovered { missed: 0 },
        };
        if let Some(discovered) = &self.discovered {
            self.name.clone_from(&discovered.name);
        }
        self
    }

    /// Whether the account's discoveries decide if the group stays.
    pub(super) fn is_decided_by(&self, account: &str) -> bool {
        match &self.origin {
            Origin::Configured { .. } | Origin::Departed { .. } => false,
            Origin::Discovered { .. } => self.account == account,
            Origin::Orphaned { candidates } => candidates.contains(account),
        }
    }

    /// Whether the account's next discovery may remove the group.
    pub(super) fn is_unsettled(&self, account: &str) -> bool {
        match &self.origin {
            Origin::Departed { .. } => self.is_wanted_from(account),
            Origin::Discovered { missed: 0 } => false,
            _ => self.is_decided_by(account),
        }
    }

    /// Whether the group departed from its account, and this one was not asked yet.
    pub(super) fn is_wanted_from(&self, account: &str) -> bool {
        let Origin::Departed { asked, .. } = &self.origin else { return false };
        self.account != account && asked.get(account).is_none_or(|misses| *misses < MISSES_TO_REMOVE)
    }
}
