//! Collects the peerings of every account.
//!
//! ```text
//! Collector           mod.rs         the accounts in the config, and how a reload changes them
//!   AccountTask       account.rs     one account: starts polls, and records how they end
//!     Scheduler       scheduler.rs   decides which poll starts when
//!       Lanes         lanes.rs       where polls wait for a permit
//!       Breaker       breaker.rs     what to expect of a provider and of a group
//!     run             discovery.rs   finds the groups of the account
//! ```
//! Each attempt to read a listing is a task of its own. The task of the account records results in the state, and
//! `events` logs the changes.

mod account;
mod breaker;
mod containers;
mod context;
mod discovery;
mod events;
mod initial_state;
mod lanes;
mod log_limiter;
mod poll;
mod rate_limit;
mod scheduler;

use std::{collections::HashMap, convert::Infallible, mem, sync::Arc};

use anyhow::Context;
use futures_util::future::join_all;
use tokio::task::{AbortHandle, JoinError, JoinSet};

pub use self::initial_state::initial_state;
use self::{account::AccountTask, context::AccountContext, initial_state::discovery_candidates};
use crate::{config::Config, shard::Shard, state::SharedState};
use atlas::GroupId;

/// Collects the peerings of the accounts in a config, each in a task of its own.
pub struct Collector {
    state: SharedState,
    shard: Shard,
    running: HashMap<String, RunningAccount>,
    tasks: JoinSet<Result<Infallible, JoinError>>,
    /// Clients of previous accounts, which revoke their access tokens.
    closing: JoinSet<()>,
}

struct RunningAccount {
    context: Arc<AccountContext>,
    task: AbortHandle,
}

impl Collector {
    /// A collector without accounts.
    #[must_use]
    pub fn new(state: SharedState, shard: Shard) -> Self {
        Self { state, shard, running: HashMap::new(), tasks: JoinSet::new(), closing: JoinSet::new() }
    }

    /// Applies a config. Unchanged accounts keep running. Listings that stay keep their data and their due times; the
    /// others lose their series.
    ///
    /// # Errors
    /// An HTTP client cannot be built. The previous config then stays in use.
    pub fn apply_config(&mut self, config: &Config) -> anyhow::Result<()> {
        let mut new: Vec<Arc<AccountContext>> = Vec::new();
        for account in &config.accounts {
            let running = self.running.get(&account.name);
            if !running.is_some_and(|running| running.context.is_unchanged(account, &config.poll)) {
                new.push(Arc::new(AccountContext::new(account, &config.poll, self.shard, &self.state)?));
            }
        }
        self.state.update(|state| {
            let before = mem::replace(state, initial_state(config, self.shard));
            let unlisted = before.groups.iter().filter(|(id, _)| !state.groups.contains_key(id));
            let candidates = |(id, group)| (GroupId::clone(id), discovery_candidates(config, self.shard, id, group));
            let candidates = unlisted.map(candidates).collect();
            state.carry_over(before, &candidates);
            for context in &new {
                context.take_over(state);
            }
        });
        while self.closing.try_join_next().is_some() {}
        let is_unchanged = |running: &RunningAccount| {
            config.accounts.iter().any(|account| running.context.is_unchanged(account, &config.poll))
        };
        for (_, RunningAccount { context, task }) in self.running.extract_if(|_, running| !is_unchanged(running)) {
            task.abort();
            self.closing.spawn(async move { context.client.close().await });
        }
        for context in new {
            let task = self.tasks.spawn(AccountTask::new(context.clone()).run());
            self.running.insert(context.account.name.clone(), RunningAccount { context, task });
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
        let running = join_all(self.running.values().map(|running| running.context.client.close()));
        let closing = async { while self.closing.join_next().await.is_some() {} };
        tokio::join!(running, closing);
    }
}

/// Discovers and polls everything once. A failed poll is part of the state, not an error.
///
/// # Errors
/// An HTTP client cannot be built, or a poll panicked.
pub async fn once(config: &Config, shard: Shard) -> anyhow::Result<SharedState> {
    let state = SharedState::new(initial_state(config, shard));
    let context = |account| AccountContext::new(account, &config.poll, shard, &state).map(Arc::new);
    let contexts = config.accounts.iter().map(context).collect::<anyhow::Result<Vec<_>>>()?;
    state.update(|state| {
        for context in &contexts {
            context.take_over(state);
        }
    });
    let mut tasks: JoinSet<_> = contexts.iter().map(|context| AccountTask::new(context.clone()).poll_once()).collect();
    while let Some(end) = tasks.join_next().await {
        end.and_then(|end| end).context("a poll panicked")?;
    }
    join_all(contexts.iter().map(|context| context.client.close())).await;
    Ok(state)
}
