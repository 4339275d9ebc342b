//! What a scenario may say, and what the demo shows.

use super::{peering::ScenarioPeering, provider::ScenarioProvider, settings::Algorithm, timeline::Timeline, *};
use crate::simulator::Simulator;

const GROUP: &str =
    "groups: [{id: 5f3a556351db42631e16f301, name: g, peerings: [{name: p, provider: AWS, status: AVAILABLE}]}]";

/// A scenario of one group.
fn with_peerings(peerings: &str) -> String {
    format!("groups: [{{id: 5f3a556351db42631e16f301, name: g, peerings: [{peerings}]}}]")
}

#[test]
fn an_empty_scenario_behaves_like_atlas() {
    let scenario = Scenario::parse("{}").unwrap();
    assert_eq!(scenario.digest.algorithm, Algorithm::Md5);
    assert!(scenario.digest.qop && scenario.gzip && !scenario.nulls);
    assert_eq!((scenario.rate_limit.capacity, scenario.rate_limit.refill_per_minute), (2000, 1000));
    let limit = |limit: RateLimitSettings| (limit.capacity, limit.refill_per_minute);
    assert_eq!((limit(scenario.group_list_rate_limit), limit(scenario.org_rate_limit)), ((1200, 500), (500, 250)));
    assert_eq!(scenario.access_list, AccessList::Allow);
    let account = scenario.service_account;
    assert_eq!(account.client_id, "mdb_sa_id_5f0000000000000000000002");
    assert_eq!(account.token_lifetime, Duration::from_secs(3600));
    assert_eq!((account.mints_per_minute, account.max_tokens), (10, 100));
    assert_eq!((scenario.deprecation, scenario.sunset), (None, None));
}

#[test]
fn every_setting_is_read() {
    let scenario = Scenario::parse(
        "{credentials: {public_key: a, private_key: b}, org_id: o, latency: 5ms, jitter: 1ms, nulls: true,
          digest: {algorithm: SHA-256, qop: false, nonce_lifetime: 1s, nonce_uses: 2}, gzip: false,
          service_account: {client_id: c, client_secret: d, token_lifetime: 1s, mints_per_minute: 2, max_tokens: 3},
          rate_limit: {capacity: 1, refill_per_minute: 2}, group_list_rate_limit: {capacity: 3, refill_per_minute: 4},
          org_rate_limit: {capacity: 5, refill_per_minute: 6}, deprecation: then, sunset: later,
          count_error: -1, access_list: deny,
          groups: [{id: 5f3a556351db42631e16f301, name: g, org_id: 5f3a556351db42631e16f300, tags: {env: production},
            containers: [{provider: aws, regionName: EU_WEST_1}]}]}",
    )
    .unwrap();
    assert_eq!(scenario.credentials.private_key, "b");
    assert_eq!(scenario.digest.algorithm, Algorithm::Sha256);
    assert_eq!(scenario.digest.nonce_uses, Some(2));
    assert_eq!(scenario.latency, Duration::from_millis(5));
    assert_eq!(scenario.access_list, AccessList::Deny);
    assert_eq!((scenario.service_account.client_secret.as_str(), scenario.service_account.max_tokens), ("d", 3));
    assert_eq!((scenario.group_list_rate_limit.capacity, scenario.org_rate_limit.refill_per_minute), (3, 6));
    assert_eq!((scenario.deprecation.as_deref(), scenario.sunset.as_deref()), (Some("then"), Some("later")));
    let group = &scenario.groups[0];
    assert_eq!((group.org_id.as_deref(), group.tags["env"].as_str()), (Some("5f3a556351db42631e16f300"), "production"));
    assert_eq!(group.containers[0].fields["regionName"], "EU_WEST_1");
}

#[test]
fn unknown_keys_are_refused_everywhere() {
    for yaml in [
        "{color: red}",
        "{credentials: {public_key: a, private_key: b, color: red}}",
        "{service_account: {color: red}}",
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
    for peering in ["repeat: 100001", "repeat: 0", "id: 5f3a556351db42631e16f303, repeat: 2"] {
        let error = refused(&with_peerings(&format!("{{provider: AWS, status: AVAILABLE, {peering}}}")));
        assert!(matches!(error, ScenarioError::Change(ChangeError::BadRepeat { .. })), "{peering}");
    }
    for entry in [
        "{after: 1s, group: 5f3a556351db42631e16f302, peering: p, remove: true}",
        "{after: 1s, group: 5f3a556351db42631e16f301, peering: q, status: FAILED}",
        "{after: 1s, group: 5f3a556351db42631e16f301, add: {provider: AWS, status: AVAILABLE, repeat: 1001}}",
    ] {
        let error = refused(&format!("{GROUP}\ntimeline: [{entry}]"));
        assert!(matches!(error, ScenarioError::Change(_)), "{entry}");
    }
}

#[test]
fn an_id_or_name_belongs_to_one_peering_of_a_group() {
    for peerings in [
        "{provider: AWS, status: A, name: p}, {provider: GCP, status: A, name: p}",
        "{provider: AWS, status: A, name: p, repeat: 2}",
        "{provider: AWS, status: A, id: 5f3a556351db42631e16f303}, {provider: GCP, status: A, id: 5f3a556351db42631e16f303}",
        "{provider: AWS, status: A, id: 5f3a556351db42631e16f303}, {provider: GCP, status: A, name: 5f3a556351db42631e16f303}",
    ] {
        let error = Scenario::parse(&with_peerings(peerings)).unwrap_err();
        assert!(matches!(error, ScenarioError::Change(ChangeError::Twice { .. })), "{peerings}");
    }
    let numbered = "{provider: AWS, status: A, name: 'p{n}', repeat: 2}";
    Scenario::parse(&with_peerings(numbered)).unwrap();
}

#[test]
fn odd_texts_and_numbers_are_no_panic() {
    for peering in ["{provider: '', status: ''}", "{provider: \u{1f980}, status: A}"] {
        Scenario::parse(&with_peerings(peering)).unwrap_err();
    }
    let peering = "{provider: aws, status: '', name: '', error: '', '': '', age: 100y, \u{1f980}: .nan, repeat: 1}";
    let mut scenario = Scenario::parse(&with_peerings(peering)).unwrap();
    scenario.count_error = i64::MIN;
    scenario.jitter = Duration::MAX;
    scenario.latency = Duration::MAX;
    let simulator = Simulator::new(scenario);
    assert_eq!(simulator.groups()[0]["peerings"][0]["statusName"], "");
    assert_eq!(simulator.state().latency(), Duration::MAX);
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
    for yaml in ["credentials: {public_key: a, private_key: hush}", "service_account: {client_secret: hush}"] {
        let scenario = Scenario::parse(yaml).unwrap();
        assert!(!format!("{scenario:?}").contains("hush"), "{yaml}");
    }
}

#[test]
fn the_demo_shows_every_documented_status_of_every_provider() {
    let demo = Scenario::demo();
    let peerings = || demo.groups.iter().flat_map(|group| &group.peerings);
    for (provider, statuses) in [
        (ScenarioProvider::Aws, "INITIATING PENDING_ACCEPTANCE FAILED FINALIZING AVAILABLE TERMINATING"),
        (ScenarioProvider::Azure, "ADDING_PEER AVAILABLE FAILED DELETION_FAILED DELETING"),
        (ScenarioProvider::Gcp, "ADDING_PEER WAITING_FOR_USER AVAILABLE FAILED DELETING"),
    ] {
        for status in statuses.split(' ') {
            let shown = |peering: &ScenarioPeering| peering.provider == provider && peering.status == status;
            assert!(peerings().any(shown), "{provider:?} {status}");
        }
    }
    for error in ["REJECTED", "EXPIRED", "INVALID_ARGUMENT", "RETRYABLE"] {
        assert!(peerings().any(|peering| peering.error.as_deref() == Some(error)), "{error}");
    }
    assert_eq!(demo.groups.len(), 12);
    assert!(demo.groups.iter().any(|group| group.peerings.is_empty()));
}

#[test]
fn every_peering_of_the_demo_has_its_container_and_every_group_its_environment() {
    let demo = Scenario::demo();
    let added = demo.timeline.iter().filter_map(|entry| match &entry.change {
        Change::Add(peering) => Some((entry.group.as_str(), peering)),
        _ => None,
    });
    let from_the_start = demo.groups.iter().flat_map(|group| group.peerings.iter().map(|one| (group.id.as_str(), one)));
    for (group, peering) in from_the_start.chain(added) {
        let group = demo.groups.iter().find(|known| known.id == group).unwrap();
        let id = peering.fields["containerId"].as_str();
        let container = group.containers.iter().find(|container| container.id.as_deref() == id);
        assert_eq!(container.map(|container| container.provider), Some(peering.provider), "{} {id:?}", group.name);
    }
    for group in &demo.groups {
        assert!(["production", "staging", "sandbox"].contains(&group.tags["env"].as_str()), "{}", group.name);
        assert!(group.containers.iter().all(|one| one.fields.contains_key("atlasCidrBlock")), "{}", group.name);
    }
    let regions =
        |field: &str| demo.groups.iter().flat_map(|group| &group.containers).any(|one| one.fields.contains_key(field));
    assert!(regions("regionName") && regions("region") && !regions("regions"));
}

#[test]
fn the_timeline_of_the_demo_breaks_peerings_and_mends_them_for_ever() {
    let demo = Scenario::demo();
    assert!(!demo.timeline.is_empty());
    assert!(demo.timeline.iter().all(|entry| entry.every.is_some()));
    let names = ["checkout", "logistics", "analytics-batch"];
    let peerings = || demo.groups.iter().flat_map(|group| &group.peerings);
    let mut seen = names.map(|name| {
        let peering = peerings().find(|peering| peering.name.as_deref() == Some(name));
        vec![peering.unwrap().status.clone()]
    });
    let mut timeline = Timeline::new(demo.timeline.clone());
    let simulator = Simulator::new(demo.clone());
    while let Some(entry) = timeline.next().filter(|entry| entry.after < Duration::from_secs(600)) {
        simulator.change(&entry.group, &entry.change).unwrap();
        let groups = simulator.groups();
        let peerings: Vec<_> =
            groups.as_array().unwrap().iter().filter_map(|group| group["peerings"].as_array()).flatten().collect();
        for (name, seen) in names.iter().zip(&mut seen) {
            let peering = peerings.iter().find(|peering| peering["name"] == *name).unwrap();
            let status = peering.get("statusName").unwrap_or(&peering["status"]).as_str().unwrap();
            if seen.last().map(String::as_str) != Some(status) {
                seen.push(status.to_owned());
            }
        }
    }
    for (name, seen) in names.iter().zip(seen) {
        assert!(seen.len() > 4, "{name}: {seen:?}");
        assert!(seen.iter().step_by(2).all(|status| status == "AVAILABLE"), "{name}: {seen:?}");
    }
}
