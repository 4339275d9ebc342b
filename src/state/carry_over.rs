//! What stays true when the config changes.

use super::{Group, State, Target};
use atlas::{self, GroupId, Provider};

/// An account that may discover a group, and what it asks for in it.
pub type Heir = (String, Vec<Provider>);

impl State {
    /// Takes over what is still true of the state before: everything of targets, groups and accounts that stay.
    /// `heirs` says which accounts may discover a group that the config does not list, the likeliest first, and what
    /// each asks for in it: it is told the account that had it, and what a discovery told of it, if one did.
    pub fn inherit(&mut self, before: State, heirs: impl Fn(&GroupId, &str, Option<&atlas::Group>) -> Vec<Heir>) {
        let State { accounts, groups, mut targets, api, rate_limits, version_ends, ready, .. } = before;
        for (id, group) in groups {
            self.inherit_group(id, group, &heirs);
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
        heirs: impl Fn(&GroupId, &str, Option<&atlas::Group>) -> Vec<Heir>,
    ) {
        if let Some(group) = self.groups.get_mut(&id) {
            group.inherit(before);
            return;
        }
        let heirs = heirs(&id, &before.account, before.told());
        if let Some((_, providers)) = heirs.first() {
            let target = |provider: &Provider| Target { group: id.clone(), provider: *provider };
            self.targets.extend(providers.iter().map(|provider| (target(provider), super::TargetState::default())));
            self.groups.insert(id, before.left_to(heirs.into_iter().map(|(account, _)| account).collect()));
        }
    }
}
