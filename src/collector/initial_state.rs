//! The state that follows from a config: before the first poll, and which accounts may discover the groups that a reload
//! no longer lists.

use std::time::SystemTime;

use crate::{
    config::{AccountConfig, Config, PollConfig},
    shard::Shard,
    state::{AccountState, Candidate, DiscoveryState, GroupState, ListingKey, State, TokenState},
};
use atlas::{CredentialKind, GroupId};

/// The state before the first poll: the configured accounts, and the groups of this shard that the config lists.
#[must_use]
pub fn initial_state(config: &Config, shard: Shard) -> State {
    let accounts = config.accounts.iter().map(|account| (account.name.clone(), account_state(account, shard)));
    let groups = config.accounts.iter().flat_map(|account| account.groups.iter().map(move |group| (account, group)));
    let groups = groups.filter(|(_, group)| shard.owns(group.id.as_str()));
    let listings = groups.clone().flat_map(|(_, group)| {
        group.providers.iter().map(|provider| ListingKey { group: group.id.clone(), provider: *provider })
    });
    let groups =
        groups.clone().map(|(account, group)| (group.id.clone(), GroupState::configured(&account.name, &group.name)));
    let PollConfig { interval, max_staleness, concurrency, .. } = config.poll;
    let mut state =
        State::new(interval, max_staleness, SystemTime::now(), accounts.collect(), groups.collect(), listings);
    state.shard = shard;
    state.concurrency = concurrency;
    state
}

fn account_state(account: &AccountConfig, shard: Shard) -> AccountState {
    AccountState {
        api_version: account.api_version.as_str(),
        console: console(account),
        expires: account.credential_expires,
        token: (account.credential.kind == CredentialKind::ServiceAccount).then(TokenState::default),
        lists_elsewhere: account.groups.iter().any(|group| !shard.owns(group.id.as_str())),
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
    let mut accounts: Vec<&AccountConfig> = config.accounts.iter().collect();
    accounts.sort_by_key(|account| account.name != group.account);
    let candidate = |account: &AccountConfig| {
        let discover = account.discover.as_ref()?;
        let is_selected = group.discovered.as_ref().is_none_or(|found| {
            discover.selects(found) && discover.organization.as_ref().is_none_or(|org| org.as_str() == found.org_id)
        });
        is_selected.then(|| Candidate { account: account.name.clone(), providers: discover.providers.clone() })
    };
    accounts.into_iter().filter_map(candidate).collect()
}
