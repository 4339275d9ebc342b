//! Polls one listing, for as long as it is watched.

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until, timeout},
};
use tracing::debug;

use super::{
    PollSchedule, changes,
    containers::Containers,
    failure,
    log_limiter::LogLimiter,
    outage::OutageDetector,
    rate_limit::RateLimitBackoff,
    slots::{PollSlots, SlotPermit},
};
use crate::state::{Failure, ListingKey, PollResult, State};
use atlas::{Client, ListError, Listing, Reason};

/// How often a poll asks for a page again after a passing failure. Where the poll before ran out of time, the next
/// poll is repetition enough: a listing that hangs would hold its place so much longer.
const RETRIES: usize = 3;

/// A poll that waited for a place for so many intervals counts as a failure.
const OVERDUE: u32 = 3;

/// Polls one listing.
pub(super) struct Poller {
    pub(super) key: ListingKey,
    /// The account, as the config names it.
    pub(super) account: Arc<str>,
    pub(super) client: Arc<Client>,
    pub(super) places: Arc<PollSlots>,
    /// Of the account.
    pub(super) outage: Arc<OutageDetector>,
    /// Of the account.
    pub(super) lines: Arc<LogLimiter>,
    /// Told when the group seems to be gone.
    pub(super) gone: Arc<Notify>,
    /// Of the group.
    pub(super) pause: Arc<RateLimitBackoff>,
    /// Of the group; nothing where nobody wants to know.
    pub(super) containers: Option<Arc<Containers>>,
    pub(super) state: watch::Sender<State>,
    pub(super) pace: PollSchedule,
    /// Whether the last poll ran out of time.
    pub(super) is_slow: bool,
    /// How often in a row Atlas said that there is no such group.
    pub(super) not_found: u32,
}

impl Poller {
    pub(super) async fn poll_for_ever(mut self) {
        let now = Instant::now();
        let (mut known, mut is_first) = (None, true);
        // Nothing of this is on the page.
        self.state.send_if_modified(|state| {
            if let Some(key) = state.listings.get(&self.key) {
                (known, is_first) = (key.due, key.polls == 0);
            }
            state.begin(&self.key, now.into_std());
            false
        });
        let mut due = match known.map(Instant::from_std) {
            None => now,
            // The interval was longer before.
            Some(known) if known > now + self.pace.interval => now + self.pace.interval.mul_f64(fastrand::f64()),
            Some(known) => known,
        };
        // Where a poll before is known, this listing stands apart from others already.
        let mut spread = is_first.then(fastrand::f64);
        loop {
            sleep_until(due).await;
            let places = self.places.clone();
            let place = self.stand_in_line(&places).await;
            if due.elapsed() > self.pace.interval / 10 {
                // Those that stood in line together must not stay together.
                spread = spread.or_else(|| Some(1.0 - fastrand::f64() / 5.0));
            }
            // A pause may have begun while this poll stood in line.
            due = match self.pause.left() {
                None => self.poll(place, spread.take().unwrap_or(1.0)).await,
                Some(left) if left <= self.pace.interval => Instant::now() + left,
                Some(left) => self.give_up(left),
            };
        }
    }

    pub(super) async fn poll_once(mut self) {
        let places = self.places.clone();
        let place = places.take(false).await;
        self.poll(place, 1.0).await;
    }

    /// Waits for a place; waiting for very long must not pass for success.
    async fn stand_in_line<'a>(&self, places: &'a PollSlots) -> SlotPermit<'a> {
        let mut place = pin!(places.take(self.is_slow));
        let patience = self.pace.interval * OVERDUE;
        loop {
            if let Ok(place) = timeout(patience, &mut place).await {
                return place;
            }
            let message = format!("not asked for {} s: other polls hang and hold every place", patience.as_secs());
            let now = Instant::now();
            self.record(now, now, Err(Failure::of(Reason::Timeout, message)));
        }
    }

    /// Polls and says when the next poll is due: an interval later, or a part of it. The first polls of all listings
    /// begin together; only the part makes them come apart.
    async fn poll(&mut self, place: SlotPermit<'_>, part: f64) -> Instant {
        let started = Instant::now();
        let retries = if self.is_slow || self.outage.is_there() { 0 } else { RETRIES };
        let ListingKey { group, provider } = &self.key;
        let outcome = self.client.list_peerings(group, *provider, self.pace.deadline, retries).await;
        drop(place);
        self.outage.learn(&outcome);
        self.is_slow = outcome.as_ref().is_err_and(|error| error.kind.is_timeout());
        self.look_whether_it_is_gone(&outcome);
        let mut due = started + self.pace.interval.mul_f64(part);
        if outcome.as_ref().is_err_and(|error| error.kind.reason() == Reason::RateLimited) {
            due = self.pause.left().map_or(due, |left| due.min(Instant::now() + left));
        }
        // The next poll does not wait for it, so there must be time until then.
        let has_time = due.saturating_duration_since(Instant::now()) >= self.pace.interval / 2;
        let asks_for_containers = match (&self.containers, &outcome) {
            (Some(containers), Ok(listing)) if has_time => containers.are_due(listing, self.pace.interval),
            _ => false,
        };
        self.record(started, due, outcome.map_err(|error| failure(&error)));
        if asks_for_containers {
            self.ask_for_containers(due).await;
        }
        due
    }

    /// One 404 may be a fault; the second in a row is worth asking which groups there are.
    fn look_whether_it_is_gone(&mut self, outcome: &Result<Listing, ListError>) {
        let is_not_found = outcome.as_ref().is_err_and(|error| error.kind.reason() == Reason::NotFound);
        self.not_found = if is_not_found { self.not_found.saturating_add(1) } else { 0 };
        if self.not_found == 2 {
            self.gone.notify_one();
        }
    }

    /// Nothing depends on what comes of it.
    async fn ask_for_containers(&self, due: Instant) {
        let group = &self.key.group;
        let left = due.saturating_duration_since(Instant::now()).min(self.pace.deadline);
        let asked = timeout(left, async {
            let _place = self.places.take(false).await;
            match self.pause.left() {
                None => Some(self.client.list_containers(group, left).await),
                Some(_) => None,
            }
        });
        match asked.await {
            Ok(Some(Ok(found))) => {
                if let Some(containers) = &self.containers {
                    containers.known(&found);
                }
                self.state.send_modify(|state| state.record_containers(group, found));
            }
            Ok(Some(Err(error))) => self.miss_containers(&error.error_chain()),
            Ok(None) => self.miss_containers("Atlas limits the group"),
            Err(_) => self.miss_containers("the next poll is due"),
        }
    }

    fn miss_containers(&self, why: &str) {
        if let Some(containers) = &self.containers {
            containers.failed();
        }
        let (account, group) = (&*self.account, self.key.group.as_str());
        debug!(account, group, "Atlas's side of the peerings stays as it was known: {why}");
    }

    /// A pause longer than the interval must not pass for success; says when to look again.
    fn give_up(&self, left: Duration) -> Instant {
        let now = Instant::now();
        let message = format!("not asked: Atlas limits the group for another {} s", left.as_secs());
        let due = now + self.pace.interval;
        self.record(now, due, Err(Failure::of(Reason::RateLimited, message)));
        due
    }

    fn record(&self, started: Instant, due: Instant, outcome: Result<Listing, Failure>) {
        let poll = PollResult {
            ended: std::time::Instant::now(),
            ended_at: SystemTime::now(),
            duration: started.elapsed(),
            due: due.into_std(),
            outcome,
        };
        let (mut events, mut name) = (Vec::new(), String::new());
        self.state.send_modify(|state| {
            events = state.record(&self.key, poll);
            if !events.is_empty() {
                name = state.groups.get(&self.key.group).map_or_else(String::new, |group| group.name.clone());
            }
        });
        // Not under the state's lock: whoever reads the log may be slow.
        for event in events {
            changes::log(&self.key, &self.account, &name, &self.lines, event);
        }
    }
}
