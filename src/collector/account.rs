//! The task of one account: a poller for each of its listings, and its discovery.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    convert::Infallible,
    sync::Arc,
    time::Instant,
};

use tokio::{
    task::{AbortHandle, JoinError, JoinSet},
    time::{MissedTickBehavior, interval},
};

use super::{containers::ContainerSchedule, context::AccountContext, discovery, events, poller::Poller};
use crate::state::ListingKey;
use atlas::GroupId;

/// Polls the listings that the state has for one account.
pub(super) struct AccountTask {
    context: Arc<AccountContext>,
    containers: BTreeMap<GroupId, Arc<ContainerSchedule>>,
    pollers: HashMap<ListingKey, AbortHandle>,
    tasks: JoinSet<()>,
}

impl AccountTask {
    pub(super) fn new(context: Arc<AccountContext>) -> Self {
        Self { context, containers: BTreeMap::new(), pollers: HashMap::new(), tasks: JoinSet::new() }
    }

    /// Polls every listing of the account each interval, and discovers groups each discovery interval.
    ///
    /// # Errors
    /// A poll or a discovery panicked.
    pub(super) async fn run(mut self) -> Result<Infallible, JoinError> {
        let context = self.context.clone();
        if let Some(discover) = context.account.discover.clone() {
            self.tasks.spawn(discovery::run(context.clone(), discover));
        }
        self.sync_pollers();
        let mut heartbeat = interval(context.poll.interval);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = heartbeat.tick() => self.heartbeat(),
                () = context.discovered.notified() => self.sync_pollers(),
                Some(Err(error)) = self.tasks.join_next() => if error.is_panic() {
                    return Err(error);
                },
            }
        }
    }

    /// Discovers once, then polls every listing once.
    ///
    /// # Errors
    /// A poll panicked.
    pub(super) async fn poll_once(mut self) -> Result<(), JoinError> {
        if let Some(discover) = &self.context.account.discover {
            discovery::discover_once(&self.context, discover).await;
        }
        for key in self.sync_listings() {
            let poller = self.poller(key);
            self.tasks.spawn(poller.poll_once());
        }
        while let Some(end) = self.tasks.join_next().await {
            end?;
        }
        events::log_suppressed(&self.context.account.name, &self.context.log_limiter);
        Ok(())
    }

    fn heartbeat(&mut self) {
        let AccountContext { account, state, log_limiter, rediscover, .. } = &*self.context;
        state.update_quietly(|state| {
            if let Some(account) = state.accounts.get_mut(&account.name) {
                account.last_heartbeat = Some(Instant::now());
            }
        });
        events::log_suppressed(&account.name, log_limiter);
        if !state.read().is_settled(&account.name) {
            rediscover.notify_one();
        }
        // A reload or the discovery of another account may have moved groups.
        self.sync_pollers();
    }

    /// Starts pollers for new listings and stops those of removed listings.
    fn sync_pollers(&mut self) {
        let listings = self.sync_listings();
        for (_, removed) in self.pollers.extract_if(|key, _| !listings.contains(key)) {
            removed.abort();
        }
        for key in listings {
            if !self.pollers.contains_key(&key) {
                let poller = self.poller(key.clone());
                self.pollers.insert(key, self.tasks.spawn(poller.run()));
            }
        }
    }

    /// The listings of the account. Drops the back-offs and container schedules of other groups.
    fn sync_listings(&mut self) -> BTreeSet<ListingKey> {
        let AccountContext { account, backoffs, state, .. } = &*self.context;
        let listings: BTreeSet<ListingKey> = state.read().listings_of(&account.name).cloned().collect();
        let groups: BTreeSet<&GroupId> = listings.iter().map(|key| &key.group).collect();
        backoffs.set_groups(&groups);
        self.containers.retain(|group, _| groups.contains(group));
        listings
    }

    fn poller(&mut self, key: ListingKey) -> Poller {
        let containers = self.containers.entry(key.group.clone()).or_default().clone();
        Poller::new(key, self.context.clone(), containers)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{collector::initial_state::initial_state, config::Config, shard::Shard, state::SharedState};

    #[tokio::test]
    async fn a_panic_in_a_task_of_an_account_ends_its_polls_with_an_error() {
        let text = "accounts: [{public_key: a, private_key_env: KEY, groups: [{id: 5e57d85c854180642f784401}]}]";
        let config = Config::parse(text, Path::new(""), &|_| Some("key".to_owned())).unwrap();
        let state = SharedState::new(initial_state(&config, Shard::WHOLE));
        let context = AccountContext::new(&config.accounts[0], &config.poll, Shard::WHOLE, &state).unwrap();
        let mut task = AccountTask::new(Arc::new(context));
        task.tasks.spawn(async { panic!("a bug") });
        assert!(task.run().await.unwrap_err().is_panic());
    }
}
