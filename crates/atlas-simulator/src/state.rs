//! Everything of a simulator that changes, under one lock that is never held while waiting.

use std::{
    collections::HashSet,
    mem,
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};
use tracing::warn;

use super::{
    Scenario, TimelineEntry,
    buckets::Buckets,
    change::MAX_REPEAT,
    digest::Digest,
    fault::Faults,
    groups::Groups,
    inhabited::{Inhabited, Placed},
    log::Log,
    peering::Shape,
    tokens::Tokens,
};

#[derive(Debug)]
pub(super) struct State {
    /// The scenario, of which the groups, the timeline and the credentials have lives of their own.
    pub(super) settings: Scenario,
    pub(super) groups: Groups,
    /// The group and the id or name of every peering that the timeline changes, now or later.
    planned: HashSet<(String, String)>,
    pub(super) digest: Digest,
    pub(super) tokens: Tokens,
    pub(super) buckets: Buckets,
    pub(super) faults: Faults,
    pub(super) log: Log,
}

impl State {
    /// The beginning of a scenario; what does not fit in is left out with a warning.
    pub(super) fn new(mut scenario: Scenario) -> State {
        let mut groups = Groups::default();
        for group in mem::take(&mut scenario.groups) {
            if let Err(error) = groups.add(&group, MAX_REPEAT, SystemTime::now()) {
                warn!(group.id, "leave out a group: {error}");
            }
        }
        let planned = scenario.timeline.iter().filter_map(TimelineEntry::peering);
        State {
            planned: planned.map(|(group, peering)| (group.to_owned(), peering.to_owned())).collect(),
            digest: Digest::new(scenario.digest.clone(), scenario.credentials.clone()),
            tokens: Tokens::new(scenario.service_account.clone()),
            settings: scenario,
            groups,
            buckets: Buckets::default(),
            faults: Faults::default(),
            log: Log::default(),
        }
    }

    /// How long this answer takes.
    pub(super) fn latency(&self) -> Duration {
        self.settings.latency.saturating_add(self.settings.jitter.mul_f64(fastrand::f64()))
    }

    /// The organization of a group.
    pub(super) fn org_of<'a>(&'a self, group: &'a Inhabited) -> &'a str {
        group.org_id.as_deref().unwrap_or(&self.settings.org_id)
    }

    /// A group as the control API shows it.
    pub(super) fn shown(&self, group: &Inhabited) -> Value {
        let peerings: Vec<_> = group.peerings.iter().map(|placed| self.shown_peering(&group.id, placed)).collect();
        let containers = group.containers.iter().map(|contained| contained.container.body(&contained.id, false));
        json!({
            "id": group.id,
            "name": group.name,
            "access": group.access,
            "org_id": self.org_of(group),
            "tags": group.tags,
            "containers": containers.collect::<Vec<_>>(),
            "peerings": peerings,
        })
    }

    fn shown_peering(&self, group: &str, placed: &Placed) -> Value {
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
