//! When to poll which target.
//!
//! Every target has a task of its own, so that none waits for another but for a place among the polls of its account.

mod pause;
mod places;
mod report;

use std::{
    collections::HashMap,
    pin::pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
    time::{Instant, sleep_until, timeout},
};

use self::{
    pause::Pause,
    places::{Place, Places},
    report::Names,
};
use crate::{
    atlas::{Client, GroupId, ListError, Listing, Reason},
    state::{Failure, Poll, State, Target},
};

/// How often a poll asks for a page again after a passing failure. Where the poll before ran out of time, the next
/// poll is repetition enough: a target that hangs would hold its place so much longer.
const RETRIES: usize = 3;

/// A poll that waited for a place for so many intervals counts as a failure.
const OVERDUE: u32 = 3;

/// How polls follow each other.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// From the start of one poll of a target to the start of its next.
    pub interval: Duration,
    /// Bound on one poll.
    pub deadline: Duration,
    /// Polls of one account at the same time, at most.
    pub concurrency: usize,
}

/// An account and what to poll with it.
pub struct Account {
    /// As the config names it, for the log.
    pub name: String,
    /// Asks Atlas with the account's credential.
    pub client: Client,
    /// Its groups and their providers.
    pub targets: Vec<Target>,
}

/// Polls every target when it is due, for as long as it is awaited.
///
/// # Errors
/// A poll panicked: its target would be frozen from now on, so the exporter must not go on as if nothing were.
pub async fn poll_for_ever(accounts: Vec<Account>, pace: Pace, state: watch::Sender<State>) -> Result<(), JoinError> {
    let mut tasks = JoinSet::new();
    for poller in pollers(accounts, pace, &state) {
        tasks.spawn(poller.poll_for_ever());
    }
    wait(tasks).await
}

/// Polls every target once.
///
/// # Errors
/// A poll panicked.
pub async fn poll_once(accounts: Vec<Account>, pace: Pace, state: watch::Sender<State>) -> Result<(), JoinError> {
    let mut tasks = JoinSet::new();
    for poller in pollers(accounts, pace, &state) {
        tasks.spawn(poller.poll_once());
    }
    wait(tasks).await
}

async fn wait(mut tasks: JoinSet<()>) -> Result<(), JoinError> {
    while let Some(end) = tasks.join_next().await {
        end?;
    }
    Ok(())
}

fn pollers(accounts: Vec<Account>, pace: Pace, state: &watch::Sender<State>) -> Vec<Poller> {
    let mut pollers = Vec::new();
    for account in accounts {
        let client = Arc::new(account.client);
        let places = Arc::new(Places::new(pace.concurrency));
        let mut pauses: HashMap<GroupId, Arc<Pause>> = HashMap::new();
        for target in account.targets {
            let group_name = state.borrow().groups.get(&target.group).map(|group| group.name.clone());
            pollers.push(Poller {
                names: Names { account: account.name.clone(), group: group_name.unwrap_or_default() },
                pause: pauses.entry(target.group.clone()).or_default().clone(),
                target,
                client: client.clone(),
                places: places.clone(),
                state: state.clone(),
                pace,
                is_slow: false,
            });
        }
    }
    pollers
}

/// Polls one target.
struct Poller {
    target: Target,
    names: Names,
    client: Arc<Client>,
    places: Arc<Places>,
    pause: Arc<Pause>,
    state: watch::Sender<State>,
    pace: Pace,
    /// Whether the last poll ran out of time.
    is_slow: bool,
}

impl Poller {
    async fn poll_for_ever(mut self) {
        let mut due = Instant::now();
        loop {
            sleep_until(due).await;
            let places = self.places.clone();
            let place = self.stand_in_line(&places).await;
            // A pause may have begun while this poll stood in line.
            due = match self.pause.left() {
                None => self.poll(place).await,
                Some(left) if left <= self.pace.interval => Instant::now() + left,
                Some(left) => self.give_up(left),
            };
        }
    }

    /// Waits for a place; waiting for very long must not pass for success.
    async fn stand_in_line<'a>(&self, places: &'a Places) -> Place<'a> {
        let mut place = pin!(places.take(self.is_slow));
        let patience = self.pace.interval * OVERDUE;
        loop {
            if let Ok(place) = timeout(patience, &mut place).await {
                return place;
            }
            let message = format!("not asked for {} s: other polls hang and hold every place", patience.as_secs());
            self.record(Instant::now(), Err(Failure { reason: Reason::Timeout, message }));
        }
    }

    async fn poll_once(mut self) {
        let places = self.places.clone();
        let place = places.take(false).await;
        self.poll(place).await;
    }

    /// Polls and says when the next poll is due.
    async fn poll(&mut self, place: Place<'_>) -> Instant {
        let started = Instant::now();
        let retries = if self.is_slow { 0 } else { RETRIES };
        let Target { group, provider } = &self.target;
        let outcome = self.client.list(group, *provider, self.pace.deadline, retries).await;
        drop(place);
        self.is_slow = outcome.as_ref().is_err_and(|error| error.kind.is_slow());
        let mut due = started + self.pace.interval;
        match &outcome {
            Ok(_) => self.pause.end(),
            Err(error) if error.kind.reason() == Reason::RateLimited => {
                due = due.min(self.pause.begin(error.kind.retry_after(), self.pace.interval));
            }
            Err(_) => {}
        }
        self.record(started, outcome.map_err(|error| failure(&error)));
        due
    }

    /// A pause longer than the interval must not pass for success; says when to look again.
    fn give_up(&self, left: Duration) -> Instant {
        let now = Instant::now();
        let message = format!("not asked: Atlas limits the group for another {} s", left.as_secs());
        self.record(now, Err(Failure { reason: Reason::RateLimited, message }));
        now + self.pace.interval
    }

    fn record(&self, started: Instant, outcome: Result<Listing, Failure>) {
        let poll = Poll {
            ended: std::time::Instant::now(),
            ended_at: SystemTime::now(),
            duration: started.elapsed(),
            outcome,
        };
        let mut events = Vec::new();
        self.state.send_modify(|state| events = state.record(&self.target, poll));
        // Not under the state's lock: whoever reads the log may be slow.
        for event in events {
            report::log(&self.target, &self.names, event);
        }
    }
}

fn failure(error: &ListError) -> Failure {
    Failure { reason: error.kind.reason(), message: error.sentence() }
}
