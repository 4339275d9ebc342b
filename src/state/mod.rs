//! What we know now: plain data, changed by polls and API exchanges, read by the metrics.

mod account;
mod api;
mod carry_over;
mod discovery;
mod group;
mod health;
mod listing;
mod poll;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant, SystemTime},
};

pub use self::{
    account::{AccountState, CredentialChange, DiscoveryState, TokenState},
    api::{ApiState, Histogram},
    carry_over::Candidate,
    discovery::DiscoveryEvent,
    group::GroupState,
    health::{not_ready_reason, stall_reason},
    listing::ListingState,
    poll::{Cause, Failure, ListingEvent, PollResult},
};
use atlas::{Container, Endpoint, GroupId, Provider, RateLimit, RequestRecord, VersionEnds};

/// The unit that is polled: one group and one provider.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListingKey {
    /// The Atlas project.
    pub group: GroupId,
    /// The cloud.
    pub provider: Provider,
}

/// What is due for so many intervals was forgotten: every three a listing is polled or told to wait, every one its
/// account looks after it.
pub const OVERDUE: u32 = 5;

/// Everything that is known.
#[derive(Debug)]
pub struct State {
    /// How often each listing is polled.
    pub interval: Duration,
    /// A listing older than this is served no more.
    pub max_staleness: Duration,
    /// When the config was last read without faults.
    pub config_read: SystemTime,
    /// Whether it had none when it was last read.
    pub config_is_good: bool,
    /// Which of several exporters this is, from 0.
    pub shard_index: u32,
    /// How many there are.
    pub shard_count: u32,
    /// Every account of the config.
    pub accounts: BTreeMap<String, AccountState>,
    /// Every group that is watched.
    pub groups: BTreeMap<GroupId, GroupState>,
    /// Every listing, polled or not.
    pub listings: BTreeMap<ListingKey, ListingState>,
    /// Exchanges with Atlas by account and endpoint.
    pub api: BTreeMap<(String, Endpoint), ApiState>,
    /// The last word on each rate limit, by account, endpoint and, where the bucket is a group's, group.
    pub rate_limits: BTreeMap<(String, Endpoint, Option<GroupId>), RateLimit>,
    /// When the version of the API ends, by account and endpoint; only where Atlas announces it.
    pub version_ends: BTreeMap<(String, Endpoint), VersionEnds>,
    /// Whether everything was asked for once; stays so, whatever appears later.
    ready: bool,
}

impl State {
    /// Knows the accounts, groups and listings, and nothing of them yet.
    #[must_use]
    pub fn new(
        interval: Duration,
        max_staleness: Duration,
        config_read: SystemTime,
        accounts: BTreeMap<String, AccountState>,
        groups: BTreeMap<GroupId, GroupState>,
        listings: impl IntoIterator<Item = ListingKey>,
    ) -> Self {
        let listings = listings.into_iter().map(|key| (key, ListingState::default())).collect();
        Self {
            interval,
            max_staleness,
            config_read,
            config_is_good: true,
            shard_index: 0,
            shard_count: 1,
            accounts,
            groups,
            listings,
            api: BTreeMap::new(),
            rate_limits: BTreeMap::new(),
            version_ends: BTreeMap::new(),
            ready: false,
        }
    }

    /// Whether the groups of every account are known, or cannot be had, and every listing was polled once, whatever came
    /// of it.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// Whether the last discovery of every account and the last poll of every listing succeeded, and every account has
    /// something to poll.
    #[must_use]
    pub fn all_succeeded(&self) -> bool {
        let is_in_use = |account: &String| self.groups.values().any(|group| group.account == *account);
        // One of several exporters may well have nothing to do for an account.
        if self.shard_count == 1 && !self.accounts.keys().all(is_in_use) {
            return false;
        }
        let mut discoveries = self.accounts.values().filter_map(|account| account.discovery.as_ref());
        discoveries.all(DiscoveryState::succeeded) && self.listings.values().all(ListingState::succeeded)
    }

    /// The accounts whose groups are not known yet, unless Atlas failed to tell several times, and the listings that were
    /// not polled yet.
    #[must_use]
    pub fn pending(&self) -> (usize, usize) {
        let discoveries = self.accounts.values().filter_map(|account| account.discovery.as_ref());
        let undiscovered = discoveries.filter(|discovery| discovery.is_pending()).count();
        (undiscovered, self.listings.values().filter(|key| key.polls == 0).count())
    }

    /// Notes that a listing is due from now on, unless it is known when it is.
    pub fn begin(&mut self, key: &ListingKey, now: Instant) {
        if let Some(key) = self.listings.get_mut(key) {
            key.due.get_or_insert(now);
        }
    }

    /// How many accounts were not looked after and how many listings not polled for long. What waits for a place or for
    /// the end of a pause is told every three intervals, so that nothing is forgotten by a scheduler that lives.
    #[must_use]
    pub fn overdue(&self, now: Instant) -> (usize, usize) {
        let is_overdue = |due: Option<Instant>| due.is_some_and(|due| due + self.interval * OVERDUE < now);
        let discovers = |account: &AccountState| account.discovery.as_ref().and_then(|discovery| discovery.due);
        let forgotten = |account: &&AccountState| is_overdue(account.looked_after) || is_overdue(discovers(account));
        let accounts = self.accounts.values().filter(forgotten).count();
        (accounts, self.listings.values().filter(|key| is_overdue(key.due)).count())
    }

    /// When the next listing will become too old to be shown.
    #[must_use]
    pub fn next_expiry(&self, now: Instant) -> Option<Instant> {
        let ends = self.listings.values().filter_map(|key| Some(key.since()? + self.max_staleness));
        ends.filter(|end| *end >= now).min()
    }

    /// The listings of an account.
    pub fn targets_of(&self, account: &str) -> impl Iterator<Item = &ListingKey> {
        self.listings.keys().filter(move |key| self.account_of(&key.group) == Some(account))
    }

    /// The account that polls a group.
    #[must_use]
    pub fn account_of(&self, group: &GroupId) -> Option<&str> {
        Some(self.groups.get(group)?.account.as_str())
    }

    /// Takes in an exchange with Atlas. Tells when the version that was asked for ends, if that is news.
    pub fn record_exchange(&mut self, account: &str, exchange: RequestRecord) -> Option<VersionEnds> {
        let key = (account.to_owned(), exchange.endpoint);
        let api = self.api.entry(key.clone()).or_default();
        *api.requests.entry(exchange.outcome).or_default() += 1;
        api.durations.observe(exchange.duration);
        let is_watched = exchange.group.as_ref().is_none_or(|group| self.groups.contains_key(group));
        if let Some(rate_limit) = exchange.rate_limit.filter(|_| is_watched) {
            self.rate_limits.insert((account.to_owned(), bucket(exchange.endpoint), exchange.group), rate_limit);
        }
        let ends = exchange.version_ends?;
        let before = if ends == VersionEnds::default() {
            self.version_ends.remove(&key)
        } else {
            self.version_ends.insert(key, ends)
        };
        (before.unwrap_or_default() != ends).then_some(ends)
    }

    /// Takes in Atlas's side of a group's peerings. A group that is watched no more stays unknown.
    pub fn record_containers(&mut self, group: &GroupId, containers: Vec<Container>) {
        if let Some(group) = self.groups.get_mut(group) {
            group.containers = containers.into_iter().map(|container| (container.id.clone(), container)).collect();
        }
    }

    /// Takes in a poll and tells what it changed. A listing that is watched no more stays unknown.
    pub fn record(&mut self, key: &ListingKey, poll: PollResult) -> Vec<ListingEvent> {
        let Some(state) = self.listings.get_mut(key) else { return Vec::new() };
        state.polls += 1;
        state.duration = poll.duration;
        state.due = Some(poll.due);
        let events = match poll.outcome {
            Ok(listing) => state.succeed(listing, poll.ended, poll.ended_at),
            Err(failure) => state.fail(failure, poll.ended, poll.ended_at, self.max_staleness),
        };
        self.update_ready();
        events
    }

    fn update_ready(&mut self) {
        self.ready = self.ready || self.pending() == (0, 0);
    }
}

/// Containers take their tokens from the bucket of peers.
fn bucket(endpoint: Endpoint) -> Endpoint {
    if endpoint == Endpoint::Containers { Endpoint::Peers } else { endpoint }
}

#[cfg(test)]
mod tests;
