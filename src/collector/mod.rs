//! Collects the peerings of every account.
//!
//! ```text
//! Collector           mod.rs         the accounts in the config, and how a reload changes them
//!   AccountTask       account.rs     one account: starts and stops the pollers of its listings
//!     Discoverer      discovery.rs   finds the groups of the account
//!     Poller          poller.rs      polls one listing each interval
//! ```
//! Each listing has a task of its own, which waits only for a concurrency permit of its account. What the tasks learn
//! goes to the state, and what changes to the log (`events`).

mod account;
mod containers;
mod context;
mod discovery;
mod events;
mod log_limiter;
mod outage;
mod poller;
mod rate_limit;
mod settings;
mod slots;

use std::{collections::BTreeMap, convert::Infallible, mem, sync::Arc};

use anyhow::Context;
use futures_util::future::join_all;
use tokio::task::{AbortHandle, JoinError, JoinSet};

use self::settings::discovery_candidates;
pub use self::{
    account::AccountTask,
    rate_limit::RateLimitBackoffs,
    settings::{AccountSettings, DiscoverySettings, PollSchedule, initial_state},
};
use crate::{
    config::{AccountConfig, Config, PollConfig},
    shard::Shard,
    state::{SharedState, State},
};
use atlas::{Client, GroupId};

/// Collects the peerings of the accounts in a config, each in a task of its own.
pub struct Collector {
    state: SharedState,
    shard: Shard,
    running: BTreeMap<String, RunningAccount>,
    tasks: JoinSet<Result<Infallible, JoinError>>,
    /// Clients of previous accounts, which revoke their access tokens.
    closing: JoinSet<()>,
}

/// A running account and the config it was started with.
struct RunningAccount {
    account: AccountConfig,
    poll: PollConfig,
    client: Arc<Client>,
    task: AbortHandle,
}

impl Collector {
    /// A collector without accounts.
    #[must_use]
    pub fn new(state: SharedState, shard: Shard) -> Self {
        Self { state, shard, running: BTreeMap::new(), tasks: JoinSet::new(), closing: JoinSet::new() }
    }

    /// Applies a config. Unchanged accounts keep running. Listings that stay keep their data and their due times; the
    /// others lose their series.
    ///
    /// # Errors
    /// An HTTP client cannot be built. The previous config then stays in use.
    pub fn apply_config(&mut self, config: &Config) -> anyhow::Result<()> {
        let mut new = Vec::new();
        for account in &config.accounts {
            if !self.running.get(&account.name).is_some_and(|running| running.is_unchanged(account, &config.poll)) {
                new.push((account, AccountSettings::new(account, &config.poll, self.shard, &self.state)?));
            }
        }
        self.state.update(|state| {
            let before = mem::replace(state, initial_state(config, self.shard));
            let unlisted = before.groups.iter().filter(|(id, _)| !state.groups.contains_key(id));
            let candidates = |(id, group)| (GroupId::clone(id), discovery_candidates(config, self.shard, id, group));
            let candidates = unlisted.map(candidates).collect();
            state.carry_over(before, &candidates);
        });
        while self.closing.try_join_next().is_some() {}
        self.running.retain(|_, running| {
            let stays = config.accounts.iter().any(|account| running.is_unchanged(account, &config.poll));
            if !stays {
                running.task.abort();
                let client = running.client.clone();
                self.closing.spawn(async move { client.close().await });
            }
            stays
        });
        for (account, settings) in new {
            let client = settings.client.clone();
            let task = AccountTask::new(settings, PollSchedule::from(&config.poll), self.state.clone());
            let task = self.tasks.spawn(task.run());
            let running = RunningAccount { account: account.clone(), poll: config.poll.clone(), client, task };
            self.running.insert(account.name.clone(), running);
        }
        Ok(())
    }

    /// Waits until a poll panics, and returns that error. Its listing is not polled from then on, so the exporter must
    /// not continue.
    pub async fn wait_for_panic(&mut self) -> anyhow::Error {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(Err(error)) | Err(error)) if error.is_panic() => {
                    return anyhow::Error::new(error).context("a poll panicked");
                }
                Some(_) => {}
                // No account is running until the next reload.
                None => std::future::pending().await,
            }
        }
    }

    /// Revokes the access tokens of all accounts.
    pub async fn close(&mut self) {
        let running = join_all(self.running.values().map(|running| running.client.close()));
        let closing = async { while self.closing.join_next().await.is_some() {} };
        tokio::join!(running, closing);
    }
}

impl RunningAccount {
    fn is_unchanged(&self, account: &AccountConfig, poll: &PollConfig) -> bool {
        self.account == *account && self.poll == *poll
    }
}

/// Discovers and polls everything once. A failed poll is part of the state, not an error.
///
/// # Errors
/// An HTTP client cannot be built, or a poll panicked.
pub async fn once(config: &Config, shard: Shard) -> anyhow::Result<State> {
    let state = SharedState::new(initial_state(config, shard));
    let settings = |account| AccountSettings::new(account, &config.poll, shard, &state);
    let accounts = config.accounts.iter().map(settings).collect::<anyhow::Result<Vec<_>>>()?;
    let clients: Vec<_> = accounts.iter().map(|account| account.client.clone()).collect();
    let schedule = PollSchedule::from(&config.poll);
    let tasks = accounts.into_iter().map(|account| AccountTask::new(account, schedule, state.clone()).poll_once());
    let mut tasks: JoinSet<_> = tasks.collect();
    while let Some(end) = tasks.join_next().await {
        end.and_then(|end| end).context("a poll panicked")?;
    }
    join_all(clients.iter().map(|client| client.close())).await;
    Ok(state.replace(initial_state(config, shard)))
}
