//! Polls one listing.

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::time::{Instant, sleep_until, timeout};
use tracing::debug;

use super::{
    containers::ContainerSchedule,
    context::{AccountContext, PAGE_RETRIES},
    events,
    rate_limit::Bucket,
    slots::SlotPermit,
};
use crate::state::{Failure, ListingEvent, ListingKey, PollResult, PollRun};
use atlas::{Listing, Reason};

/// Intervals that a poll waits for a slot before it counts as failed.
const QUEUE_INTERVALS: u32 = 3;

/// Polls one listing.
pub(super) struct Poller {
    key: ListingKey,
    context: Arc<AccountContext>,
    bucket: Bucket,
    containers: Arc<ContainerSchedule>,
    /// Whether the last poll timed out.
    is_slow: bool,
}

impl Poller {
    pub(super) fn new(key: ListingKey, context: Arc<AccountContext>, containers: Arc<ContainerSchedule>) -> Self {
        let bucket = Bucket::Group(key.group.clone());
        Self { key, context, bucket, containers, is_slow: false }
    }

    /// Polls each interval.
    pub(super) async fn run(mut self) {
        let context = self.context.clone();
        let interval = context.poll.interval;
        let now = Instant::now();
        let (due, is_first) = context.state.update_quietly(|state| {
            let is_first = state.listings.get(&self.key).is_none_or(|listing| listing.polls == 0);
            (state.ensure_due(&self.key, now.into_std()), is_first)
        });
        let mut due = due.map_or(now, Instant::from_std);
        if due > now + interval {
            // A reload made the interval shorter.
            due = now + interval.mul_f64(fastrand::f64());
        }
        // First polls start together; a random part of the first interval spreads the second ones.
        let mut spread = is_first.then(fastrand::f64);
        loop {
            sleep_until(due).await;
            let permit = self.acquire_slot(&context).await;
            if due.elapsed() > interval / 10 {
                // Polls that queued together would stay together.
                spread = spread.or_else(|| Some(1.0 - fastrand::f64() / 5.0));
            }
            // A back-off may have started while this poll was queued.
            due = match context.backoffs.remaining(&self.bucket) {
                None => self.poll(permit, spread.take().unwrap_or(1.0)).await,
                Some(remaining) if remaining <= interval => Instant::now() + remaining,
                Some(remaining) => {
                    let (now, seconds) = (Instant::now(), remaining.as_secs());
                    let message = format!("no request sent: the project is rate limited for another {seconds} s");
                    let failure = Failure::without_request(Reason::RateLimited, message);
                    self.record(now, now + interval, Err(failure));
                    now + interval
                }
            };
        }
    }

    /// Polls once.
    pub(super) async fn poll_once(mut self) {
        let context = self.context.clone();
        let permit = context.slots.acquire(false).await;
        self.poll(permit, 1.0).await;
    }

    /// Waits for a slot. A long wait is recorded as a failure.
    async fn acquire_slot<'a>(&self, context: &'a AccountContext) -> SlotPermit<'a> {
        let mut permit = pin!(context.slots.acquire(self.is_slow));
        let queue_timeout = context.poll.interval * QUEUE_INTERVALS;
        loop {
            if let Ok(permit) = timeout(queue_timeout, &mut permit).await {
                return permit;
            }
            let message = format!("no free slot for {} s: other polls hang", queue_timeout.as_secs());
            let now = Instant::now();
            self.record(now, now, Err(Failure::without_request(Reason::Timeout, message)));
        }
    }

    /// Polls and returns when the next poll is due: after `part` of the interval.
    async fn poll(&mut self, permit: SlotPermit<'_>, part: f64) -> Instant {
        let AccountContext { poll, client, backoffs, outage, .. } = &*self.context;
        let started = Instant::now();
        // A listing that hangs would hold its slot for much longer, and the next poll serves as a retry.
        let retries = if self.is_slow || outage.is_active() { 0 } else { PAGE_RETRIES };
        let outcome = client.list_peerings(&self.key.group, self.key.provider, poll.deadline, retries).await;
        drop(permit);
        outage.observe(&outcome);
        self.is_slow = outcome.as_ref().is_err_and(|error| error.kind.is_timeout());
        let mut due = started + poll.interval.mul_f64(part);
        if outcome.as_ref().is_err_and(|error| error.kind.reason() == Reason::RateLimited) {
            due = backoffs.remaining(&self.bucket).map_or(due, |remaining| due.min(Instant::now() + remaining));
        }
        // The next poll does not wait for the containers, so there must be time for them before it.
        let has_time = due.saturating_duration_since(Instant::now()) >= poll.interval / 2;
        let reads_containers = poll.containers
            && has_time
            && outcome.as_ref().is_ok_and(|listing| self.containers.start_if_due(listing, poll.interval));
        self.record(started, due, outcome.map_err(|error| Failure::from(&error)));
        if reads_containers {
            self.read_containers(due).await;
        }
        due
    }

    /// Reads the containers of the group before the next poll is due. A failure is only logged for debugging.
    async fn read_containers(&self, due: Instant) {
        let AccountContext { account, poll, client, backoffs, slots, state, .. } = &*self.context;
        let group = &self.key.group;
        let deadline = due.saturating_duration_since(Instant::now()).min(poll.deadline);
        let request = timeout(deadline, async {
            let _permit = slots.acquire(false).await;
            match backoffs.remaining(&self.bucket) {
                None => client.list_containers(group, deadline).await.map_err(|error| error.error_chain()),
                Some(_) => Err("the project is rate limited".to_owned()),
            }
        });
        match request.await.unwrap_or_else(|_| Err("the next poll is due".to_owned())) {
            Ok(found) => {
                self.containers.succeeded(&found);
                state.update(|state| state.record_containers(group, found));
            }
            Err(error) => {
                self.containers.failed();
                debug!(account = account.name, group = group.as_str(), "containers not read: {error}");
            }
        }
    }

    fn record(&self, started: Instant, due: Instant, outcome: Result<Listing, Failure>) {
        let AccountContext { account, state, log_limiter, rediscover, .. } = &*self.context;
        let poll = PollResult {
            ended: std::time::Instant::now(),
            ended_at: SystemTime::now(),
            run: Some(PollRun { lateness: Duration::ZERO, duration: started.elapsed() }),
            due: due.into_std(),
            outcome,
        };
        let (changes, name) = state.update(|state| {
            let changes = state.record_poll(&self.key, poll);
            let group = state.groups.get(&self.key.group).filter(|_| !changes.is_empty());
            let name = group.map(|group| group.name.clone()).unwrap_or_default();
            (changes, name)
        });
        // After the update, because writing the log may be slow and must not hold the state's lock.
        for change in changes {
            if change == ListingEvent::GroupMissing {
                rediscover.notify_one();
            }
            events::log_listing(&account.name, &self.key, &name, log_limiter, change);
        }
    }
}
