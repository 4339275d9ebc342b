//! The pollers of one account: one for each listing that the state knows, and none for others.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::Arc,
    time::Instant,
};

use tokio::{
    sync::{Notify, watch},
    task::{AbortHandle, JoinError, JoinSet},
    time::{MissedTickBehavior, interval},
};

use super::{
    AccountSettings, PollSchedule, changes,
    containers::Containers,
    discovery::Discoverer,
    log_limiter::LogLimiter,
    outage::OutageDetector,
    poller::Poller,
    rate_limit::{Bucket, RateLimitBackoffs},
    slots::PollSlots,
};
use crate::state::{ListingKey, State};
use atlas::{Client, GroupId};

/// What the pollers of one account share.
pub(super) struct AccountTask {
    account: Arc<str>,
    client: Arc<Client>,
    places: Arc<PollSlots>,
    outage: Arc<OutageDetector>,
    lines: Arc<LogLimiter>,
    gone: Arc<Notify>,
    pauses: Arc<RateLimitBackoffs>,
    containers: BTreeMap<GroupId, Arc<Containers>>,
    asks_for_containers: bool,
    state: watch::Sender<State>,
    pace: PollSchedule,
    pollers: BTreeMap<ListingKey, AbortHandle>,
    tasks: JoinSet<()>,
}

impl AccountTask {
    fn new(account: &AccountSettings, pace: PollSchedule, state: watch::Sender<State>) -> Self {
        Self {
            account: account.name.as_str().into(),
            client: account.client.clone(),
            places: Arc::new(PollSlots::new(pace.concurrency)),
            outage: Arc::default(),
            lines: Arc::default(),
            gone: Arc::default(),
            pauses: account.pauses.clone(),
            containers: BTreeMap::new(),
            asks_for_containers: account.asks_for_containers,
            state,
            pace,
            pollers: BTreeMap::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Polls every listing of the account when it is due, those that are discovered meanwhile too.
    pub(super) async fn poll_for_ever(
        account: AccountSettings,
        pace: PollSchedule,
        state: watch::Sender<State>,
    ) -> Result<Infallible, JoinError> {
        let mut watched = Self::new(&account, pace, state.clone());
        let changed = Arc::new(Notify::new());
        if let Some(discoverer) = Discoverer::new(account, pace, state) {
            watched.tasks.spawn(discoverer.discover_for_ever(watched.gone.clone(), changed.clone()));
        }
        watched.follow();
        let mut rest = interval(pace.interval);
        rest.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = rest.tick() => {
                    watched.note_that_it_is_looked_after();
                    changes::log_rest(&watched.account, &watched.lines);
                    // Another config may have given a group to another account.
                    watched.follow();
                    if !watched.state.borrow().is_settled(&watched.account) {
                        watched.gone.notify_one();
                    }
                }
                () = changed.notified() => watched.follow(),
                Some(Err(end)) = watched.tasks.join_next() => if end.is_panic() {
                    return Err(end);
                },
            }
        }
    }

    /// Discovers once, then polls every listing once.
    pub(super) async fn poll_once(
        account: AccountSettings,
        pace: PollSchedule,
        state: watch::Sender<State>,
    ) -> Result<(), JoinError> {
        let mut watched = Self::new(&account, pace, state.clone());
        if let Some(mut discoverer) = Discoverer::new(account, pace, state) {
            discoverer.discover().await;
        }
        for key in watched.listings() {
            let poller = watched.poller(key);
            watched.tasks.spawn(poller.poll_once());
        }
        while let Some(end) = watched.tasks.join_next().await {
            end?;
        }
        changes::log_rest(&watched.account, &watched.lines);
        Ok(())
    }

    fn note_that_it_is_looked_after(&self) {
        self.state.send_if_modified(|state| {
            if let Some(account) = state.accounts.get_mut(&*self.account) {
                account.looked_after = Some(Instant::now());
            }
            false
        });
    }

    /// Begins to poll what is new, and ends what is gone.
    fn follow(&mut self) {
        let listings = self.listings();
        self.pollers.retain(|key, poller| {
            let stays = listings.contains(key);
            if !stays {
                poller.abort();
                self.pauses.forget(&key.group);
                self.containers.remove(&key.group);
            }
            stays
        });
        for key in listings {
            if !self.pollers.contains_key(&key) {
                let poller = self.poller(key.clone());
                self.pollers.insert(key, self.tasks.spawn(poller.poll_for_ever()));
            }
        }
    }

    fn listings(&self) -> BTreeSet<ListingKey> {
        self.state.borrow().targets_of(&self.account).cloned().collect()
    }

    fn poller(&mut self, key: ListingKey) -> Poller {
        let containers = self.containers.entry(key.group.clone()).or_default().clone();
        Poller {
            account: self.account.clone(),
            client: self.client.clone(),
            places: self.places.clone(),
            outage: self.outage.clone(),
            lines: self.lines.clone(),
            gone: self.gone.clone(),
            pause: self.pauses.of(Bucket::Group(key.group.clone())),
            containers: self.asks_for_containers.then_some(containers),
            state: self.state.clone(),
            pace: self.pace,
            is_slow: false,
            not_found: 0,
            key,
        }
    }
}
