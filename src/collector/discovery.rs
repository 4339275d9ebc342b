//! Asks Atlas which groups there are.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until},
};

use super::{
    AccountSettings, PollSchedule, changes, failure,
    rate_limit::{Bucket, RateLimitBackoff},
};
use crate::state::{Failure, State};
use atlas::{self, Client, OrgId, Provider, Reason};

/// How often a page is asked for again after a passing failure.
const RETRIES: usize = 3;

/// Each interval is longer or shorter by up to so much, so that no two programs ask together for ever.
const JITTER: f64 = 0.1;

/// How the groups of an account are found.
pub struct DiscoverySettings {
    /// Only those of this organization, if there is one.
    pub organization: Option<OrgId>,
    /// From one time of asking to the next.
    pub interval: Duration,
    /// What is asked for in a group that is found.
    pub providers: Vec<Provider>,
    /// Whether a group is to be watched.
    pub selects: Box<dyn Fn(&atlas::Group) -> bool + Send + Sync>,
}

/// Finds the groups of one account.
pub(super) struct Discoverer {
    discovery: DiscoverySettings,
    account: String,
    client: Arc<Client>,
    /// Of the list of groups.
    pause: Arc<RateLimitBackoff>,
    pace: PollSchedule,
    state: watch::Sender<State>,
}

impl Discoverer {
    /// Nothing, if the account lists its groups only.
    pub(super) fn new(account: AccountSettings, pace: PollSchedule, state: watch::Sender<State>) -> Option<Self> {
        let discovery = account.discovery?;
        let pause = account.pauses.of(Bucket::Groups);
        Some(Self { discovery, account: account.name, client: account.client, pause, pace, state })
    }

    /// Asks again and again, and sooner when a group seems to be `gone`; tells when the groups may be others.
    pub(super) async fn discover_for_ever(mut self, gone: Arc<Notify>, changed: Arc<Notify>) {
        loop {
            let started = Instant::now();
            self.note_due(started);
            let is_limited = self.discover().await;
            changed.notify_one();
            let jitter = 1.0 - JITTER + 2.0 * JITTER * fastrand::f64();
            let due = started + self.interval().mul_f64(jitter);
            let left = self.pause.left().filter(|_| is_limited);
            let due = left.map_or(due, |left| due.min(Instant::now() + left));
            self.note_due(due);
            tokio::select! {
                () = sleep_until(due) => {}
                () = gone.notified() => sleep_until(due.min(started + self.pace.interval)).await,
            }
        }
    }

    /// So that a discovery that does not come is noticed.
    fn note_due(&self, due: Instant) {
        self.state.send_if_modified(|state| {
            let discovery = state.accounts.get_mut(&self.account).and_then(|account| account.discovery.as_mut());
            if let Some(discovery) = discovery {
                discovery.due = Some(due.into_std());
            }
            false
        });
    }

    /// Where there may be nothing to poll yet, or another listing has to confirm what is missing, it is repeated as soon
    /// as a poll would be.
    fn interval(&self) -> Duration {
        if self.state.borrow().is_settled(&self.account) {
            self.discovery.interval
        } else {
            self.discovery.interval.min(self.pace.interval)
        }
    }

    /// Asks once; says whether Atlas limits it.
    pub(super) async fn discover(&mut self) -> bool {
        let outcome = match self.pause.left() {
            None => {
                let organization = self.discovery.organization.as_ref();
                let found = self.client.list_groups(organization, self.pace.deadline, RETRIES).await;
                found.map_err(|error| failure(&error))
            }
            Some(left) => {
                let message = format!("not asked: Atlas limits the list of groups for another {} s", left.as_secs());
                Err(Failure::of(Reason::RateLimited, message))
            }
        };
        let is_limited = outcome.as_ref().is_err_and(|failure| failure.reason == Reason::RateLimited);
        let selected = outcome.map(|mut groups| {
            groups.retain(|group| (self.discovery.selects)(group));
            groups
        });
        let mut events = Vec::new();
        self.state.send_modify(|state| {
            events = state.record_discovery(&self.account, selected, &self.discovery.providers, SystemTime::now());
        });
        changes::log_discovery(&self.account, &self.state, events);
        is_limited
    }
}
