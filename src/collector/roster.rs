//! The accounts that are watched now, and how another config changes them.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc, time::SystemTime};

use anyhow::Context;
use futures_util::future::join_all;
use tokio::{
    sync::watch,
    task::{AbortHandle, JoinError, JoinSet},
};

use crate::{
    collector::events,
    collector::{self, AccountSettings, DiscoverySettings, PollSchedule, RateLimitBackoffs},
    config::{self, Config, Discover, PollConfig},
    shard::Shard,
    state::{AccountState, Candidate, DiscoveryState, GroupState, ListingKey, State, TokenState},
};
use atlas::{Client, CredentialKind, GroupId};

/// The accounts that are watched, each in a task of its own.
pub struct Collector {
    state: watch::Sender<State>,
    shard: Shard,
    running: BTreeMap<String, Running>,
    tasks: JoinSet<Result<Infallible, JoinError>>,
    /// Clients that revoke their tokens; nothing waits for Atlas but the end.
    closing: JoinSet<()>,
}

/// An account and what it was made of.
struct Running {
    account: config::AccountConfig,
    poll: PollConfig,
    client: Arc<Client>,
    task: AbortHandle,
}

impl Collector {
    /// Nobody is watched yet.
    #[must_use]
    pub fn new(state: watch::Sender<State>, shard: Shard) -> Self {
        Self { state, shard, running: BTreeMap::new(), tasks: JoinSet::new(), closing: JoinSet::new() }
    }

    /// Watches what the config says from now on. An account of which nothing changed goes on as it is; listings that stay
    /// keep their data and their due times; what leaves loses its series.
    ///
    /// # Errors
    /// No HTTP client can be made; then nothing changes.
    pub fn follow(&mut self, config: &Config) -> anyhow::Result<()> {
        let mut new = Vec::new();
        for account in &config.accounts {
            if !self.runs_already(account, &config.poll) {
                new.push((account, watched(account, &config.poll, self.shard, &self.state)?));
            }
        }
        self.state.send_modify(|state| {
            let before = std::mem::replace(state, initial_state(config, self.shard));
            state.inherit(before, |group, account, told| heirs(config, self.shard, group, account, told));
        });
        let stays = |running: &Running| config.accounts.contains(&running.account) && running.poll == config.poll;
        let (stay, gone) = std::mem::take(&mut self.running).into_iter().partition(|(_, running)| stays(running));
        self.running = stay;
        let gone: BTreeMap<String, Running> = gone;
        while self.closing.try_join_next().is_some() {}
        for Running { task, client, .. } in gone.into_values() {
            task.abort();
            self.closing.spawn(async move { client.close().await });
        }
        for (account, watched) in new {
            let client = watched.client.clone();
            let task = self.tasks.spawn(collector::watch(watched, pace(&config.poll), self.state.clone()));
            let running = Running { account: account.clone(), poll: config.poll.clone(), client, task };
            self.running.insert(account.name.clone(), running);
        }
        Ok(())
    }

    /// Waits, for ever if all is well.
    ///
    /// # Errors
    /// A poll panicked: its listing would be frozen from now on, so the exporter must not go on as if nothing were.
    pub async fn watch(&mut self) -> anyhow::Error {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(Err(error)) | Err(error)) if error.is_panic() => {
                    return anyhow::Error::new(error).context("a poll panicked");
                }
                Some(_) => {}
                // Nobody is watched; the next config may change that.
                None => std::future::pending().await,
            }
        }
    }

    /// Ends what Atlas would otherwise keep alive.
    pub async fn close(&mut self) {
        let running = join_all(self.running.values().map(|running| running.client.close()));
        let gone = async { while self.closing.join_next().await.is_some() {} };
        tokio::join!(running, gone);
    }

    fn runs_already(&self, account: &config::AccountConfig, poll: &PollConfig) -> bool {
        self.running.get(&account.name).is_some_and(|running| running.account == *account && running.poll == *poll)
    }
}

/// Polls every listing once.
///
/// # Errors
/// What keeps the exporter from its work; a poll that fails does not.
pub async fn once(config: &Config, shard: Shard) -> anyhow::Result<State> {
    let state = watch::Sender::new(initial_state(config, shard));
    let accounts: anyhow::Result<Vec<AccountSettings>> =
        config.accounts.iter().map(|account| watched(account, &config.poll, shard, &state)).collect();
    let accounts = accounts?;
    let clients: Vec<_> = accounts.iter().map(|account| account.client.clone()).collect();
    collector::poll_once(accounts, pace(&config.poll), state.clone()).await.context("a poll panicked")?;
    join_all(clients.iter().map(|client| client.close())).await;
    Ok(state.send_replace(initial_state(config, shard)))
}

/// What is known at the start.
#[must_use]
pub fn initial_state(config: &Config, shard: Shard) -> State {
    let accounts = config.accounts.iter().map(|account| (account.name.clone(), account_state(account)));
    let groups = config.accounts.iter().flat_map(|account| {
        let owned = account.groups.iter().filter(move |group| shard.owns(group.id.as_str()));
        owned.map(move |group| (group.id.clone(), GroupState::listed(&account.name, &group.name)))
    });
    let listings = config.accounts.iter().flat_map(|account| listings(account, shard));
    let PollConfig { interval, max_staleness, .. } = config.poll;
    let mut state =
        State::new(interval, max_staleness, SystemTime::now(), accounts.collect(), groups.collect(), listings);
    (state.shard_index, state.shard_count) = (shard.index, shard.count);
    state
}

fn account_state(account: &config::AccountConfig) -> AccountState {
    AccountState {
        api_version: account.api_version.as_str(),
        console: console(account),
        expires: account.credential_expires,
        refused: false,
        unreadable: false,
        token: (account.credential.kind == CredentialKind::ServiceAccount).then(TokenState::default),
        looked_after: None,
        discovery: account.discover.as_ref().map(|discover| DiscoveryState::new(discover.interval)),
    }
}

/// Atlas has its pages where its API is. Gateways and simulators have none.
fn console(account: &config::AccountConfig) -> Option<String> {
    let url = &account.base_url;
    let is_of = |domain| url.host_str().is_some_and(|host| host.ends_with(domain));
    let is_atlas = is_of(".mongodb.com") || is_of(".mongodbgov.com");
    is_atlas.then(|| url.origin().ascii_serialization())
}

fn listings(account: &config::AccountConfig, shard: Shard) -> impl Iterator<Item = ListingKey> {
    let owned = account.groups.iter().filter(move |group| shard.owns(group.id.as_str()));
    owned.flat_map(|group| {
        group.providers.iter().map(|provider| ListingKey { group: group.id.clone(), provider: *provider })
    })
}

/// Who may discover a group that is not listed: the account that had it, then the others. Where no discovery told of it,
/// nobody knows which of them selects it; so it stays until all of them told.
fn heirs(config: &Config, shard: Shard, group: &GroupId, account: &str, told: Option<&atlas::Group>) -> Vec<Candidate> {
    if !shard.owns(group.as_str()) {
        return Vec::new();
    }
    let selects = |discover: &Discover| {
        told.is_none_or(|told| {
            discover.selects(told) && discover.organization.as_ref().is_none_or(|org| org.as_str() == told.org_id)
        })
    };
    let mut accounts: Vec<&config::AccountConfig> = config.accounts.iter().collect();
    accounts.sort_by_key(|other| other.name != account);
    let discovering = accounts.into_iter().filter_map(|account| Some((&account.name, account.discover.as_ref()?)));
    let heirs = discovering.filter(|(_, discover)| selects(discover));
    heirs.map(|(name, discover)| (name.clone(), discover.providers.clone())).collect()
}

fn watched(
    account: &config::AccountConfig,
    poll: &PollConfig,
    shard: Shard,
    state: &watch::Sender<State>,
) -> anyhow::Result<AccountSettings> {
    let pauses = Arc::new(RateLimitBackoffs::new(poll.interval));
    let client = Client::new(account.settings(poll), events::keep(account.name.clone(), state.clone(), pauses.clone()));
    let client = client.context("make the HTTP client; are CA certificates installed?")?;
    let discovery = account.discover.clone().map(|discover| DiscoverySettings {
        organization: discover.organization.clone(),
        interval: discover.interval,
        providers: discover.providers.clone(),
        selects: Box::new(move |group| shard.owns(group.id.as_str()) && discover.selects(group)),
    });
    Ok(AccountSettings {
        name: account.name.clone(),
        client: Arc::new(client),
        pauses,
        discovery,
        asks_for_containers: poll.containers,
    })
}

fn pace(poll: &PollConfig) -> PollSchedule {
    PollSchedule { interval: poll.interval, deadline: poll.deadline, concurrency: poll.concurrency }
}
