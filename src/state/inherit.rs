//! What stays true when the config changes.

use super::{Group, State, Target};
use crate::atlas::{self, GroupId, Provider};

impl State {
    /// Takes over what is still true of the state before: everything of targets, groups and accounts that stay.
    /// `providers` says what is asked for in a group that was discovered; nothing if it is not watched any more.
    pub fn inherit(&mut self, before: State, providers: impl Fn(&str, &atlas::Group) -> Vec<Provider>) {
        let State { accounts, groups, mut targets, api, rate_limits, version_ends, ready, .. } = before;
        for (id, group) in groups {
            self.inherit_group(id, group, &providers);
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

    fn inherit_group(&mut self, id: GroupId, before: Group, providers: impl Fn(&str, &atlas::Group) -> Vec<Provider>) {
        if let Some(group) = self.groups.get_mut(&id) {
            group.inherit(before);
            return;
        }
        let providers = match before.as_discovered(&id) {
            Some(found) => providers(&before.account, &found),
            None => Vec::new(),
        };
        if !providers.is_empty() {
            let target = |provider| (Target { group: id.clone(), provider }, super::TargetState::default());
            self.targets.extend(providers.into_iter().map(target));
            self.groups.insert(id, before);
        }
    }
}
