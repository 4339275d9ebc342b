//! Everything of a simulator that changes, under one lock that is never held across an await.

pub(crate) mod change;
pub(crate) mod digest;
pub(crate) mod groups;
pub(crate) mod rate_limits;
pub(crate) mod request_log;
pub(crate) mod tokens;

use std::{
    collections::{HashSet, VecDeque},
    mem,
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};
use tracing::warn;

use self::{
    change::MAX_REPEAT, digest::DigestVerifier, groups::Groups, rate_limits::RateLimits, request_log::LoggedRequest,
    tokens::Tokens,
};
use crate::{
    fault::Fault,
    scenario::{
        Scenario,
        group::ScenarioGroup,
        peering::{Dialect, ScenarioPeering},
        timeline::TimelineEntry,
    },
};

pub(crate) struct State {
    /// The scenario. Its groups, timeline and credentials are stored elsewhere.
    pub(crate) settings: Scenario,
    pub(crate) groups: Groups,
    /// The group and the ID or name of every peering that the timeline changes.
    in_timeline: HashSet<(String, String)>,
    pub(crate) digest: DigestVerifier,
    pub(crate) tokens: Tokens,
    pub(crate) rate_limits: RateLimits,
    /// From the oldest to the newest.
    pub(crate) faults: Vec<Fault>,
    /// From the oldest to the newest.
    pub(crate) log: VecDeque<LoggedRequest>,
}

impl State {
    /// The initial state of a scenario. Invalid groups are left out with a warning.
    pub(crate) fn new(mut scenario: Scenario) -> State {
        let mut groups = Groups::default();
        for group in mem::take(&mut scenario.groups) {
            if let Err(error) = groups.add(&group, MAX_REPEAT, SystemTime::now()) {
                warn!(group.id, "cannot add a group: {error}");
            }
        }
        let in_timeline = scenario.timeline.iter().filter_map(TimelineEntry::peering);
        State {
            in_timeline: in_timeline.map(|(group, peering)| (group.to_owned(), peering.to_owned())).collect(),
            digest: DigestVerifier::new(scenario.digest.clone(), scenario.credentials.clone()),
            tokens: Tokens::new(scenario.service_account.clone()),
            settings: scenario,
            groups,
            rate_limits: RateLimits::default(),
            faults: Vec::new(),
            log: VecDeque::new(),
        }
    }

    /// How long the next response takes.
    pub(crate) fn latency(&self) -> Duration {
        self.settings.latency.saturating_add(self.settings.jitter.mul_f64(fastrand::f64()))
    }

    /// The organization of a group.
    pub(crate) fn org_of<'a>(&'a self, group: &'a ScenarioGroup) -> &'a str {
        group.org_id.as_deref().unwrap_or(&self.settings.org_id)
    }

    /// Every group as the control API shows it.
    pub(crate) fn groups_body(&self) -> Value {
        self.groups.iter().map(|group| self.group_body(group)).collect()
    }

    fn group_body(&self, group: &ScenarioGroup) -> Value {
        let containers = group.containers.iter().map(|container| container.body(false));
        let peerings = group.peerings.iter().map(|peering| self.peering_body(&group.id, peering));
        json!({
            "id": group.id,
            "name": group.name,
            "access": group.access,
            "org_id": self.org_of(group),
            "tags": group.tags,
            "containers": containers.collect::<Value>(),
            "peerings": peerings.collect::<Value>(),
        })
    }

    fn peering_body(&self, group: &str, peering: &ScenarioPeering) -> Value {
        let mut body = peering.body(Dialect { nulls: false, provider_name: true });
        if let Some(name) = &peering.name {
            body["name"] = name.as_str().into();
        }
        if peering.keys().any(|key| self.in_timeline.contains(&(group.to_owned(), key.to_owned()))) {
            body["in_timeline"] = true.into();
        }
        body
    }
}
