//! What stays true when the config changes.

use std::collections::BTreeMap;

use super::{ListingKey, State};
use atlas::{GroupId, Provider};

/// An account that may discover a group that the config does not list.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its name in the config.
    pub account: String,
    /// The providers that it polls in discovered groups.
    pub providers: Vec<Provider>,
}

impl State {
    /// Takes over everything from before a reload about listings, groups and accounts that stay. `candidates` holds the
    /// accounts that may discover each group that the config does not list, likeliest first; a group without any is
    /// dropped.
    pub fn carry_over(&mut self, before: State, candidates: &BTreeMap<GroupId, Vec<Candidate>>) {
        let State { accounts, groups, mut listings, api, rate_limits, version_ends, regroupings, ready, .. } = before;
        for (id, before) in groups {
            if let Some(group) = self.groups.get_mut(&id) {
                group.carry_over(before);
            } else if let Some(candidates @ [first, ..]) = candidates.get(&id).map(Vec::as_slice) {
                self.add_listings(&id, &first.providers);
                let accounts = candidates.iter().map(|candidate| candidate.account.clone()).collect();
                self.groups.insert(id, before.unlisted(accounts));
            }
        }
        listings.retain(|key, _| self.listings.contains_key(key));
        self.listings.append(&mut listings);
        for (name, account) in &mut self.accounts {
            if let Some(before) = accounts.get(name) {
                account.carry_over(before);
            }
        }
        self.api = api;
        self.api.retain(|(account, _), _| self.accounts.contains_key(account));
        self.version_ends = version_ends;
        self.version_ends.retain(|(account, _), _| self.accounts.contains_key(account));
        self.rate_limits = rate_limits;
        self.rate_limits.retain(|(account, _, group), _| {
            let polls = |group: &GroupId| self.groups.get(group).is_some_and(|group| group.account == *account);
            self.accounts.contains_key(account) && group.as_ref().is_none_or(polls)
        });
        self.regroupings = regroupings + 1;
        self.ready = ready;
        self.update_ready();
    }

    /// Adds the listings of a group; those that exist stay as they are.
    pub(super) fn add_listings(&mut self, group: &GroupId, providers: &[Provider]) {
        for provider in providers {
            let key = ListingKey { group: group.clone(), provider: *provider };
            self.listings.entry(key).or_default();
        }
    }
}
