//! Scenarios: the groups, settings and planned changes of a simulator, read from YAML.

pub(crate) mod container;
pub(crate) mod duration_serde;
pub(crate) mod group;
pub(crate) mod peering;
pub(crate) mod provider;
pub(crate) mod settings;
pub(crate) mod timeline;

use std::{
    collections::HashSet,
    time::{Duration, SystemTime},
};

use serde::Deserialize;
use yaml_reader::YamlError;

use self::{
    group::ScenarioGroup,
    settings::{AccessList, Credentials, DigestSettings, RateLimitSettings, ServiceAccount},
    timeline::TimelineEntry,
};
use crate::state::{
    change::{Change, ChangeError, MAX_REPEAT},
    groups::Groups,
};

/// What a simulator serves. Its `Debug` hides the secrets.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// The only accepted API key.
    pub credentials: Credentials,
    /// The only accepted service account.
    pub service_account: ServiceAccount,
    /// The organization of every group without one of its own.
    pub org_id: String,
    /// How digest authentication works.
    pub digest: DigestSettings,
    /// The token bucket of each group, for the lists of its peerings and containers together.
    pub rate_limit: RateLimitSettings,
    /// The token bucket of each caller, for the list of groups.
    pub group_list_rate_limit: RateLimitSettings,
    /// The token bucket of each organization, for the list of its groups.
    pub org_rate_limit: RateLimitSettings,
    /// How long a response takes.
    #[serde(with = "duration_serde")]
    pub latency: Duration,
    /// The most that is added to the latency at random.
    #[serde(with = "duration_serde")]
    pub jitter: Duration,
    /// Sends fields without a value as null instead of leaving them out.
    pub nulls: bool,
    /// Compresses responses for clients that accept it.
    pub gzip: bool,
    /// How far off `totalCount` is: Atlas calls it an estimate.
    pub count_error: i64,
    /// Whether the client's address is on the access list.
    pub access_list: AccessList,
    /// The header `Deprecation` of every resource.
    pub deprecation: Option<String>,
    /// The header `Sunset` of every resource.
    pub sunset: Option<String>,
    /// The groups at the start.
    pub groups: Vec<ScenarioGroup>,
    /// The planned changes.
    pub timeline: Vec<TimelineEntry>,
}

/// An invalid scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// It is not YAML, too large, or has unknown keys or invalid values.
    #[error("read the scenario")]
    Yaml(#[from] YamlError),
    /// Two groups have the same ID.
    #[error("the group `{0}` is listed twice")]
    Twice(String),
    /// A group, a peering or a planned change is inconsistent with the rest.
    #[error("the scenario is inconsistent")]
    Change(#[from] ChangeError),
}

impl Scenario {
    /// Reads a scenario and checks its consistency.
    pub fn parse(yaml: &str) -> Result<Scenario, ScenarioError> {
        let scenario: Scenario = yaml_reader::from_str(yaml)?;
        let mut ids = HashSet::new();
        if let Some(group) = scenario.groups.iter().find(|group| !ids.insert(&group.id)) {
            return Err(ScenarioError::Twice(group.id.clone()));
        }
        scenario.dry_run()?;
        Ok(scenario)
    }

    /// The scenario of the demo: a dozen groups, every documented status, and changes that repeat.
    ///
    /// # Panics
    /// Never: a test parses the same text.
    #[must_use]
    pub fn demo() -> Scenario {
        Scenario::parse(include_str!("demo.yaml")).expect("the demo scenario is valid")
    }

    /// Checks that every planned change affects a peering that is there from the start or added later.
    fn dry_run(&self) -> Result<(), ChangeError> {
        let now = SystemTime::now();
        let mut groups = Groups::default();
        for group in &self.groups {
            groups.add(group, MAX_REPEAT, now)?;
        }
        for entry in &self.timeline {
            if let Change::Add(_) = entry.change {
                groups.change(&entry.group, &entry.change, now)?;
            }
        }
        for entry in &self.timeline {
            if let Change::Status { peering, .. } | Change::Remove { peering } = &entry.change {
                groups.find(&entry.group, peering)?;
            }
        }
        Ok(())
    }
}

impl Default for Scenario {
    fn default() -> Scenario {
        Scenario {
            credentials: Credentials::default(),
            service_account: ServiceAccount::default(),
            org_id: "5f0000000000000000000001".to_owned(),
            digest: DigestSettings::default(),
            rate_limit: RateLimitSettings::default(),
            group_list_rate_limit: RateLimitSettings { capacity: 1200, refill_per_minute: 500 },
            org_rate_limit: RateLimitSettings { capacity: 500, refill_per_minute: 250 },
            latency: Duration::ZERO,
            jitter: Duration::ZERO,
            nulls: false,
            gzip: true,
            count_error: 0,
            access_list: AccessList::Allow,
            deprecation: None,
            sunset: None,
            groups: Vec::new(),
            timeline: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
