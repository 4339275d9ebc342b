//! What stays true when the config changes.

use super::{GroupState, ListingKey, State};
use atlas::{self, GroupId, Provider};

/// An account that may discover a group, and what it asks for in it.
pub type Candidate = (String, Vec<Provider>);

impl State {
    /// Takes over what is still true of the state before: everything of listings, groups and accounts that stay.
    /// `heirs` says which accounts may discover a group that the config does not list, the likeliest first, and what
    /// each asks for in it: it is told the account that had it, and what a discovery told of it, if one did.
    pub fn inherit(&mut self, before: State, heirs: impl Fn(&GroupId, &str, Option<&atlas::Group>) -> Vec<Candidate>) {
        let State { accounts, groups, mut listings, api, rate_limits, version_ends, ready, .. } = before;
        for (id, group) in groups {
            self.inherit_group(id, group, &heirs);
        }
        for (key, known) in &mut self.listings {
            if let Some(before) = listings.remove(key) {
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
        before: GroupState,
        heirs: impl Fn(&GroupId, &str, Option<&atlas::Group>) -> Vec<Candidate>,
    ) {
        if let Some(group) = self.groups.get_mut(&id) {
            group.inherit(before);
            return;
        }
        let heirs = heirs(&id, &before.account, before.told());
        if let Some((_, providers)) = heirs.first() {
            let key = |provider: &Provider| ListingKey { group: id.clone(), provider: *provider };
            self.listings.extend(providers.iter().map(|provider| (key(provider), super::ListingState::default())));
            self.groups.insert(id, before.left_to(heirs.into_iter().map(|(account, _)| account).collect()));
        }
    }
}
