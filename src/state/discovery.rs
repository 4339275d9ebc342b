//! How discoveries change which groups are watched.

use std::{collections::BTreeSet, time::SystemTime};

use super::{DiscoveryState, Failure, GroupState, ListingKey, State, group::Listed};
use atlas::{self, GroupId, Provider};

/// A group that so many listings in a row do not have is gone; one may lack it by mistake.
const MISSING_ENDS_IT: u32 = 2;

/// What a discovery changed.
#[derive(Debug, PartialEq, Eq)]
pub enum DiscoveryEvent {
    /// Discoveries begin to fail, or fail for a reason that they did not fail for yet.
    Failing(Failure),
    /// Discoveries succeed again.
    Recovered {
        /// How many failed in between.
        failed: u32,
    },
    /// A group is watched from now on.
    Appeared(GroupId),
    /// A group is watched no more.
    GroupRemoved {
        /// Which.
        group: GroupId,
        /// What it was called.
        name: String,
    },
    /// A group that the config lists no more is not discovered either.
    GroupUnlisted {
        /// Which.
        group: GroupId,
        /// What it was called.
        name: String,
    },
    /// More than half of the groups are missing: nothing changes until the next discovery says the same.
    HeldBack {
        /// How many are missing.
        missing: usize,
        /// Of how many.
        known: usize,
    },
    /// There is no group to watch.
    NoGroups,
}

impl State {
    /// Takes in the groups of an account that are to be watched, or why they could not be had, and tells what changed.
    /// `providers` are those that are asked for in a new group.
    pub fn record_discovery(
        &mut self,
        account: &str,
        outcome: Result<Vec<atlas::Group>, Failure>,
        providers: &[Provider],
        ended_at: SystemTime,
    ) -> Vec<DiscoveryEvent> {
        let Some(discovery) = self.accounts.get_mut(account).and_then(|account| account.discovery.as_mut()) else {
            return Vec::new();
        };
        discovery.discoveries += 1;
        let events = match outcome {
            Err(failure) => discovery.fail(failure),
            Ok(found) => {
                let mut events = discovery.succeed();
                events.extend(self.watch(account, found, providers, ended_at));
                events
            }
        };
        self.update_ready();
        events
    }

    /// Whether there are groups of the account, and none of them waits for another listing to confirm that it left.
    #[must_use]
    pub fn is_settled(&self, account: &str) -> bool {
        let discovery = self.accounts.get(account).and_then(|account| account.discovery.as_ref());
        discovery.is_some_and(|discovery| discovery.last_success.is_some() && discovery.held_back.is_none())
            && self.groups.values().any(|group| group.account == account)
            && !self
                .groups
                .values()
                .any(|group| group.awaits.contains(account) || (group.account == account && group.missing > 0))
    }

    /// Makes the groups of the account those that were found.
    fn watch(
        &mut self,
        account: &str,
        found: Vec<atlas::Group>,
        providers: &[Provider],
        ended_at: SystemTime,
    ) -> Vec<DiscoveryEvent> {
        let here: BTreeSet<&GroupId> = found.iter().map(|group| &group.id).collect();
        let known = self.groups.values().filter(|group| group.is_up_to(account)).count();
        let missing = self.groups.iter().filter(|(id, group)| group.is_up_to(account) && !here.contains(id));
        let missing: BTreeSet<GroupId> = missing.map(|(id, _)| id.clone()).collect();
        let Some(discovery) = self.accounts.get_mut(account).and_then(|account| account.discovery.as_mut()) else {
            return Vec::new();
        };
        let held_back = discovery.held_back.take();
        if missing.len() * 2 > known && held_back.is_none() {
            let event = DiscoveryEvent::HeldBack { missing: missing.len(), known };
            discovery.held_back = Some(missing);
            // What is new is believed: it costs nothing if it is not there.
            let mut events = self.find(account, found, providers);
            events.push(event);
            return events;
        }
        let is_first = discovery.last_success.replace(ended_at).is_none();
        // The listing that was held back counts, now that another says the same of most of it.
        let is_confirmed = |held: &BTreeSet<GroupId>| held.intersection(&missing).count() * 2 > held.len();
        let held_back = held_back.filter(is_confirmed).unwrap_or_default();
        let mut events = self.miss(account, missing, &held_back);
        events.extend(self.find(account, found, providers));
        let is_empty = !self.groups.values().any(|group| group.account == account);
        if is_empty && (known > 0 || is_first) {
            events.push(DiscoveryEvent::NoGroups);
        }
        events
    }

    /// Counts that groups are missing, and drops those that are missing for long enough.
    fn miss(
        &mut self,
        account: &str,
        missing: BTreeSet<GroupId>,
        held_back: &BTreeSet<GroupId>,
    ) -> Vec<DiscoveryEvent> {
        let mut events = Vec::new();
        for id in missing {
            let Some(group) = self.groups.get_mut(&id) else { continue };
            let is_unlisted = group.awaits.remove(account);
            if !is_unlisted {
                group.missing += 1 + u32::from(held_back.contains(&id));
            }
            if !group.awaits.is_empty() || (!is_unlisted && group.missing < MISSING_ENDS_IT) {
                continue;
            }
            let name = std::mem::take(&mut group.name);
            self.drop_group(&id);
            events.push(if is_unlisted {
                DiscoveryEvent::GroupUnlisted { group: id, name }
            } else {
                DiscoveryEvent::GroupRemoved { group: id, name }
            });
        }
        events
    }

    fn find(&mut self, account: &str, found: Vec<atlas::Group>, providers: &[Provider]) -> Vec<DiscoveryEvent> {
        let mut events = Vec::new();
        for told in found {
            let id = told.id.clone();
            let (name, org_id) = (told.name.clone(), told.org_id.clone());
            match self.groups.get_mut(&id) {
                // Another account watches it already; two would have the same series.
                Some(group) if group.account != account && group.awaits.is_empty() => {}
                Some(group) => {
                    if !std::mem::take(&mut group.awaits).is_empty() {
                        account.clone_into(&mut group.account);
                        self.rate_limits.retain(|(of, _, group), _| of == account || group.as_ref() != Some(&id));
                        self.listings.retain(|key, _| key.group != id || providers.contains(&key.provider));
                        for provider in providers {
                            self.listings.entry(ListingKey { group: id.clone(), provider: *provider }).or_default();
                        }
                    }
                    group.missing = 0;
                    group.org_id = org_id;
                    group.told = Some(told);
                    if group.listed != Listed::WithName {
                        group.name = name;
                    }
                }
                None => {
                    let told = Some(told);
                    let group = GroupState { account: account.to_owned(), name, org_id, told, ..GroupState::default() };
                    self.groups.insert(id.clone(), group);
                    let listings =
                        providers.iter().map(|provider| ListingKey { group: id.clone(), provider: *provider });
                    self.listings.extend(listings.map(|key| (key, super::ListingState::default())));
                    events.push(DiscoveryEvent::Appeared(id));
                }
            }
        }
        events
    }

    fn drop_group(&mut self, id: &GroupId) {
        self.groups.remove(id);
        self.listings.retain(|key, _| key.group != *id);
        self.rate_limits.retain(|(_, _, group), _| group.as_ref() != Some(id));
    }
}

impl DiscoveryState {
    fn succeed(&mut self) -> Vec<DiscoveryEvent> {
        let failed = std::mem::take(&mut self.failed_in_a_row);
        self.told.clear();
        self.failure.take().map(|_| DiscoveryEvent::Recovered { failed }).into_iter().collect()
    }

    fn fail(&mut self, failure: Failure) -> Vec<DiscoveryEvent> {
        *self.failures.entry(failure.reason).or_default() += 1;
        self.failed_in_a_row += 1;
        self.failure = Some(failure.clone());
        self.told.insert(failure.reason).then_some(DiscoveryEvent::Failing(failure)).into_iter().collect()
    }
}

#[cfg(test)]
mod tests;
