//! The task of one account: a poller for each of its listings, and its discovery.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::Arc,
    time::Instant,
};

use tokio::{
    sync::Notify,
    task::{AbortHandle, JoinError, JoinSet},
    time::{MissedTickBehavior, interval},
};

use super::{
    containers::ContainerSchedule,
    context::AccountContext,
    discovery::Discoverer,
    events,
    log_limiter::LogLimiter,
    outage::OutageDetector,
    poller::Poller,
    settings::{AccountSettings, PollSchedule},
    slots::PollSlots,
};
use crate::state::{ListingKey, SharedState};
use atlas::GroupId;

/// Polls the listings of one account.
pub struct AccountTask {
    context: Arc<AccountContext>,
    discoverer: Option<Discoverer>,
    /// By group; `None` if containers are not requested.
    containers: Option<BTreeMap<GroupId, Arc<ContainerSchedule>>>,
    pollers: BTreeMap<ListingKey, AbortHandle>,
    tasks: JoinSet<()>,
}

impl AccountTask {
    /// A task that has not started. The state says which listings the account has.
    #[must_use]
    pub fn new(settings: AccountSettings, schedule: PollSchedule, state: SharedState) -> Self {
        let context = Arc::new(AccountContext {
            account: settings.name,
            client: settings.client,
            backoffs: settings.backoffs,
            slots: PollSlots::new(schedule.concurrency),
            outage: OutageDetector::default(),
            log_limiter: LogLimiter::default(),
            rediscover: Notify::new(),
            discovered: Notify::new(),
            state,
            schedule,
        });
        Self {
            discoverer: settings.discovery.map(|discovery| Discoverer::new(discovery, context.clone())),
            context,
            containers: settings.reads_containers.then(BTreeMap::new),
            pollers: BTreeMap::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Polls every listing of the account each interval, and discovers groups each discovery interval.
    ///
    /// # Errors
    /// A poll or a discovery panicked.
    pub async fn run(mut self) -> Result<Infallible, JoinError> {
        if let Some(discoverer) = self.discoverer.take() {
            self.tasks.spawn(discoverer.run());
        }
        self.sync_pollers();
        let context = self.context.clone();
        let mut heartbeat = interval(context.schedule.interval);
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
    pub async fn poll_once(mut self) -> Result<(), JoinError> {
        if let Some(discoverer) = &self.discoverer {
            discoverer.discover().await;
        }
        for key in self.listings() {
            let poller = self.poller(key);
            self.tasks.spawn(poller.poll_once());
        }
        while let Some(end) = self.tasks.join_next().await {
            end?;
        }
        events::log_suppressed(&self.context.account, &self.context.log_limiter);
        Ok(())
    }

    fn heartbeat(&mut self) {
        let AccountContext { account, state, log_limiter, rediscover, .. } = &*self.context;
        state.update_quietly(|state| {
            if let Some(account) = state.accounts.get_mut(account) {
                account.last_heartbeat = Some(Instant::now());
            }
        });
        events::log_suppressed(account, log_limiter);
        if !state.read().is_settled(account) {
            rediscover.notify_one();
        }
        // A reload or the discovery of another account may have moved groups.
        self.sync_pollers();
    }

    /// Starts pollers for new listings and stops those of removed listings.
    fn sync_pollers(&mut self) {
        let listings = self.listings();
        self.pollers.retain(|key, poller| {
            let stays = listings.contains(key);
            if !stays {
                poller.abort();
                self.context.backoffs.forget(&key.group);
                if let Some(containers) = &mut self.containers {
                    containers.remove(&key.group);
                }
            }
            stays
        });
        for key in listings {
            if !self.pollers.contains_key(&key) {
                let poller = self.poller(key.clone());
                self.pollers.insert(key, self.tasks.spawn(poller.run()));
            }
        }
    }

    fn listings(&self) -> BTreeSet<ListingKey> {
        self.context.state.read().listings_of(&self.context.account).cloned().collect()
    }

    fn poller(&mut self, key: ListingKey) -> Poller {
        let containers = self.containers.as_mut().map(|all| all.entry(key.group.clone()).or_default().clone());
        Poller::new(key, self.context.clone(), containers)
    }
}
