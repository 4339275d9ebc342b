//! How discoveries change which groups are polled.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    time::{Instant, SystemTime},
};

use super::{
    ListingKey, State,
    account::{AccountState, DiscoveryState},
    group::{GroupState, MISSES_TO_REMOVE, Origin},
    poll::Failure,
};
use atlas::{GroupId, Provider};

/// What a discovery changed.
#[derive(Debug, PartialEq, Eq)]
pub enum DiscoveryEvent {
    /// Discoveries fail for a reason that is new since the last success.
    Failing(Failure),
    /// A discovery succeeded after this many consecutive failures.
    Recovered(u32),
    /// The exporter starts polling a group with this name.
    GroupAdded(GroupId, String),
    /// The exporter stops polling a group that its account no longer discovers, nor any other.
    GroupRemoved {
        /// The account that polled it.
        account: String,
        /// Its ID.
        id: GroupId,
        /// Its name.
        name: String,
    },
    /// The exporter stops polling a group that a reload no longer lists and no account discovered.
    GroupUnlisted(GroupId, String),
    /// More than half of the known groups are missing. Nothing is removed until the next discovery confirms it.
    Unconfirmed {
        /// How many groups are missing.
        missing: usize,
        /// How many the account's discovery knew.
        known: usize,
    },
    /// Neither this shard nor another has a group of the account to poll.
    NoGroups,
}

/// The groups that the discovery of an account selected.
#[derive(Debug, Default)]
pub struct SelectedGroups {
    /// Those of this shard.
    pub owned: Vec<atlas::Group>,
    /// How many belong to other shards.
    pub elsewhere: usize,
}

impl State {
    /// Records the selected groups of an account, or why its discovery failed, and returns what changed. New groups are
    /// polled for `providers`.
    pub fn record_discovery(
        &mut self,
        account: &str,
        outcome: Result<SelectedGroups, Failure>,
        providers: &[Provider],
        ended: Instant,
        ended_at: SystemTime,
    ) -> Vec<DiscoveryEvent> {
        let Some(discovery) = self.discovery_mut(account) else { return Vec::new() };
        discovery.discoveries += 1;
        let mut events = match outcome {
            Err(failure) => discovery.fail(failure),
            Ok(selected) => {
                let mut events = discovery.succeed();
                events.extend(self.apply_discovery(account, selected, providers, (ended, ended_at)));
                events
            }
        };
        events.extend(self.remove_departed(ended));
        events.extend(self.report_no_groups(account));
        self.update_ready();
        events
    }

    /// Whether the account does not lack groups, and its next discovery is not expected to remove any.
    #[must_use]
    pub fn is_settled(&self, account: &str) -> bool {
        let discovery = self.accounts.get(account).and_then(|account| account.discovery.as_ref());
        discovery.is_some_and(|discovery| discovery.last_success.is_some() && discovery.unconfirmed.is_none())
            && !self.lacks_groups(account)
            && !self.groups.values().any(|group| group.is_unsettled(account))
    }

    /// Whether the account polls any group.
    #[must_use]
    pub fn has_groups(&self, account: &str) -> bool {
        self.groups.values().any(|group| group.account == account)
    }

    /// Whether no shard polls a group of the account, as far as is known.
    #[must_use]
    pub fn lacks_groups(&self, account: &str) -> bool {
        !self.has_groups(account) && !self.accounts.get(account).is_some_and(AccountState::is_elsewhere)
    }

    /// The discovery of an account that has one.
    pub fn discovery_mut(&mut self, account: &str) -> Option<&mut DiscoveryState> {
        self.accounts.get_mut(account)?.discovery.as_mut()
    }

    fn apply_discovery(
        &mut self,
        account: &str,
        selected: SelectedGroups,
        providers: &[Provider],
        (ended, ended_at): (Instant, SystemTime),
    ) -> Vec<DiscoveryEvent> {
        let SelectedGroups { owned: found, elsewhere } = selected;
        let present: BTreeSet<&GroupId> = found.iter().map(|group| &group.id).collect();
        let decided = self.groups.iter().filter(|(_, group)| group.is_decided_by(account)).map(|(id, _)| id);
        let known = decided.clone().count();
        let missing: BTreeSet<GroupId> = decided.filter(|id| !present.contains(id)).cloned().collect();
        let Some(discovery) = self.discovery_mut(account) else { return Vec::new() };
        let unconfirmed = discovery.unconfirmed.take();
        if missing.len() * 2 > known && unconfirmed.is_none() {
            let event = DiscoveryEvent::Unconfirmed { missing: missing.len(), known };
            discovery.unconfirmed = Some(missing);
            // New groups are added anyway: polling one that does not exist costs nothing.
            let mut events = self.upsert(account, found, providers);
            events.push(event);
            return events;
        }
        discovery.last_success = Some(ended_at);
        discovery.selects_elsewhere = elsewhere > 0;
        // The unconfirmed discovery counts if this one misses most of the same groups.
        let is_confirmed = |earlier: &BTreeSet<GroupId>| earlier.intersection(&missing).count() * 2 > earlier.len();
        let confirmed = unconfirmed.filter(is_confirmed).unwrap_or_default();
        let wanted = self.groups.iter_mut().filter(|(id, _)| !present.contains(id));
        for (_, group) in wanted.filter(|(_, group)| group.is_wanted_from(account)) {
            if let Origin::Departed { asked, .. } = &mut group.origin {
                *asked.entry(account.to_owned()).or_default() += 1;
            }
        }
        let mut events = self.mark_missing(account, missing, &confirmed, ended);
        events.extend(self.upsert(account, found, providers));
        events
    }

    /// Reports once that the account has no groups, if its list is known.
    fn report_no_groups(&mut self, account: &str) -> Option<DiscoveryEvent> {
        let lacks_groups = self.lacks_groups(account);
        let discovery = self.discovery_mut(account).filter(|discovery| discovery.last_success.is_some())?;
        let was_reported = mem::replace(&mut discovery.reported_no_groups, lacks_groups);
        (lacks_groups && !was_reported).then_some(DiscoveryEvent::NoGroups)
    }

    /// Counts one miss for each missing group, two for those that the discovery before missed too. Groups with enough
    /// misses depart, or are removed if a reload no longer lists them.
    fn mark_missing(
        &mut self,
        account: &str,
        missing: BTreeSet<GroupId>,
        confirmed: &BTreeSet<GroupId>,
        ended: Instant,
    ) -> Vec<DiscoveryEvent> {
        let mut events = Vec::new();
        for id in missing {
            let Some(group) = self.groups.get_mut(&id) else { continue };
            match &mut group.origin {
                Origin::Configured { .. } | Origin::Departed { .. } => {}
                Origin::Discovered { missed } => {
                    *missed += 1 + u32::from(confirmed.contains(&id));
                    if *missed >= MISSES_TO_REMOVE {
                        group.origin = Origin::Departed { since: ended, asked: BTreeMap::new() };
                    }
                }
                Origin::Orphaned { candidates } => {
                    candidates.remove(account);
                    if candidates.is_empty() {
                        let name = mem::take(&mut group.name);
                        self.remove_group(&id);
                        events.push(DiscoveryEvent::GroupUnlisted(id, name));
                    }
                }
            }
        }
        events
    }

    /// Removes groups that departed from their account, once every other account was asked or their data is stale.
    fn remove_departed(&mut self, now: Instant) -> Vec<DiscoveryEvent> {
        let discovering = self.accounts.iter().filter(|(_, account)| account.discovery.is_some());
        let discovering: Vec<&str> = discovering.map(|(name, _)| name.as_str()).collect();
        let mut events = Vec::new();
        for (id, group) in &self.groups {
            let Origin::Departed { since, .. } = &group.origin else { continue };
            let is_wanted = discovering.iter().any(|account| group.is_wanted_from(account));
            if !is_wanted || *since + self.max_staleness < now || !self.is_served(id, now) {
                let (account, name) = (group.account.clone(), group.name.clone());
                events.push(DiscoveryEvent::GroupRemoved { account, id: id.clone(), name });
            }
        }
        for event in &events {
            if let DiscoveryEvent::GroupRemoved { id, .. } = event {
                self.remove_group(id);
            }
        }
        events
    }

    /// Whether any listing of the group is exported.
    fn is_served(&self, group: &GroupId, now: Instant) -> bool {
        let mut listings = Provider::ALL
            .iter()
            .filter_map(|provider| self.listings.get(&ListingKey { group: group.clone(), provider: *provider }));
        listings.any(|listing| listing.served(now, self.max_staleness).is_some())
    }

    fn remove_group(&mut self, id: &GroupId) {
        self.regroupings += 1;
        self.groups.remove(id);
        self.listings.retain(|key, _| key.group != *id);
        self.rate_limits.retain(|(_, _, group), _| group.as_ref() != Some(id));
    }

    fn upsert(&mut self, account: &str, found: Vec<atlas::Group>, providers: &[Provider]) -> Vec<DiscoveryEvent> {
        let mut events = Vec::new();
        for found in found {
            let id = found.id.clone();
            let Some(group) = self.groups.get_mut(&id) else {
                events.push(DiscoveryEvent::GroupAdded(id.clone(), found.name.clone()));
                self.add_listings(&id, providers);
                self.groups.insert(id, GroupState::discovered(account, found));
                continue;
            };
            if matches!(group.origin, Origin::Orphaned { .. } | Origin::Departed { .. }) {
                self.regroupings += u64::from(group.account != account);
                account.clone_into(&mut group.account);
                group.record_found(found);
                self.rate_limits.retain(|(owner, _, group), _| owner == account || group.as_ref() != Some(&id));
                self.listings.retain(|key, _| key.group != id || providers.contains(&key.provider));
                self.add_listings(&id, providers);
            } else if group.account == account {
                // If another account polls the group, it keeps it: two would export the same series.
                group.record_found(found);
            }
        }
        events
    }
}

impl DiscoveryState {
    fn succeed(&mut self) -> Vec<DiscoveryEvent> {
        let failed = std::mem::take(&mut self.failed_in_a_row);
        self.reported.clear();
        self.failure.take().map(|_| DiscoveryEvent::Recovered(failed)).into_iter().collect()
    }

    fn fail(&mut self, failure: Failure) -> Vec<DiscoveryEvent> {
        *self.failures.entry(failure.reason).or_default() += 1;
        self.failed_in_a_row += 1;
        self.failure = Some(failure.clone());
        self.reported.insert(failure.reason).then_some(DiscoveryEvent::Failing(failure)).into_iter().collect()
    }
}

#[cfg(test)]
mod tests;
