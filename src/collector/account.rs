//! The task of one account: it polls the listings of the account and discovers its groups.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    convert::Infallible,
    sync::Arc,
};

use tokio::{
    sync::mpsc::{UnboundedSender, unbounded_channel},
    task::{AbortHandle, Id, JoinError, JoinSet},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use super::{
    containers::{self, ContainerSchedule},
    context::AccountContext,
    discovery, events, poll,
    rate_limit::Bucket,
    scheduler::{Action, End, Scheduler},
};
use crate::state::{Failure, ListingKey};
use atlas::{GroupId, Listing};

/// The end of a task that read a listing.
type Attempt = (End, Result<Listing, Failure>);

/// Polls the listings that the state has for one account.
pub(super) struct AccountTask {
    context: Arc<AccountContext>,
    scheduler: Scheduler,
    attempts: JoinSet<Attempt>,
    /// The listing of each task in `attempts`.
    listings: HashMap<Id, ListingKey>,
    handles: HashMap<ListingKey, AbortHandle>,
    containers: BTreeMap<GroupId, Arc<ContainerSchedule>>,
    /// The regroupings of the state when the listings were last read.
    regroupings: u64,
    /// The groups whose containers are due.
    due_containers: UnboundedSender<(GroupId, Arc<ContainerSchedule>)>,
    tasks: JoinSet<()>,
}

impl AccountTask {
    pub(super) fn new(context: Arc<AccountContext>) -> Self {
        let (due_containers, due) = unbounded_channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(containers::read_due(context.clone(), due));
        Self {
            scheduler: Scheduler::new(&context.poll),
            context,
            attempts: JoinSet::new(),
            listings: HashMap::new(),
            handles: HashMap::new(),
            containers: BTreeMap::new(),
            regroupings: 0,
            due_containers,
            tasks,
        }
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
        self.sync_listings();
        let mut heartbeat = interval(context.poll.interval);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if context.state.read().regroupings != self.regroupings {
                self.sync_listings();
            }
            let now = Instant::now();
            let paused = |key: &ListingKey| Some(now + context.backoffs.remaining(&Bucket::Group(key.group.clone()))?);
            for action in self.scheduler.step(now, paused) {
                self.perform(action);
            }
            self.record_queue();
            let next_step = self.scheduler.next_step();
            tokio::select! {
                _ = heartbeat.tick() => self.heartbeat(),
                () = context.discovered.notified() => self.sync_listings(),
                () = sleep_until(next_step.unwrap_or(now)), if next_step.is_some() => {}
                Some(end) = self.attempts.join_next_with_id() => {
                    self.finish(end)?;
                }
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
        self.sync_listings();
        while self.scheduler.keys().next().is_some() {
            let now = Instant::now();
            for action in self.scheduler.step(now, |_| None) {
                match action {
                    // Nothing is due later, so a poll may wait for its permit as long as it takes.
                    Action::Fail(_, _, record) if record.run.is_none() => {}
                    Action::Fail(ref key, ..) => {
                        let key = key.clone();
                        self.perform(action);
                        self.scheduler.remove(&key);
                    }
                    action => self.perform(action),
                }
            }
            let next_step = self.scheduler.next_step();
            tokio::select! {
                Some(end) = self.attempts.join_next_with_id() => if let Some(key) = self.finish(end)? {
                    self.scheduler.remove(&key);
                },
                () = sleep_until(next_step.unwrap_or(now)), if next_step.is_some() => {}
            }
        }
        // No further containers become due, which ends their task.
        let Self { context, mut tasks, due_containers, .. } = self;
        drop(due_containers);
        while let Some(end) = tasks.join_next().await {
            end?;
        }
        events::log_suppressed(&context.account.name, &context.log_limiter);
        Ok(())
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Start(key, deadline) => {
                let context = self.context.clone();
                let listing = key.clone();
                let handle = self.attempts.spawn(async move { poll::attempt(&context, &listing, deadline).await });
                self.listings.insert(handle.id(), key.clone());
                self.handles.insert(key, handle);
            }
            Action::Abort(key) => self.abort(&key),
            Action::Fail(key, failure, record) => poll::record(&self.context, &key, record, Err(failure)),
        }
    }

    fn abort(&self, key: &ListingKey) {
        if let Some(handle) = self.handles.get(key) {
            handle.abort();
        }
    }

    /// Handles the end of an attempt. Returns the listing if its poll has ended, too.
    fn finish(&mut self, end: Result<(Id, Attempt), JoinError>) -> Result<Option<ListingKey>, JoinError> {
        let (id, attempt) = match end {
            Ok((id, attempt)) => (id, Some(attempt)),
            Err(error) if error.is_panic() => return Err(error),
            Err(error) => (error.id(), None),
        };
        let Some(key) = self.listings.remove(&id) else { return Ok(None) };
        self.handles.remove(&key);
        let (end, outcome) = match attempt {
            Some((end, outcome)) => (end, Some(outcome)),
            None => (End::Aborted, None),
        };
        let record = self.scheduler.finish(&key, Instant::now(), &end);
        let (Some(record), Some(outcome)) = (record, outcome) else { return Ok(None) };
        if self.context.poll.containers
            && let Ok(listing) = &outcome
            && let Some(schedule) = self.containers.get(&key.group)
            && schedule.start_if_due(listing, self.context.poll.interval)
        {
            // The receiver lives as long as this task.
            let _ = self.due_containers.send((key.group.clone(), schedule.clone()));
        }
        poll::record(&self.context, &key, record, outcome);
        Ok(Some(key))
    }

    fn heartbeat(&mut self) {
        let AccountContext { account, state, log_limiter, rediscover, .. } = &*self.context;
        state.update(|state| {
            if let Some(account) = state.accounts.get_mut(&account.name) {
                account.last_heartbeat = Some(Instant::now().into_std());
            }
        });
        events::log_suppressed(&account.name, log_limiter);
        if !state.read().is_settled(&account.name) {
            rediscover.notify_one();
        }
    }

    /// Shows how busy the account is. The next poll that ends, or the heartbeat, publishes it.
    fn record_queue(&self) {
        let AccountContext { account, state, .. } = &*self.context;
        state.update_quietly(|state| {
            if let Some(account) = state.accounts.get_mut(&account.name) {
                account.polls.queued = self.scheduler.queued();
                account.polls.running = self.scheduler.running();
            }
        });
    }

    /// Schedules new listings and stops polling those that are gone, with their back-offs and container schedules.
    fn sync_listings(&mut self) {
        let AccountContext { account, backoffs, state, poll, .. } = &*self.context;
        let now = Instant::now();
        let known: BTreeSet<ListingKey> = self.scheduler.keys().cloned().collect();
        let (listings, new) = state.update_quietly(|state| {
            self.regroupings = state.regroupings;
            let listings: BTreeSet<ListingKey> = state.listings_of(&account.name).cloned().collect();
            let new = listings.difference(&known).map(|key| (key.clone(), state.schedule(key, now.into_std())));
            let new: Vec<_> = new.collect();
            (listings, new)
        });
        for removed in known.difference(&listings) {
            self.abort(removed);
            self.scheduler.remove(removed);
        }
        for (key, (due, is_first)) in new {
            let due = due.map_or(now, Instant::from_std);
            // In random order, so that the same projects are not always first: those may hang.
            let due = if is_first { due + poll.interval.mul_f64(fastrand::f64() / 1000.0) } else { due };
            // A reload may have made the interval shorter.
            let due = if due > now + poll.interval { now + poll.interval.mul_f64(fastrand::f64()) } else { due };
            self.scheduler.insert(&key, due, is_first);
        }
        if listings.len() > known.len()
            && let Some(needed) = poll.missing_permits(listings.len())
        {
            events::log_missing_permits(&account.name, listings.len(), needed, poll.concurrency);
        }
        let groups: BTreeSet<&GroupId> = listings.iter().map(|key| &key.group).collect();
        backoffs.set_groups(&groups);
        self.containers.retain(|group, _| groups.contains(group));
        for group in groups {
            self.containers.entry(group.clone()).or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use tokio::time::sleep;

    use super::*;
    use crate::{collector::initial_state::initial_state, config::Config, shard::Shard, state::SharedState};

    /// An account with these settings, which polls once an hour.
    fn context(settings: &str) -> Arc<AccountContext> {
        let text = format!("accounts: [{{name: main, {settings}}}]");
        let mut config = Config::parse(&text, Path::new(""), &|_| Some("key".to_owned())).unwrap();
        config.poll.interval = Duration::from_secs(3600);
        let state = SharedState::new(initial_state(&config, Shard::WHOLE));
        Arc::new(AccountContext::new(&config.accounts[0], &config.poll, Shard::WHOLE, &state).unwrap())
    }

    #[tokio::test]
    async fn a_panic_in_a_task_of_an_account_ends_its_polls_with_an_error() {
        let context = context("public_key: a, private_key_env: KEY, groups: [{id: 5e57d85c854180642f784401}]");
        let mut task = AccountTask::new(context);
        task.tasks.spawn(async { panic!("a bug") });
        assert!(task.run().await.unwrap_err().is_panic());
    }

    #[tokio::test(start_paused = true)]
    async fn a_group_that_moves_is_not_polled_until_the_next_heartbeat() {
        // Nothing listens there.
        let text = "accounts: [{base_url: 'http://127.0.0.1:1', allow_http: true, public_key: a, private_key_env: KEY,
            groups: [{id: 5e57d85c854180642f784401}]}]";
        let config = Config::parse(text, Path::new(""), &|_| Some("key".to_owned())).unwrap();
        let state = SharedState::new(initial_state(&config, Shard::WHOLE));
        let context = AccountContext::new(&config.accounts[0], &config.poll, Shard::WHOLE, &state).unwrap();
        let task = tokio::spawn(AccountTask::new(Arc::new(context)).run());
        let polls = || state.read().listings.values().map(|listing| listing.polls).sum::<u64>();
        sleep(Duration::from_secs(10)).await;
        let before = polls();
        assert!(before > 0);
        state.update_quietly(|state| {
            state.groups.values_mut().for_each(|group| "other".clone_into(&mut group.account));
            state.regroupings += 1;
        });
        // The second polls would come in a random part of the first interval.
        sleep(Duration::from_secs(49)).await;
        assert_eq!(polls(), before);
        task.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_of_the_account_is_followed_by_another_attempt_within_a_minute() {
        // Nothing listens on this port, so there is no access token.
        let address = "base_url: 'http://127.0.0.1:1', allow_http: true, client_id: a, client_secret_env: KEY";
        for settings in ["groups: [{id: 5e57d85c854180642f784401}]", "discover: {interval: 24h}"] {
            let context = context(&format!("{address}, {settings}"));
            let state = context.state.clone();
            let attempts = || {
                let state = state.read();
                let discovery = state.accounts["main"].discovery.as_ref().map(|discovery| discovery.discoveries);
                let polls: Vec<u64> = state.listings.values().map(|listing| listing.polls).chain(discovery).collect();
                (polls.iter().min().copied(), polls.iter().max().copied())
            };
            let task = tokio::spawn(AccountTask::new(context).run());
            while attempts().0 != Some(1) {
                sleep(Duration::from_secs(1)).await;
            }
            for n in 2..5 {
                sleep(Duration::from_secs(80)).await;
                let (fewest, most) = attempts();
                assert!(fewest >= Some(n) && most <= Some(3 * n), "{settings}: {fewest:?} to {most:?} of {n}");
            }
            task.abort();
        }
    }
}
