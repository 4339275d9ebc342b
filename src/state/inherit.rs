//! What stays true when the config changes.

use super::{Group, State, Target};
use crate::atlas::{self, GroupId, Provider};

/// The account that discovers a group from now on, and what it asks for in it.
pub type Heir = (String, Vec<Provider>);

impl State {
    /// Takes over what is still true of the state before: everything of targets, groups and accounts that stay.
    /// `heir` says who discovers a group that the config does not list, and what it asks for in it: it is told the
    /// account that had it, and what a discovery told of it, if one did.
    pub fn inherit(&mut self, before: State, heir: impl Fn(&GroupId, &str, Option<&atlas::Group>) -> Option<Heir>) {
        let State { accounts, groups, mut targets, api, rate_limits, version_ends, ready, .. } = before;
        for (id, group) in groups {
            self.inherit_group(id, group, &heir);
        }
        for (target, known) in &mut self.targets {
            if let Some(before) = targets.remove(target) {
                *known = before;
            }
        }
        for (name, account) in &mut self.accounts {
            if let Some(before) = accounts.get(name) {
                account.inherit(before);
            }
        }
        self.api = api;
        self.api.retain(|(account, _), _| self.accounts.contains_key(account));
        self.version_ends = version_ends;
        self.version_ends.retain(|(account, _), _| self.accounts.contains_key(account));
        self.rate_limits = rate_limits;
        self.rate_limits.retain(|(account, _, group), _| {
            let is_theirs = |group: &GroupId| self.groups.get(group).is_some_and(|group| group.account == *account);
            self.accounts.contains_key(account) && group.as_ref().is_none_or(is_theirs)
        });
        self.ready = ready;
    }

    fn inherit_group(
        &mut self,
        id: GroupId,
        before: Group,
        heir: impl Fn(&GroupId, &str, Option<&atlas::Group>) -> Option<Heir>,
    ) {
        if let Some(group) = self.groups.get_mut(&id) {
            group.inherit(before);
            return;
        }
        if let Some((account, providers)) = heir(&id, &before.account, before.told()) {
            let target = |provider| (Target { group: id.clone(), provider }, super::TargetState::default());
            self.targets.extend(providers.into_iter().map(target));
            self.groups.insert(id, before.left_to(account));
        }
    }
}
