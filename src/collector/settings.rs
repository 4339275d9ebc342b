//! What the collector needs from the config: the settings of accounts, the initial state, and who may discover a group.

use std::{sync::Arc, time::Duration, time::SystemTime};

use anyhow::Context;

use super::{events, rate_limit::RateLimitBackoffs};
use crate::{
    config::{AccountConfig, Config, Discover, PollConfig},
    shard::Shard,
    state::{AccountState, Candidate, DiscoveryState, GroupState, ListingKey, SharedState, State, TokenState},
};
use atlas::{Client, CredentialKind, GroupId, OrgId, Provider};

/// When to poll.
#[derive(Clone, Copy, Debug)]
pub struct PollSchedule {
    /// From the start of a poll of a listing to the start of the next.
    pub interval: Duration,
    /// The longest that one poll may take.
    pub deadline: Duration,
    /// The most polls of one account at the same time.
    pub concurrency: usize,
}

/// What the tasks of an account need. Its listings are in the state.
pub struct AccountSettings {
    /// The name in the config.
    pub name: String,
    /// A client with the account's credential.
    pub client: Arc<Client>,
    /// Must observe every request of the client.
    pub backoffs: Arc<RateLimitBackoffs>,
    /// How to discover groups, if the account does.
    pub discovery: Option<DiscoverySettings>,
    /// Whether to request containers, for Atlas's side of the peerings.
    pub reads_containers: bool,
}

/// How to discover the groups of an account.
pub struct DiscoverySettings {
    /// Restricts the discovery to an organization.
    pub organization: Option<OrgId>,
    /// From the start of a discovery to the start of the next, give or take some jitter.
    pub interval: Duration,
    /// The providers that are polled in discovered groups.
    pub providers: Vec<Provider>,
    /// Selects the groups to poll.
    pub selects: Box<dyn Fn(&atlas::Group) -> bool + Send + Sync>,
}

impl From<&PollConfig> for PollSchedule {
    fn from(poll: &PollConfig) -> Self {
        Self { interval: poll.interval, deadline: poll.deadline, concurrency: poll.concurrency }
    }
}

impl AccountSettings {
    /// The settings of a configured account. Events of its client go to the state and the log.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub(super) fn new(
        account: &AccountConfig,
        poll: &PollConfig,
        shard: Shard,
        state: &SharedState,
    ) -> anyhow::Result<Self> {
        let backoffs = Arc::new(RateLimitBackoffs::new(poll.interval));
        let handler = events::handler(account.name.clone(), state.clone(), backoffs.clone());
        let client = Client::new(account.settings(poll), handler);
        let client = client.context("make the HTTP client; are CA certificates installed?")?;
        let discovery = account.discover.clone().map(|discover| DiscoverySettings {
            organization: discover.organization.clone(),
            interval: discover.interval,
            providers: discover.providers.clone(),
            selects: Box::new(move |group| shard.owns(group.id.as_str()) && discover.selects(group)),
        });
        Ok(Self {
            name: account.name.clone(),
            client: Arc::new(client),
            backoffs,
            discovery,
            reads_containers: poll.containers,
        })
    }
}

/// The state before the first poll: the configured accounts, and the groups of this shard that the config lists.
#[must_use]
pub fn initial_state(config: &Config, shard: Shard) -> State {
    let accounts = config.accounts.iter().map(|account| (account.name.clone(), account_state(account)));
    let groups = config.accounts.iter().flat_map(|account| account.groups.iter().map(move |group| (account, group)));
    let groups = groups.filter(|(_, group)| shard.owns(group.id.as_str()));
    let listings = groups.clone().flat_map(|(_, group)| {
        group.providers.iter().map(|provider| ListingKey { group: group.id.clone(), provider: *provider })
    });
    let groups =
        groups.clone().map(|(account, group)| (group.id.clone(), GroupState::configured(&account.name, &group.name)));
    let PollConfig { interval, max_staleness, .. } = config.poll;
    let mut state =
        State::new(interval, max_staleness, SystemTime::now(), accounts.collect(), groups.collect(), listings);
    (state.shard_index, state.shard_count) = (shard.index, shard.count);
    state
}

fn account_state(account: &AccountConfig) -> AccountState {
    AccountState {
        api_version: account.api_version.as_str(),
        console: console(account),
        expires: account.credential_expires,
        token: (account.credential.kind == CredentialKind::ServiceAccount).then(TokenState::default),
        discovery: account.discover.as_ref().map(|discover| DiscoveryState::new(discover.interval)),
        ..AccountState::default()
    }
}

/// The base URL of Atlas's UI, which is that of its API. Gateways and simulators have no UI.
fn console(account: &AccountConfig) -> Option<String> {
    let url = &account.base_url;
    let is_below = |domain| url.host_str().is_some_and(|host| host.ends_with(domain));
    (is_below(".mongodb.com") || is_below(".mongodbgov.com")).then(|| url.origin().ascii_serialization())
}

/// The accounts that may discover a group that the config does not list: its previous account first. If the group was
/// not discovered before, its name and tags are unknown, so every account that discovers is a candidate.
pub(super) fn discovery_candidates(config: &Config, shard: Shard, id: &GroupId, group: &GroupState) -> Vec<Candidate> {
    if !shard.owns(id.as_str()) {
        return Vec::new();
    }
    let selects = |discover: &Discover| {
        group.discovered.as_ref().is_none_or(|found| {
            discover.selects(found) && discover.organization.as_ref().is_none_or(|org| org.as_str() == found.org_id)
        })
    };
    let mut accounts: Vec<&AccountConfig> = config.accounts.iter().collect();
    accounts.sort_by_key(|account| account.name != group.account);
    let discovering = accounts.into_iter().filter_map(|account| Some((&account.name, account.discover.as_ref()?)));
    let candidate = |(account, discover): (&String, &Discover)| Candidate {
        account: account.clone(),
        providers: discover.providers.clone(),
    };
    discovering.filter(|(_, discover)| selects(discover)).map(candidate).collect()
}
