//! Decides which poll of an account starts when: plain data and a given time, without tasks, clock and I/O.
//!
//! A poll waits until it is due, then in a lane for a concurrency permit. What a listing costs is the time for which its
//! polls hold a permit, so the lanes separate listings by what is known of that:
//!
//! ```text
//! healthy   the last poll succeeded quickly, or nothing is known yet
//! slow      the last poll succeeded, but held its permit for longer than the quantum
//! suspect   the last poll failed, or polls of the same provider or of the same group fail or are slow
//! hanging   the last polls failed after holding their permit for longer than the quantum
//! ```
//!
//! The lanes share the permits by weighted fair queueing: while healthy polls wait, the others get 6 % of the permit
//! time, and otherwise all that is left. Polls that hang hold at most half of the permits. Within a lane, the poll that
//! is due first starts first. But a listing that is only expected to fail because its siblings do comes before those
//! that failed themselves: it may be healthy.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    breaker::{Breaker, Condition, Siblings},
    lanes::{Lane, Lanes, Place},
};
use crate::{
    config::PollConfig,
    state::{Failure, FailureReason, ListingKey, PollRun},
};
use atlas::{MAX_CREDENTIAL_PAUSE, Provider, Reason, Retries};

/// Retries of a poll after transient failures.
const POLL_RETRIES: u32 = 3;

/// The maximum number of intervals for which a poll waits as a suspect because of other listings of its group.
const MAX_SUSPICION: u32 = 5;

/// Polls that hang hold at most one in this many permits, so that the others always become free soon.
const HANGING_PERMITS: usize = 2;

/// The quantum is at least this part of the request timeout, and this many times what a fast poll takes.
const QUANTUM_DIVISOR: u32 = 20;
const QUANTUM_FACTOR: u32 = 4;

/// The last successful polls, by which the quantum follows the speed of Atlas.
const SAMPLES: usize = 64;

/// The polls of one account.
pub(super) struct Scheduler {
    interval: Duration,
    deadline: Duration,
    timeout: Duration,
    concurrency: usize,
    entries: HashMap<ListingKey, Entry>,
    /// When something is due for a listing; at most one time for each.
    timers: BTreeSet<(Instant, ListingKey)>,
    lanes: Lanes,
    /// The listings whose polls hold a permit.
    running: BTreeSet<ListingKey>,
    breakers: HashMap<Siblings, Breaker>,
    /// How long the last successful polls held their permit.
    samples: VecDeque<Duration>,
    /// The providers whose last poll in the hanging lane was quick: their hanging polls may use every permit.
    recovering: BTreeSet<Provider>,
    /// Whether polls failed for an account-wide reason.
    has_account_failed: bool,
}

/// What the caller has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Poll the listing, within the deadline, and report the end with [`Scheduler::finish`].
    Start(ListingKey, Duration),
    /// Abort the poll of the listing, and report that as an end.
    Abort(ListingKey),
    /// Record that the poll of the listing failed.
    Fail(ListingKey, Failure, Record),
}

/// What to record with the outcome of a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// How the poll ran; `None` if it sent no request.
    pub(super) run: Option<PollRun>,
    /// When the next poll is due.
    pub(super) due: Instant,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub(super) enum End {
    Succeeded,
    Failed {
        failure: Failure,
        /// Whether another attempt may succeed.
        is_transient: bool,
        retry_after: Duration,
    },
    /// The caller aborted it.
    Aborted,
}

/// A listing.
struct Entry {
    /// When the current poll is or was due.
    due: Instant,
    /// When it fails for lack of a permit.
    expires: Instant,
    timer: Option<Instant>,
    phase: Phase,
    condition: Condition,
    /// When the first attempt of the current poll started.
    started: Option<Instant>,
    retries: Retries,
    is_first: bool,
    /// Whether the listing is gone and its entry only waits for the end of its poll.
    is_removed: bool,
}

enum Phase {
    /// Until the poll is due.
    Waiting,
    /// For a permit.
    Queued(Lane),
    /// For the next attempt, without a permit, after this failure.
    Retrying(Failure),
    Running(Attempt),
}

struct Attempt {
    lane: Lane,
    started: Instant,
    /// The permit time that its lane was charged for it, in seconds.
    charged: f64,
    /// Whether it holds its permit for longer than the quantum.
    overran: bool,
    is_aborted: bool,
}

impl Attempt {
    /// Whether it is expected to fail after holding its permit for long.
    fn hangs(&self, is_recovering: bool) -> bool {
        !self.is_aborted && (self.lane == Lane::Hanging && !is_recovering || self.overran && self.lane != Lane::Slow)
    }
}

impl Entry {
    fn attempt(&self) -> Option<&Attempt> {
        match &self.phase {
            Phase::Running(attempt) => Some(attempt),
            _ => None,
        }
    }

    fn place(&self, key: &ListingKey) -> Place {
        Place { has_failed: self.condition.failure().is_some(), due: self.due, key: key.clone() }
    }

    fn run(&self, now: Instant) -> Option<PollRun> {
        let started = self.started?;
        Some(PollRun { lateness: started.saturating_duration_since(self.due), duration: now - started })
    }
}

impl Scheduler {
    /// A scheduler without listings.
    pub(super) fn new(poll: &PollConfig) -> Self {
        Self {
            interval: poll.interval,
            deadline: poll.deadline,
            timeout: poll.timeout,
            concurrency: poll.concurrency,
            entries: HashMap::new(),
            timers: BTreeSet::new(),
            lanes: Lanes::new(poll.timeout / QUANTUM_DIVISOR),
            running: BTreeSet::new(),
            breakers: HashMap::new(),
            samples: VecDeque::with_capacity(SAMPLES),
            recovering: BTreeSet::new(),
            has_account_failed: false,
        }
    }

    /// Adds a listing. `is_first` means that it was never polled.
    pub(super) fn insert(&mut self, key: &ListingKey, due: Instant, is_first: bool) {
        if let Some(entry) = self.entries.get_mut(key) {
            // The listing was removed, but its poll has not ended yet.
            (entry.is_removed, entry.due, entry.is_first) = (false, due, is_first);
            return;
        }
        let entry = Entry {
            due,
            expires: due + self.interval,
            timer: None,
            phase: Phase::Waiting,
            condition: Condition::Healthy,
            started: None,
            retries: Retries::new(POLL_RETRIES),
            is_first,
            is_removed: false,
        };
        self.entries.insert(key.clone(), entry);
        self.set_timer(key, Some(due));
    }

    /// Removes a listing. The caller aborts its poll if it runs, and reports that end.
    pub(super) fn remove(&mut self, key: &ListingKey) {
        self.set_timer(key, None);
        let Some(entry) = self.entries.get_mut(key) else { return };
        entry.is_removed = true;
        match entry.phase {
            Phase::Running(_) => {}
            Phase::Queued(lane) => {
                self.lanes.remove(lane, &entry.place(key));
                self.entries.remove(key);
            }
            Phase::Waiting | Phase::Retrying(_) => drop(self.entries.remove(key)),
        }
        for siblings in Siblings::of(key) {
            self.change_breaker(&siblings, &|breaker, _| breaker.forget(|forgotten| forgotten == key));
        }
    }

    /// The listings.
    pub(super) fn keys(&self) -> impl Iterator<Item = &ListingKey> {
        self.entries.iter().filter(|(_, entry)| !entry.is_removed).map(|(key, _)| key)
    }

    /// How many polls are due and wait for a permit.
    pub(super) fn queued(&self) -> usize {
        self.lanes.len()
    }

    /// How many polls hold a permit.
    pub(super) fn running(&self) -> usize {
        self.running.len()
    }

    /// When to call [`step`](Self::step) again, if nothing else happens before.
    pub(super) fn next_step(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// What to do now. `paused_until` says until when a rate limit forbids requests about a listing.
    pub(super) fn step(&mut self, now: Instant, paused_until: impl Fn(&ListingKey) -> Option<Instant>) -> Vec<Action> {
        let mut actions = Vec::new();
        let mut retries = Vec::new();
        while let Some((at, key)) = self.timers.first().filter(|(at, _)| *at <= now).cloned() {
            self.timers.remove(&(at, key.clone()));
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            entry.timer = None;
            match &mut entry.phase {
                Phase::Waiting => {
                    // This is late only if the process was suspended.
                    entry.expires = now + self.interval;
                    self.enqueue(&key);
                }
                Phase::Queued(_) => actions.push(self.expire(key, now)),
                Phase::Retrying(_) => retries.push(key),
                Phase::Running(attempt) => {
                    attempt.overran = true;
                    self.recovering.remove(&key.provider);
                    self.observe(&key, &Condition::Slow);
                }
            }
        }
        while self.running.len() < self.concurrency
            && let Some((lane, key)) = self.pick()
        {
            match paused_until(&key).filter(|until| *until > now) {
                None => actions.push(self.start(key, lane, now)),
                Some(until) if until <= now + self.interval => self.wait(&key, until),
                Some(until) => {
                    let seconds = (until - now).as_secs();
                    let message = format!("no request sent: the project is rate limited for another {seconds} s");
                    let due = now + self.interval;
                    self.wait(&key, due);
                    let failure = Failure::without_request(Reason::RateLimited, message);
                    actions.push(Action::Fail(key, failure, Record { run: None, due }));
                }
            }
        }
        for key in retries {
            actions.extend(self.retry(key, now));
        }
        actions.extend(self.abort_hanging());
        actions
    }

    /// Records the end of an attempt. Returns what to record if the poll has ended, and `None` if it goes on later.
    pub(super) fn finish(&mut self, key: &ListingKey, now: Instant, end: &End) -> Option<Record> {
        self.set_timer(key, None);
        let entry = self.entries.get_mut(key)?;
        let Phase::Running(attempt) = std::mem::replace(&mut entry.phase, Phase::Waiting) else { return None };
        self.running.remove(key);
        let held = now - attempt.started;
        let has_failed = entry.condition.failure().is_some();
        self.lanes.settle(attempt.lane, key.provider, attempt.charged, held);
        if entry.is_removed {
            self.entries.remove(key);
            return None;
        }
        if matches!(end, End::Aborted) && !attempt.is_aborted {
            // The listing was removed and added again.
            let due = entry.due;
            self.wait(key, due);
            return None;
        }
        if matches!(end, End::Succeeded) {
            self.samples.truncate(SAMPLES - 1);
            self.samples.push_front(held);
        }
        let is_slow = matches!(end, End::Aborted) || held > self.quantum();
        if is_slow {
            self.recovering.remove(&key.provider);
        } else if attempt.lane == Lane::Hanging {
            self.recovering.insert(key.provider);
        }
        let is_outage = self.is_open(&Siblings::Provider(key.provider));
        // A healthy listing may hang once by chance. During an outage of its provider, that is unlikely.
        let was_expected = is_outage || has_failed;
        let failing = |failure, hangs| if hangs { Condition::Hanging(failure) } else { Condition::Failing(failure) };
        let condition = match end {
            End::Aborted => failing(aborted(held), was_expected),
            End::Succeeded if is_slow => Condition::Slow,
            End::Succeeded => Condition::Healthy,
            End::Failed { failure, .. } if is_slow => {
                failing(failure.clone(), was_expected || attempt.lane == Lane::Suspect)
            }
            End::Failed { failure, .. } => Condition::Failing(failure.clone()),
        };
        // A failure that says nothing about other listings is no evidence about them.
        if is_slow || matches!(end, End::Succeeded | End::Failed { is_transient: true, .. }) {
            self.observe(key, &condition);
        }
        match end {
            End::Succeeded => self.end_account_failure(now),
            End::Failed { failure, .. } => self.has_account_failed |= failure.is_account_wide,
            End::Aborted => {}
        }
        // In an outage of the provider, the next listing serves as a retry.
        let may_retry = attempt.lane == Lane::Healthy && !self.is_open(&Siblings::Provider(key.provider));
        let entry = self.entries.get_mut(key)?;
        match end {
            End::Aborted => {
                entry.condition = condition;
                entry.started = None;
                self.enqueue(key);
                return None;
            }
            End::Failed { failure, is_transient: true, retry_after } if may_retry && !is_slow => {
                if let Some(delay) = entry.retries.next_delay(*retry_after)
                    && entry.started.is_some_and(|started| now + delay < started + self.deadline)
                {
                    entry.phase = Phase::Retrying(failure.clone());
                    self.set_timer(key, Some(now + delay));
                    return None;
                }
            }
            _ => {}
        }
        entry.condition = condition;
        let retry_after = if let End::Failed { retry_after, .. } = end { *retry_after } else { Duration::ZERO };
        Some(self.end_poll(key, now, retry_after))
    }

    /// A request succeeded, so listings that failed for an account-wide reason are due now.
    fn end_account_failure(&mut self, now: Instant) {
        if !std::mem::take(&mut self.has_account_failed) {
            return;
        }
        let has_failed = |entry: &Entry| {
            matches!(entry.phase, Phase::Waiting)
                && entry.condition.failure().is_some_and(|failure| failure.is_account_wide)
        };
        let keys: Vec<_> =
            self.entries.iter().filter(|(_, entry)| has_failed(entry)).map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.wait(&key, now);
        }
    }

    /// Ends the current poll and makes the next one due.
    fn end_poll(&mut self, key: &ListingKey, now: Instant, retry_after: Duration) -> Record {
        let interval = self.interval;
        let Some(entry) = self.entries.get_mut(key) else { return Record { run: None, due: now } };
        let run = entry.run(now);
        // First polls start together; a random part of the interval spreads the second ones. Polls that queued together
        // would stay together, too.
        let part = if entry.is_first {
            fastrand::f64()
        } else if run.is_some_and(|run| run.lateness > interval / 10) {
            1.0 - fastrand::f64() / 5.0
        } else {
            1.0
        };
        entry.is_first = false;
        let due = entry.started.unwrap_or(now) + interval.mul_f64(part);
        let is_account_wide = entry.condition.failure().is_some_and(|failure| failure.is_account_wide);
        let due = if is_account_wide { due.min(now + MAX_CREDENTIAL_PAUSE) } else { due };
        let due = due.max(now + retry_after.min(interval));
        self.wait(key, due);
        Record { run, due }
    }

    /// Lets a listing wait until its next poll is due.
    fn wait(&mut self, key: &ListingKey, due: Instant) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        (entry.due, entry.expires) = (due, due + self.interval);
        (entry.started, entry.retries) = (None, Retries::new(POLL_RETRIES));
        entry.phase = Phase::Waiting;
        self.set_timer(key, Some(due));
    }

    /// Lets a poll wait for a permit.
    fn enqueue(&mut self, key: &ListingKey) {
        let lane = self.lane_of(key);
        let Some(entry) = self.entries.get_mut(key) else { return };
        entry.phase = Phase::Queued(lane);
        let (place, expires) = (entry.place(key), entry.expires);
        self.lanes.push(lane, place);
        self.set_timer(key, Some(expires));
    }

    /// A poll got no permit for an interval.
    fn expire(&mut self, key: ListingKey, now: Instant) -> Action {
        let failure = self.queue_failure(&key, now);
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.expires = now + self.interval;
        }
        self.clear_suspicion(&key, now);
        self.set_timer(&key, Some(now + self.interval));
        Action::Fail(key, failure, Record { run: None, due: now })
    }

    /// If only listings of the same group failed, a poll does not stay a suspect indefinitely: while healthy polls need
    /// every permit, it could wait for hours.
    fn clear_suspicion(&mut self, key: &ListingKey, now: Instant) {
        if self.is_open(&Siblings::Provider(key.provider)) {
            return;
        }
        let Some(entry) = self.entries.get_mut(key) else { return };
        if entry.condition == Condition::Healthy
            && now >= entry.due + self.interval * MAX_SUSPICION
            && let Phase::Queued(lane @ Lane::Suspect) = &mut entry.phase
        {
            *lane = Lane::Healthy;
            let place = entry.place(key);
            self.lanes.remove(Lane::Suspect, &place);
            self.lanes.push(Lane::Healthy, place);
        }
    }

    /// Why a poll got no permit: what made its lane wait, otherwise too many polls.
    fn queue_failure(&self, key: &ListingKey, now: Instant) -> Failure {
        let Some(entry) = self.entries.get(key) else {
            return Failure::without_request(FailureReason::QueueTimeout, String::new());
        };
        let seconds = now.saturating_duration_since(entry.due).as_secs();
        if let Some(failure) = entry.condition.failure() {
            let message = format!("not polled again for {seconds} s; the last poll failed: {}", failure.message);
            return Failure { message, ..failure.clone() };
        }
        let mut breakers = Siblings::of(key).into_iter().filter_map(|siblings| self.breakers.get(&siblings));
        if let Some(breaker) = breakers.find(|breaker| breaker.is_open()) {
            let unanswered = || Failure::without_request(Reason::Timeout, "no response for a long time".to_owned());
            let failure = breaker.failure().cloned().unwrap_or_else(unanswered);
            let message =
                format!("not polled for {seconds} s; polls of the same provider or project fail: {}", failure.message);
            return Failure { message, ..failure };
        }
        let message = format!("no concurrency permit for {seconds} s");
        Failure::without_request(FailureReason::QueueTimeout, message)
    }

    /// Takes the poll to start next out of its lane.
    fn pick(&mut self) -> Option<(Lane, ListingKey)> {
        let one_may_hang = self.hanging() < self.hanging_permits();
        self.lanes.pop(|lane, provider| lane != Lane::Hanging || one_may_hang || self.recovering.contains(&provider))
    }

    fn start(&mut self, key: ListingKey, lane: Lane, now: Instant) -> Action {
        let charged = self.lanes.charge(lane, key.provider);
        self.running.insert(key.clone());
        let mut remaining = self.deadline;
        if let Some(entry) = self.entries.get_mut(&key) {
            let started = *entry.started.get_or_insert(now);
            remaining = self.deadline.saturating_sub(now - started);
            entry.phase = Phase::Running(Attempt { lane, started: now, charged, overran: false, is_aborted: false });
        }
        self.set_timer(&key, Some(now + self.quantum()));
        Action::Start(key, remaining)
    }

    /// Retries a poll if a permit is free, and otherwise ends it: others wait, and the next poll is soon enough.
    fn retry(&mut self, key: ListingKey, now: Instant) -> Option<Action> {
        if self.running.len() < self.concurrency {
            return Some(self.start(key, Lane::Healthy, now));
        }
        let entry = self.entries.get_mut(&key)?;
        let Phase::Retrying(failure) = std::mem::replace(&mut entry.phase, Phase::Waiting) else { return None };
        entry.condition = Condition::Failing(failure.clone());
        let record = self.end_poll(&key, now, Duration::ZERO);
        Some(Action::Fail(key, failure, record))
    }

    /// Aborts polls that overran, newest first, while others wait and polls that hang hold more permits than they may.
    /// Of polls that were expected to be quick, the limit is half as many.
    fn abort_hanging(&mut self) -> Vec<Action> {
        if self.running.len() < self.concurrency || !self.lanes.has_quick() {
            return Vec::new();
        }
        let overran = |key: &ListingKey| {
            let attempt = self.hanging_attempt(key).filter(|attempt| attempt.overran)?;
            // Polls of the hanging lane are aborted last; otherwise they would be aborted again and again.
            Some((attempt.lane != Lane::Hanging, attempt.started, attempt.lane == Lane::Healthy, key.clone()))
        };
        let mut overran: Vec<_> = self.running.iter().filter_map(overran).collect();
        overran.sort();
        let mut excess = self.hanging().saturating_sub(self.hanging_permits());
        let unexpected = overran.iter().filter(|(_, _, is_unexpected, _)| *is_unexpected).count();
        let mut excess_unexpected = unexpected.saturating_sub((self.hanging_permits() / 2).max(1));
        let mut actions = Vec::new();
        for (_, _, is_unexpected, key) in overran.into_iter().rev() {
            if excess == 0 && (excess_unexpected == 0 || !is_unexpected) {
                continue;
            }
            if let Some(Phase::Running(attempt)) = self.entries.get_mut(&key).map(|entry| &mut entry.phase) {
                attempt.is_aborted = true;
            }
            excess = excess.saturating_sub(1);
            excess_unexpected = excess_unexpected.saturating_sub(usize::from(is_unexpected));
            actions.push(Action::Abort(key));
        }
        actions
    }

    fn hanging_permits(&self) -> usize {
        (self.concurrency / HANGING_PERMITS).max(1)
    }

    /// How many running polls hang.
    fn hanging(&self) -> usize {
        self.running.iter().filter_map(|key| self.hanging_attempt(key)).count()
    }

    fn hanging_attempt(&self, key: &ListingKey) -> Option<&Attempt> {
        let is_recovering = self.recovering.contains(&key.provider);
        self.entries.get(key)?.attempt().filter(|attempt| attempt.hangs(is_recovering))
    }

    /// For how long a poll may hold a permit without being slow.
    fn quantum(&self) -> Duration {
        if self.samples.is_empty() {
            // The first requests also open connections, mint a token and get challenges.
            return self.timeout / 2;
        }
        let mut samples: Vec<Duration> = self.samples.iter().copied().collect();
        samples.sort_unstable();
        // A quarter, so that slow successes of most listings do not count as the speed of Atlas.
        let fast = samples.get(samples.len() / 4).copied().unwrap_or_default();
        (self.timeout / QUANTUM_DIVISOR).max(fast * QUANTUM_FACTOR)
    }

    /// The lane in which a listing waits: its own condition decides, and if that is healthy those of its siblings.
    fn lane_of(&self, key: &ListingKey) -> Lane {
        match self.entries.get(key).map(|entry| &entry.condition) {
            Some(Condition::Hanging(_)) => Lane::Hanging,
            Some(Condition::Failing(_)) => Lane::Suspect,
            Some(Condition::Slow) if !self.is_open(&Siblings::Provider(key.provider)) => Lane::Slow,
            _ if Siblings::of(key).iter().any(|siblings| self.is_open(siblings)) => Lane::Suspect,
            _ => Lane::Healthy,
        }
    }

    fn is_open(&self, siblings: &Siblings) -> bool {
        self.breakers.get(siblings).is_some_and(Breaker::is_open)
    }

    /// Records what a poll says about the siblings of its listing. A listing that fails again says nothing new. If one
    /// breaker is open, that explains a failure, which then says nothing about the other siblings.
    fn observe(&mut self, key: &ListingKey, condition: &Condition) {
        let has_failed = self.entries.get(key).is_some_and(|entry| entry.condition != Condition::Healthy);
        if has_failed && *condition != Condition::Healthy {
            return;
        }
        let all = Siblings::of(key);
        let explained = if *condition == Condition::Healthy { None } else { all.iter().find(|one| self.is_open(one)) };
        // The group first: if this opens the breaker of the provider, that takes it back.
        for siblings in explained.map_or(all.iter().rev().cloned().collect(), |one| vec![one.clone()]) {
            self.change_breaker(&siblings, &|breaker, siblings| breaker.observe(siblings, key, condition));
        }
    }

    /// Changes a breaker, and moves the waiting polls of its listings to the lane that follows.
    fn change_breaker(&mut self, siblings: &Siblings, change: &dyn Fn(&mut Breaker, &Siblings)) {
        let breaker = self.breakers.entry(siblings.clone()).or_default();
        let was_open = breaker.is_open();
        change(breaker, siblings);
        let is_open = breaker.is_open();
        if breaker.is_empty() {
            self.breakers.remove(siblings);
        }
        if was_open == is_open {
            return;
        }
        if is_open && let Siblings::Provider(provider) = *siblings {
            // The provider explains earlier failures in single groups, too.
            let groups: Vec<Siblings> =
                self.breakers.keys().filter(|siblings| matches!(siblings, Siblings::Group(_))).cloned().collect();
            for group in groups {
                self.change_breaker(&group, &|breaker, _| breaker.forget(|key| key.provider == provider));
            }
        }
        let moved: Vec<Place> = self.lanes.iter().filter(|place| siblings.include(&place.key)).cloned().collect();
        for place in moved {
            let lane = self.lane_of(&place.key);
            let entry = self.entries.get_mut(&place.key);
            let Some(Phase::Queued(old)) = entry.map(|entry| &mut entry.phase) else { continue };
            let old = std::mem::replace(old, lane);
            self.lanes.remove(old, &place);
            self.lanes.push(lane, place);
        }
    }

    fn set_timer(&mut self, key: &ListingKey, at: Option<Instant>) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        if let Some(before) = std::mem::replace(&mut entry.timer, at) {
            self.timers.remove(&(before, key.clone()));
        }
        if let Some(at) = at {
            self.timers.insert((at, key.clone()));
        }
    }
}

fn aborted(held: Duration) -> Failure {
    let seconds = held.as_secs_f64();
    let message = format!("no complete response within {seconds:.1} s, then aborted because other polls were waiting");
    Failure::without_request(Reason::Timeout, message)
}

#[cfg(test)]
mod tests;
