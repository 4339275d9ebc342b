//! The lanes in which polls wait for a permit. The lanes share the permit time by weighted fair queueing, and so do the
//! providers within each lane.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;

use crate::state::ListingKey;
use atlas::Provider;

/// The shares of the permit time while all lanes have waiting polls.
const SHARES: [f64; 4] = [0.94, 0.01, 0.04, 0.01];

/// What is known of a listing decides in which lane its polls wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    Healthy,
    Slow,
    Suspect,
    Hanging,
}

impl Lane {
    const ALL: [Self; 4] = [Self::Healthy, Self::Slow, Self::Suspect, Self::Hanging];
}

/// The place of a poll in its lane.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Whether the last poll of the listing itself failed.
    pub(super) has_failed: bool,
    pub(super) due: Instant,
    pub(super) key: ListingKey,
}

/// The lanes of one account.
pub(super) struct Lanes {
    queues: [Queue; 4],
    /// The virtual time of the lane that started a poll last.
    virtual_time: f64,
}

/// The polls of one lane. The providers share its permit time equally, so that listings of a provider that is down do
/// not delay those of the others.
#[derive(Default)]
struct Queue {
    flows: BTreeMap<Provider, Flow>,
    /// The permit time that the lane has used, in seconds, divided by its share.
    virtual_time: f64,
    /// The virtual time of the flow that started a poll last.
    flow_time: f64,
}

/// The polls of one lane and provider.
struct Flow {
    waiting: BTreeSet<Place>,
    /// The permit time that the polls have used, in seconds.
    virtual_time: f64,
    /// What a poll usually costs, in seconds.
    cost: f64,
}

impl Lanes {
    /// Empty lanes. `cost` is what a poll costs as long as none has ended.
    pub(super) fn new(cost: Duration) -> Self {
        let flow = || Flow { waiting: BTreeSet::new(), virtual_time: 0.0, cost: cost.as_secs_f64() };
        let queue = || Queue { flows: Provider::ALL.map(|provider| (provider, flow())).into(), ..Queue::default() };
        Self { queues: [queue(), queue(), queue(), queue()], virtual_time: 0.0 }
    }

    /// How many polls wait in all lanes.
    pub(super) fn len(&self) -> usize {
        self.queues.iter().flat_map(|queue| queue.flows.values()).map(|flow| flow.waiting.len()).sum()
    }

    /// The waiting polls of all lanes.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Place> {
        self.queues.iter().flat_map(|queue| queue.flows.values().flat_map(|flow| &flow.waiting))
    }

    /// Whether any poll is waiting that is not expected to hang.
    pub(super) fn has_quick(&self) -> bool {
        Lane::ALL.into_iter().any(|lane| lane != Lane::Hanging && !self.queues[lane as usize].is_empty())
    }

    pub(super) fn push(&mut self, lane: Lane, place: Place) {
        let queue = &mut self.queues[lane as usize];
        // An idle lane or flow does not accumulate permit time.
        if queue.is_empty() {
            queue.virtual_time = queue.virtual_time.max(self.virtual_time);
        }
        let Some(flow) = queue.flows.get_mut(&place.key.provider) else { return };
        if flow.waiting.is_empty() {
            flow.virtual_time = flow.virtual_time.max(queue.flow_time);
        }
        flow.waiting.insert(place);
    }

    pub(super) fn remove(&mut self, lane: Lane, place: &Place) {
        if let Some(flow) = self.queues[lane as usize].flows.get_mut(&place.key.provider) {
            flow.waiting.remove(place);
        }
    }

    /// Removes and returns the poll to start next, among the lanes and providers that may start one.
    pub(super) fn pop(&mut self, may_start: impl Fn(Lane, Provider) -> bool) -> Option<(Lane, ListingKey)> {
        let queues = &self.queues;
        let next = |lane: Lane| {
            let flows = queues[lane as usize].flows.iter();
            let flows = flows.filter(|(provider, flow)| !flow.waiting.is_empty() && may_start(lane, **provider));
            let (provider, _) = flows.min_by(|(_, one), (_, other)| one.virtual_time.total_cmp(&other.virtual_time))?;
            Some((lane, *provider))
        };
        let time = |lane: Lane| queues[lane as usize].virtual_time;
        let next = Lane::ALL.into_iter().filter_map(next);
        let (lane, provider) = next.min_by(|(one, _), (other, _)| time(*one).total_cmp(&time(*other)))?;
        let queue = &mut self.queues[lane as usize];
        let flow = queue.flows.get_mut(&provider)?;
        let Place { key, .. } = flow.waiting.pop_first()?;
        (self.virtual_time, queue.flow_time) = (queue.virtual_time, flow.virtual_time);
        Some((lane, key))
    }

    /// Charges a lane and a provider the usual cost of a poll that starts. Returns the charge in seconds.
    pub(super) fn charge(&mut self, lane: Lane, provider: Provider) -> f64 {
        let queue = &mut self.queues[lane as usize];
        let cost = queue.flows.get(&provider).map_or(0.0, |flow| flow.cost);
        queue.charge(lane, provider, cost);
        cost
    }

    /// Corrects the charge for a poll that held its permit for this long.
    pub(super) fn settle(&mut self, lane: Lane, provider: Provider, charged: f64, held: Duration) {
        let (queue, held) = (&mut self.queues[lane as usize], held.as_secs_f64());
        queue.charge(lane, provider, held - charged);
        if let Some(flow) = queue.flows.get_mut(&provider) {
            flow.cost += (held - flow.cost) / 8.0;
        }
    }
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.flows.values().all(|flow| flow.waiting.is_empty())
    }

    fn charge(&mut self, lane: Lane, provider: Provider, cost: f64) {
        self.virtual_time += cost / SHARES[lane as usize];
        if let Some(flow) = self.flows.get_mut(&provider) {
            flow.virtual_time += cost;
        }
    }
}
