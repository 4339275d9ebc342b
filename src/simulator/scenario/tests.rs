//! What a scenario may say, and what the demo shows.

use super::{
    super::{Algorithm, Provider},
    *,
};

const GROUP: &str =
    "groups: [{id: 5f3a556351db42631e16f301, name: g, peerings: [{name: p, provider: AWS, status: AVAILABLE}]}]";

#[test]
fn an_empty_scenario_behaves_like_atlas() {
    let scenario = Scenario::parse("{}").unwrap();
    assert_eq!(scenario.digest.algorithm, Algorithm::Md5);
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
    assert_eq!(scenario.digest.algorithm, Algorithm::Sha256);
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
    for peering in ["repeat: 100001", "id: 5f3a556351db42631e16f303, repeat: 2"] {
        let peering = format!("{{provider: AWS, status: AVAILABLE, {peering}}}");
        let yaml = format!("groups: [{{id: 5f3a556351db42631e16f301, name: g, peerings: [{peering}]}}]");
        let error = refused(&yaml);
        assert!(matches!(error, ScenarioError::Change(ChangeError::TooMany(_))), "{peering}");
    }
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
