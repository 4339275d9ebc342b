//! The handle on a running simulator, for tests, the demo and the control API.

use std::{
    collections::{HashMap, HashSet},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};
use tracing::warn;

use super::{
    Change, ChangeError, Fault, Group, Peering, Request, Scenario, TimelineEntry,
    bucket::Bucket,
    digest::Digest,
    fault::Faults,
    groups::{Groups, Placed},
    log::Log,
    peering::Shape,
    timeline::Timeline,
};

/// A simulated Atlas API; clones are handles on the same one.
#[derive(Clone, Debug)]
pub struct Simulator {
    state: Arc<Mutex<State>>,
}

/// Everything that changes, under one lock that is never held while waiting.
#[derive(Debug)]
pub(super) struct State {
    /// The scenario without its groups and timeline, which have lives of their own.
    pub(super) settings: Scenario,
    pub(super) groups: Groups,
    /// The group and the id or name of every peering that the timeline changes, now or later.
    planned: HashSet<(String, String)>,
    pub(super) digest: Digest,
    /// Of the listings of each group.
    pub(super) buckets: HashMap<String, Bucket>,
    /// Of the other requests about each group.
    pub(super) group_buckets: HashMap<String, Bucket>,
    pub(super) faults: Faults,
    pub(super) log: Log,
}

impl State {
    /// How long this answer takes.
    pub(super) fn latency(&self) -> Duration {
        self.settings.latency.saturating_add(self.settings.jitter.mul_f64(fastrand::f64()))
    }

    /// A peering as the control API shows it.
    fn shown(&self, group: &str, placed: &Placed) -> Value {
        let mut body = placed.peering.body(&placed.id, Shape { nulls: false, provider_name: true });
        if let Some(name) = &placed.peering.name {
            body["name"] = name.as_str().into();
        }
        if placed.keys().any(|key| self.planned.contains(&(group.to_owned(), key.to_owned()))) {
            body["in_timeline"] = true.into();
        }
        body
    }
}

impl Simulator {
    /// A simulator as the scenario describes it; what does not fit in is left out with a warning.
    #[must_use]
    pub fn new(mut scenario: Scenario) -> Simulator {
        let mut groups = Groups::default();
        for group in mem::take(&mut scenario.groups) {
            if let Err(error) = groups.add(&group, SystemTime::now()) {
                warn!(group.id, "leave out a group: {error}");
            }
        }
        let planned = scenario.timeline.iter().filter_map(TimelineEntry::peering);
        let state = State {
            planned: planned.map(|(group, peering)| (group.to_owned(), peering.to_owned())).collect(),
            digest: Digest::new(scenario.digest.clone(), scenario.credentials.clone()),
            settings: scenario,
            groups,
            buckets: HashMap::new(),
            group_buckets: HashMap::new(),
            faults: Faults::default(),
            log: Log::default(),
        };
        Simulator { state: Arc::new(Mutex::new(state)) }
    }

    /// What it was asked since the last clear; the newest 100,000.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.state().log.all()
    }

    /// Forgets what it was asked.
    pub fn clear_requests(&self) {
        self.state().log.clear();
    }

    /// Gives a peering, named by id or name, another status and error.
    pub fn set_status(&self, group: &str, peering: &str, status: &str, error: Option<&str>) -> Result<(), ChangeError> {
        let change =
            Change::Status { peering: peering.to_owned(), status: status.to_owned(), error: error.map(str::to_owned) };
        self.change(group, &change).map(drop)
    }

    /// Adds a peering, or replaces the one with its id or name; returns the ids, one for each copy.
    pub fn put_peering(&self, group: &str, peering: Peering) -> Result<Vec<String>, ChangeError> {
        self.change(group, &Change::Add(peering))
    }

    /// Removes a peering, named by id or name.
    pub fn remove_peering(&self, group: &str, peering: &str) -> Result<(), ChangeError> {
        let peering = peering.to_owned();
        self.change(group, &Change::Remove { peering }).map(drop)
    }

    /// Makes any change and returns the ids of the peerings it touched.
    pub fn change(&self, group: &str, change: &Change) -> Result<Vec<String>, ChangeError> {
        self.state().groups.change(group, change, SystemTime::now())
    }

    /// Adds a group, or replaces the one with its id.
    pub fn add_group(&self, group: &Group) -> Result<(), ChangeError> {
        self.state().groups.add(group, SystemTime::now())
    }

    /// Removes a group with all its peerings.
    pub fn remove_group(&self, id: &str) -> Result<(), ChangeError> {
        self.state().groups.remove(id)
    }

    /// Every group with its peerings as v2 shows them, and what only the control API knows of them: the `name`,
    /// and `in_timeline` for those that the scenario's timeline changes.
    #[must_use]
    pub fn groups(&self) -> Value {
        let state = self.state();
        let groups = state.groups.iter().map(|group| {
            let peerings: Vec<_> = group.peerings.iter().map(|placed| state.shown(&group.id, placed)).collect();
            json!({"id": group.id, "name": group.name, "access": group.access, "peerings": peerings})
        });
        groups.collect()
    }

    /// Makes something go wrong from now on; the newest fault that matches a request wins.
    pub fn fail(&self, fault: Fault) {
        self.state().faults.set(fault);
    }

    /// The faults that are set and not used up.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        self.state().faults.all().to_vec()
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// Takes what is planned; there is nothing left for a second caller.
    pub(super) fn take_timeline(&self) -> Timeline {
        Timeline::new(mem::take(&mut self.state().settings.timeline))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
