//! What is simulated: groups, peerings, habits and planned changes, read from YAML.

use std::{
    collections::HashSet,
    time::{Duration, SystemTime},
};

use serde::Deserialize;

use super::{
    AccessList, Change, ChangeError, Credentials, DigestSettings, Group, RateLimit, ServiceAccount, TimelineEntry,
    change::MAX_REPEAT, groups::Groups, period,
};

/// Everything a simulator needs to know.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// The only key that is accepted.
    pub credentials: Credentials,
    /// The only service account that is accepted.
    pub service_account: ServiceAccount,
    /// The organization of every group that names no other.
    pub org_id: String,
    /// How digest authentication behaves.
    pub digest: DigestSettings,
    /// The token bucket of each group, for the lists of its peerings and containers alike.
    pub rate_limit: RateLimit,
    /// The token bucket of each user, for the list of groups.
    pub group_list_rate_limit: RateLimit,
    /// The token bucket of each organization, for the list of its groups.
    pub org_rate_limit: RateLimit,
    /// How long an answer takes.
    #[serde(with = "period")]
    pub latency: Duration,
    /// How much longer an answer takes at random, at most.
    #[serde(with = "period")]
    pub jitter: Duration,
    /// Fields without a value are sent as null rather than left out.
    pub nulls: bool,
    /// Answers are compressed for clients that accept it.
    pub gzip: bool,
    /// How far off `totalCount` is: Atlas calls it an estimate.
    pub count_error: i64,
    /// Whether the client's address is on the access list.
    pub access_list: AccessList,
    /// When Atlas began to advise against the resources; sent as the header of that name.
    pub deprecation: Option<String>,
    /// When the resources will be gone; sent as the header of that name.
    pub sunset: Option<String>,
    /// The groups at the start.
    pub groups: Vec<Group>,
    /// What happens later.
    pub timeline: Vec<TimelineEntry>,
}

/// A scenario that makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// It is no YAML, or says something unknown.
    #[error("read the scenario")]
    Yaml(#[from] serde_yaml::Error),
    /// Two groups have the same id.
    #[error("the group `{0}` is there twice")]
    Twice(String),
    /// A group, a peering or a planned change does not fit.
    #[error("the scenario does not fit together")]
    Change(#[from] ChangeError),
}

impl Scenario {
    /// Reads a scenario and checks that its parts fit together.
    pub fn parse(yaml: &str) -> Result<Scenario, ScenarioError> {
        let scenario: Scenario = serde_yaml::from_str(yaml)?;
        scenario.check()?;
        Ok(scenario)
    }

    /// The scenario of the demo: a dozen groups, every documented status, changes that repeat.
    ///
    /// # Panics
    /// Never: a test parses the same text.
    #[must_use]
    pub fn demo() -> Scenario {
        Scenario::parse(include_str!("demo.yaml")).expect("the demo scenario is valid")
    }

    fn check(&self) -> Result<(), ScenarioError> {
        let mut ids = HashSet::new();
        if let Some(group) = self.groups.iter().find(|group| !ids.insert(&group.id)) {
            return Err(ScenarioError::Twice(group.id.clone()));
        }
        self.rehearse()
    }

    /// Every planned change needs something to happen to, there from the start or added later.
    fn rehearse(&self) -> Result<(), ScenarioError> {
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
            rate_limit: RateLimit::default(),
            group_list_rate_limit: RateLimit { capacity: 1200, refill_per_minute: 500 },
            org_rate_limit: RateLimit { capacity: 500, refill_per_minute: 250 },
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
