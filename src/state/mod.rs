//! What the exporter knows now: plain data that polls and requests change and the metrics render.

mod account;
mod api;
mod carry_over;
mod discovery;
mod group;
mod health;
mod listing;
mod poll;
mod shared;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant, SystemTime},
};

pub use self::{
    account::{AccountState, ClientIdentity, DiscoveryState, TokenState},
    api::{ApiState, Histogram},
    carry_over::Candidate,
    discovery::{DiscoveryEvent, SelectedGroups},
    group::GroupState,
    health::{not_ready_reason, stall_reason},
    listing::ListingState,
    poll::{DropCause, Failure, FailureReason, ListingEvent, PollResult, PollRun, PollStats},
    shared::SharedState,
};
use crate::shard::Shard;
use atlas::{Container, Endpoint, GroupId, Provider, RateLimit, RequestRecord, VersionEnds};

/// A listing: the peerings of one group with one provider.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListingKey {
    /// The group.
    pub group: GroupId,
    /// The provider.
    pub provider: Provider,
}

/// Intervals without a heartbeat after which a listing, an account or the exposition counts as stalled. A running
/// scheduler records a poll or a failure of every listing at least every two intervals, and a heartbeat of every
/// account each interval, whatever Atlas does.
pub const STALL_INTERVALS: u32 = 5;

/// Everything the exporter knows.
#[derive(Debug)]
pub struct State {
    /// The time between two polls of a listing.
    pub interval: Duration,
    /// How many polls of an account may run at the same time.
    pub concurrency: usize,
    /// A listing older than this is not exported.
    pub max_staleness: Duration,
    /// When the config in use was read.
    pub config_read: SystemTime,
    /// Whether the last reload succeeded.
    pub last_reload_ok: bool,
    /// The part of the groups that this exporter polls.
    pub shard: Shard,
    /// The accounts in the config, by name.
    pub accounts: BTreeMap<String, AccountState>,
    /// The groups that are polled.
    pub groups: BTreeMap<GroupId, GroupState>,
    /// Their listings.
    pub listings: BTreeMap<ListingKey, ListingState>,
    /// Requests to Atlas by account and endpoint.
    pub api: BTreeMap<(String, Endpoint), ApiState>,
    /// The latest rate limits by account, endpoint and, where the bucket belongs to one, group.
    pub rate_limits: BTreeMap<(String, Endpoint, Option<GroupId>), RateLimit>,
    /// The announced ends of the API version by account and endpoint.
    pub version_ends: BTreeMap<(String, Endpoint), VersionEnds>,
    /// Counts reloads, and groups that were removed or that moved to another account: the tasks of all accounts then have
    /// other listings.
    pub regroupings: u64,
    /// See [`State::is_ready`].
    ready: bool,
}

impl State {
    /// These accounts, groups and listings, before any poll.
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
        let mut state = Self {
            interval,
            concurrency: 0,
            max_staleness,
            config_read,
            last_reload_ok: true,
            shard: Shard::WHOLE,
            accounts,
            groups,
            listings,
            api: BTreeMap::new(),
            rate_limits: BTreeMap::new(),
            version_ends: BTreeMap::new(),
            regroupings: 0,
            ready: false,
        };
        // A shard may have nothing to wait for.
        state.update_ready();
        state
    }

    /// Whether nothing was pending at some point in time: see [`State::pending`]. Stays true from then on.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// Whether the last discovery of every account and the last poll of every listing succeeded, and no account lacks
    /// groups.
    #[must_use]
    pub fn all_succeeded(&self) -> bool {
        let mut discoveries = self.accounts.values().filter_map(|account| account.discovery.as_ref());
        !self.accounts.keys().any(|account| self.lacks_groups(account))
            && discoveries.all(DiscoveryState::succeeded)
            && self.listings.values().all(ListingState::succeeded)
    }

    /// How many accounts have no successful discovery yet and fewer than three failed ones, and how many listings have
    /// not been polled yet. A poll that only waited for a permit does not count, unless polls of its siblings fail.
    #[must_use]
    pub fn pending(&self) -> (usize, usize) {
        let discoveries = self.accounts.values().filter_map(|account| account.discovery.as_ref());
        let undiscovered = discoveries.filter(|discovery| discovery.is_pending()).count();
        (undiscovered, self.listings.values().filter(|listing| listing.is_pending()).count())
    }

    /// Makes a listing due now, unless its due time is known. Returns the due time, and whether it was never polled.
    pub fn schedule(&mut self, key: &ListingKey, now: Instant) -> (Option<Instant>, bool) {
        let listing = self.listings.get_mut(key);
        listing.map_or((None, true), |listing| (Some(*listing.due.get_or_insert(now)), listing.polls == 0))
    }

    /// How many accounts lack a heartbeat or a discovery, and how many listings lack a poll, for longer than
    /// [`STALL_INTERVALS`].
    #[must_use]
    pub fn overdue(&self, now: Instant) -> (usize, usize) {
        let is_overdue = |due: Option<Instant>| due.is_some_and(|due| due + self.interval * STALL_INTERVALS < now);
        let discovery_due = |account: &AccountState| account.discovery.as_ref().and_then(|discovery| discovery.due);
        let is_stalled =
            |account: &&AccountState| is_overdue(account.last_heartbeat) || is_overdue(discovery_due(account));
        let accounts = self.accounts.values().filter(is_stalled).count();
        (accounts, self.listings.values().filter(|listing| is_overdue(listing.due)).count())
    }

    /// When the next listing becomes stale.
    #[must_use]
    pub fn next_expiry(&self, now: Instant) -> Option<Instant> {
        let expiries = self.listings.values().filter_map(|listing| listing.expiry(self.max_staleness));
        expiries.filter(|expiry| *expiry >= now).min()
    }

    /// The listings of an account.
    pub fn listings_of(&self, account: &str) -> impl Iterator<Item = &ListingKey> {
        self.listings.keys().filter(move |key| self.account_of(&key.group) == Some(account))
    }

    /// The account that polls a group.
    #[must_use]
    pub fn account_of(&self, group: &GroupId) -> Option<&str> {
        Some(self.groups.get(group)?.account.as_str())
    }

    /// Whether this is the client that the account has now, and not one that a reload replaced or removed.
    #[must_use]
    pub fn is_client_of(&self, account: &str, client: &ClientIdentity) -> bool {
        self.accounts.get(account).is_some_and(|account| account.client == *client)
    }

    /// Records a request to Atlas, unless its account is gone. Returns the end of the API version that the response
    /// announces, if it is new.
    pub fn record_request(&mut self, account: &str, request: RequestRecord) -> Option<VersionEnds> {
        if !self.accounts.contains_key(account) {
            return None;
        }
        let key = (account.to_owned(), request.endpoint);
        let api = self.api.entry(key.clone()).or_default();
        *api.requests.entry(request.outcome).or_default() += 1;
        api.durations.observe(request.duration);
        let is_polled = request.group.as_ref().is_none_or(|group| self.groups.contains_key(group));
        if let Some(rate_limit) = request.rate_limit.filter(|_| is_polled) {
            // The endpoint names the token bucket: containers share that of peers.
            let is_containers = request.endpoint == Endpoint::Containers;
            let endpoint = if is_containers { Endpoint::Peers } else { request.endpoint };
            self.rate_limits.insert((account.to_owned(), endpoint, request.group), rate_limit);
        }
        let ends = request.version_ends?;
        let before = if ends == VersionEnds::default() {
            self.version_ends.remove(&key)
        } else {
            self.version_ends.insert(key, ends)
        };
        (before.unwrap_or_default() != ends).then_some(ends)
    }

    /// Records Atlas's side of a group's peerings, if the group is still polled.
    pub fn record_containers(&mut self, group: &GroupId, containers: Vec<Container>) {
        if let Some(group) = self.groups.get_mut(group) {
            group.containers = containers.into_iter().map(|container| (container.id.clone(), container)).collect();
        }
    }

    /// Records a poll, if its listing is still polled, and returns what changed.
    pub fn record_poll(&mut self, key: &ListingKey, poll: PollResult) -> Vec<ListingEvent> {
        let Some(listing) = self.listings.get_mut(key) else { return Vec::new() };
        if let Some(account) = self.groups.get(&key.group).and_then(|group| self.accounts.get_mut(&group.account)) {
            account.polls.record(&poll);
        }
        listing.polls += 1;
        listing.duration = poll.run.map_or(listing.duration, |run| run.duration);
        listing.due = Some(poll.due);
        let events = match poll.outcome {
            Ok(complete) => listing.succeed(complete, poll.ended, poll.ended_at),
            Err(failure) => listing.fail(failure, poll.run.is_some(), poll.ended, poll.ended_at, self.max_staleness),
        };
        self.update_ready();
        events
    }

    fn update_ready(&mut self) {
        self.ready = self.ready || self.pending() == (0, 0);
    }
}

#[cfg(test)]
mod tests;
