//! The lanes in which polls wait for a permit. They share the permit time by weighted fair queueing.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::Instant;

use crate::state::ListingKey;

/// The shares of the permit time while all lanes have waiting polls.
const SHARES: [f64; 3] = [0.95, 0.04, 0.01];

/// What is known of a listing decides in which lane its polls wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    Healthy,
    Suspect,
    Slow,
}

impl Lane {
    const ALL: [Self; 3] = [Self::Healthy, Self::Suspect, Self::Slow];
}

/// The place of a poll in its lane.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Whether the last poll of the listing itself failed or was slow.
    pub(super) has_failed: bool,
    pub(super) due: Instant,
    pub(super) key: ListingKey,
}

/// The lanes of one account.
pub(super) struct Lanes {
    queues: [Queue; 3],
    /// That of the lane that started a poll last.
    virtual_time: f64,
}

struct Queue {
    waiting: BTreeSet<Place>,
    /// The permit time that the lane has used, in seconds, divided by its share.
    virtual_time: f64,
    /// What a poll of the lane usually costs, in seconds.
    cost: f64,
}

impl Lanes {
    /// Empty lanes. `cost` is what a poll costs as long as none has ended.
    pub(super) fn new(cost: Duration) -> Self {
        let queue = || Queue { waiting: BTreeSet::new(), virtual_time: 0.0, cost: cost.as_secs_f64() };
        Self { queues: [queue(), queue(), queue()], virtual_time: 0.0 }
    }

    /// How many polls wait in all lanes.
    pub(super) fn len(&self) -> usize {
        self.queues.iter().map(|queue| queue.waiting.len()).sum()
    }

    /// The waiting polls of all lanes.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Place> {
        self.queues.iter().flat_map(|queue| &queue.waiting)
    }

    pub(super) fn is_empty(&self, lane: Lane) -> bool {
        self.queues[lane as usize].waiting.is_empty()
    }

    pub(super) fn push(&mut self, lane: Lane, place: Place) {
        let queue = &mut self.queues[lane as usize];
        if queue.waiting.is_empty() {
            // A lane does not save up the time in which it needs no permit.
            queue.virtual_time = queue.virtual_time.max(self.virtual_time);
        }
        queue.waiting.insert(place);
    }

    pub(super) fn remove(&mut self, lane: Lane, place: &Place) {
        self.queues[lane as usize].waiting.remove(place);
    }

    /// Takes out the poll to start next, from those of the lanes that may start one.
    pub(super) fn pop(&mut self, may_start: impl Fn(Lane) -> bool) -> Option<(Lane, ListingKey)> {
        let virtual_time = |lane: Lane| self.queues[lane as usize].virtual_time;
        let lanes = Lane::ALL.into_iter().filter(|lane| !self.is_empty(*lane) && may_start(*lane));
        let lane = lanes.min_by(|one, other| virtual_time(*one).total_cmp(&virtual_time(*other)))?;
        let queue = &mut self.queues[lane as usize];
        let Place { key, .. } = queue.waiting.pop_first()?;
        self.virtual_time = queue.virtual_time;
        Some((lane, key))
    }

    /// Charges the lane for a poll that starts, with what one usually costs. Returns that, in seconds.
    pub(super) fn charge(&mut self, lane: Lane) -> f64 {
        let queue = &mut self.queues[lane as usize];
        queue.virtual_time += queue.cost / SHARES[lane as usize];
        queue.cost
    }

    /// Corrects the charge for a poll that held its permit for this long.
    pub(super) fn settle(&mut self, lane: Lane, charged: f64, held: Duration) {
        let queue = &mut self.queues[lane as usize];
        queue.virtual_time += (held.as_secs_f64() - charged) / SHARES[lane as usize];
        queue.cost += (held.as_secs_f64() - queue.cost) / 8.0;
    }
}
