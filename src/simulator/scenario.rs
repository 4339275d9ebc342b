//! What is simulated: groups, peerings, habits and planned changes, read from YAML.

use std::{
    collections::HashSet,
    time::{Duration, SystemTime},
};

use serde::Deserialize;

use super::{
    AccessList, Change, ChangeError, Credentials, DigestSettings, Peering, RateLimit, TimelineEntry, groups::Groups,
    period,
};

/// A `repeat` beyond this is taken for a typing error.
const MAX_REPEAT: u32 = 100_000;

/// Everything a simulator needs to know.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// The only key that is accepted.
    pub credentials: Credentials,
    /// The organization every group belongs to.
    pub org_id: String,
    /// How digest authentication behaves.
    pub digest: DigestSettings,
    /// The token bucket of each group.
    pub rate_limit: RateLimit,
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
    /// Whether the client's address is on the access list of the key.
    pub access_list: AccessList,
    /// The groups at the start.
    pub groups: Vec<Group>,
    /// What happens later.
    pub timeline: Vec<TimelineEntry>,
}

/// An Atlas group.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// 24 hexadecimal digits.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// False for a group on which the key has no role.
    #[serde(default = "yes")]
    pub access: bool,
    /// Its peerings, of every provider.
    #[serde(default)]
    pub peerings: Vec<Peering>,
}

/// A scenario that makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// It is no YAML, or says something unknown.
    #[error("read the scenario")]
    Yaml(#[from] serde_yaml::Error),
    /// Two groups, or two peerings of one group, have the same id.
    #[error("the id `{0}` is there twice")]
    Twice(String),
    /// More peerings than a scenario can mean.
    #[error("`repeat` is {0}, more than {MAX_REPEAT}")]
    TooMany(u32),
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
        for group in &self.groups {
            let peerings = group.peerings.iter();
            if let Some(repeat) = peerings.filter_map(|peering| peering.repeat).find(|&n| n > MAX_REPEAT) {
                return Err(ScenarioError::TooMany(repeat));
            }
            let own = group.peerings.iter().flat_map(Peering::copies).filter_map(|peering| peering.id);
            for id in own.chain([group.id.clone()]) {
                if !ids.insert((group.id.clone(), id.clone())) {
                    return Err(ScenarioError::Twice(id));
                }
            }
        }
        self.rehearse()
    }

    /// Every planned change needs something to happen to, there from the start or added later.
    fn rehearse(&self) -> Result<(), ScenarioError> {
        let now = SystemTime::now();
        let mut groups = Groups::default();
        for group in &self.groups {
            groups.add(group, now)?;
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
            org_id: "5f0000000000000000000001".to_owned(),
            digest: DigestSettings::default(),
            rate_limit: RateLimit::default(),
            latency: Duration::ZERO,
            jitter: Duration::ZERO,
            nulls: false,
            gzip: true,
            count_error: 0,
            access_list: AccessList::Allow,
            groups: Vec::new(),
            timeline: Vec::new(),
        }
    }
}

impl Group {
    /// A group on which the key has a role.
    #[must_use]
    pub fn new(id: &str, name: &str, peerings: Vec<Peering>) -> Group {
        Group { id: id.to_owned(), name: name.to_owned(), access: true, peerings }
    }
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::{super::Provider, *};

    const GROUP: &str =
        "groups: [{id: 5f3a556351db42631e16f301, name: g, peerings: [{name: p, provider: AWS, status: AVAILABLE}]}]";

    #[test]
    fn an_empty_scenario_behaves_like_atlas() {
        let scenario = Scenario::parse("{}").unwrap();
        assert_eq!(scenario.digest.algorithm, super::super::Algorithm::Md5);
        assert!(scenario.digest.qop && scenario.gzip && !scenario.nulls);
        assert_eq!((scenario.rate_limit.capacity, scenario.rate_limit.refill_per_minute), (2000, 1000));
        assert_eq!(scenario.access_list, AccessList::Allow);
    }

    #[test]
    fn every_setting_is_read() {
        let scenario = Scenario::parse(
            "{credentials: {public_key: a, private_key: b}, org_id: o, latency: 5ms, jitter: 1ms, nulls: true,
              digest: {algorithm: SHA-256, qop: false, nonce_lifetime: 1s, nonce_uses: 2}, gzip: false,
              rate_limit: {capacity: 1, refill_per_minute: 2}, count_error: -1, access_list: deny}",
        )
        .unwrap();
        assert_eq!(scenario.credentials.private_key, "b");
        assert_eq!(scenario.digest.algorithm, super::super::Algorithm::Sha256);
        assert_eq!(scenario.digest.nonce_uses, Some(2));
        assert_eq!(scenario.latency, Duration::from_millis(5));
        assert_eq!(scenario.access_list, AccessList::Deny);
    }

    #[test]
    fn unknown_keys_are_refused_everywhere() {
        for yaml in [
            "{color: red}",
            "{credentials: {public_key: a, private_key: b, color: red}}",
            "{digest: {color: red}}",
            "{rate_limit: {color: red}}",
            "{groups: [{id: 5f3a556351db42631e16f301, name: g, color: red}]}",
        ] {
            let error = Scenario::parse(yaml).unwrap_err();
            assert!(matches!(error, ScenarioError::Yaml(_)), "{yaml}");
        }
    }

    #[test]
    fn parts_that_do_not_fit_together_are_refused() {
        let refused = |yaml: &str| Scenario::parse(yaml).unwrap_err();
        assert!(matches!(refused("groups: [{id: g1, name: g}]"), ScenarioError::Change(ChangeError::BadId(_))));
        let twice = "{id: 5f3a556351db42631e16f301, name: g}";
        assert!(matches!(refused(&format!("groups: [{twice}, {twice}]")), ScenarioError::Twice(_)));
        for entry in [
            "{after: 1s, group: 5f3a556351db42631e16f302, peering: p, remove: true}",
            "{after: 1s, group: 5f3a556351db42631e16f301, peering: q, status: FAILED}",
        ] {
            let error = refused(&format!("{GROUP}\ntimeline: [{entry}]"));
            assert!(matches!(error, ScenarioError::Change(_)), "{entry}");
        }
    }

    #[test]
    fn a_planned_addition_can_be_changed_and_removed_later() {
        let group = "group: 5f3a556351db42631e16f301";
        let yaml = format!(
            "{GROUP}
timeline:
  - {{after: 2s, {group}, peering: q, remove: true}}
  - {{after: 3s, {group}, peering: q, remove: true}}
  - {{after: 1s, {group}, add: {{name: q, provider: GCP, status: ADDING_PEER}}}}"
        );
        assert_eq!(Scenario::parse(&yaml).unwrap().timeline.len(), 3);
    }

    #[test]
    fn a_secret_is_not_printed() {
        let scenario = Scenario::parse("credentials: {public_key: a, private_key: hush}").unwrap();
        assert!(!format!("{scenario:?}").contains("hush"));
    }

    #[test]
    fn the_demo_shows_every_documented_status_of_every_provider() {
        let demo = Scenario::demo();
        let peerings = || demo.groups.iter().flat_map(|group| &group.peerings);
        for (provider, statuses) in [
            (Provider::Aws, "INITIATING PENDING_ACCEPTANCE FAILED FINALIZING AVAILABLE TERMINATING"),
            (Provider::Azure, "ADDING_PEER AVAILABLE FAILED DELETION_FAILED DELETING"),
            (Provider::Gcp, "ADDING_PEER WAITING_FOR_USER AVAILABLE FAILED DELETING"),
        ] {
            for status in statuses.split(' ') {
                let shown = |peering: &Peering| peering.provider == provider && peering.status == status;
                assert!(peerings().any(shown), "{provider:?} {status}");
            }
        }
        for error in ["REJECTED", "EXPIRED", "INVALID_ARGUMENT", "RETRYABLE"] {
            assert!(peerings().any(|peering| peering.error.as_deref() == Some(error)), "{error}");
        }
        assert_eq!(demo.groups.len(), 12);
        assert!(demo.groups.iter().any(|group| group.peerings.is_empty()));
        assert!(demo.timeline.iter().all(|entry| entry.every.is_some()));
    }
}
