//! What a scenario can contain, and what the demo shows.

use super::{peering::ScenarioPeering, provider::ScenarioProvider, settings::Algorithm, timeline::Timeline, *};
use crate::simulator::Simulator;

const GROUP_YAML: &str = "group: 5f3a556351db42631e16f301";
const ONE: &str = "{name: p, provider: AWS, status: AVAILABLE}";

/// A scenario of one group.
fn with_peerings(peerings: &str) -> String {
    format!("groups: [{{id: 5f3a556351db42631e16f301, name: g, peerings: [{peerings}]}}]")
}

fn peerings(scenario: &Scenario) -> impl Iterator<Item = (&ScenarioGroup, &ScenarioPeering)> {
    scenario.groups.iter().flat_map(|group| group.peerings.iter().map(move |peering| (group, peering)))
}

#[test]
fn settings_have_the_documented_values() {
    let scenario = Scenario::parse(
        "{digest: {algorithm: SHA-256, nonce_lifetime: 1s}, latency: 5ms, access_list: deny,
          groups: [{id: 5f3a556351db42631e16f301, name: g, containers: [{provider: aws, regionName: EU_WEST_1}]}]}",
    )
    .unwrap();
    assert_eq!((scenario.digest.algorithm, scenario.access_list), (Algorithm::Sha256, AccessList::Deny));
    assert_eq!((scenario.digest.nonce_lifetime, scenario.latency.as_millis()), (Duration::from_secs(1), 5));
    assert_eq!(scenario.groups[0].containers[0].fields["regionName"], "EU_WEST_1");
    let text = format!("{:?}", Scenario::default());
    assert!(
        text.contains("public_key: \"demo\"") && !text.contains("private") && !text.contains("mdb_sa_sk"),
        "{text}"
    );
    assert!(scenario.groups[0].access && scenario.digest.qop && scenario.gzip && !scenario.nulls);
}

#[test]
fn an_inconsistent_scenario_is_rejected() {
    let id = "5f3a556351db42631e16f303";
    let group = "{id: 5f3a556351db42631e16f301, name: g}";
    let copies = |fields: &str| with_peerings(&format!("{{provider: AWS, status: A, {fields}}}"));
    let pair = |one: &str, other: &str| copies(&format!("{one}}}, {{provider: AWS, status: A, {other}"));
    let planned = |entry: &str| format!("{}\ntimeline: [{{after: 1s, {entry}}}]", with_peerings(ONE));
    for (yaml, expected) in [
        ("groups: [{id: g1, name: g}]".to_owned(), "Change(BadId"),
        (format!("groups: [{group}, {group}]"), "Twice(\"5f3a556351db42631e16f301\")"),
        (copies("repeat: 100001"), "Change(BadRepeat"),
        (copies("repeat: 0"), "Change(BadRepeat"),
        (copies(&format!("id: {id}, repeat: 2")), "Change(BadRepeat"),
        (pair("name: p", "name: p"), "Change(Twice"),
        (pair("name: p, repeat: 2", "name: q"), "Change(Twice"),
        (pair(&format!("id: {id}"), &format!("id: {id}")), "Change(Twice"),
        (pair(&format!("id: {id}"), &format!("name: {id}")), "Change(Twice"),
        (planned("group: 5f3a556351db42631e16f302, peering: p, remove: true"), "Change(NoGroup"),
        (planned(&format!("{GROUP_YAML}, peering: q, status: FAILED")), "Change(NoPeering"),
        (planned(&format!("{GROUP_YAML}, add: {{provider: AWS, status: A, repeat: 1001}}")), "Change(BadRepeat"),
    ] {
        let error = format!("{:?}", Scenario::parse(&yaml).unwrap_err());
        assert!(error.starts_with(expected), "{yaml}: {error}");
    }
    assert!(Scenario::parse(&copies("name: 'p{n}', repeat: 2")).is_ok());
}

#[test]
fn unusual_texts_and_numbers_do_not_panic() {
    for peering in ["{provider: '', status: ''}", "{provider: \u{1f980}, status: A}"] {
        Scenario::parse(&with_peerings(peering)).unwrap_err();
    }
    let peering = "{provider: aws, status: '', name: '', error: '', '': '', age: 100y, \u{1f980}: .nan, repeat: 1}";
    let mut scenario = Scenario::parse(&with_peerings(peering)).unwrap();
    (scenario.count_error, scenario.jitter, scenario.latency) = (i64::MIN, Duration::MAX, Duration::MAX);
    let simulator = Simulator::new(scenario);
    assert_eq!(simulator.groups()[0]["peerings"][0]["statusName"], "");
    assert_eq!(simulator.state().latency(), Duration::MAX);
}

#[test]
fn a_planned_peering_can_be_changed_and_removed_later() {
    let yaml = format!(
        "{}
timeline:
  - {{after: 2s, {GROUP_YAML}, peering: q, remove: true}}
  - {{after: 3s, {GROUP_YAML}, peering: q, remove: true}}
  - {{after: 1s, {GROUP_YAML}, add: {{name: q, provider: GCP, status: ADDING_PEER}}}}",
        with_peerings(ONE)
    );
    assert_eq!(Scenario::parse(&yaml).unwrap().timeline.len(), 3);
}

#[test]
fn the_demo_shows_every_documented_status_and_error() {
    let demo = Scenario::demo();
    for (provider, statuses) in [
        (ScenarioProvider::Aws, "INITIATING PENDING_ACCEPTANCE FAILED FINALIZING AVAILABLE TERMINATING"),
        (ScenarioProvider::Azure, "ADDING_PEER AVAILABLE FAILED DELETION_FAILED DELETING"),
        (ScenarioProvider::Gcp, "ADDING_PEER WAITING_FOR_USER AVAILABLE FAILED DELETING"),
    ] {
        for status in statuses.split(' ') {
            let has_status = |peering: &ScenarioPeering| peering.provider == provider && peering.status == status;
            assert!(peerings(&demo).any(|(_, peering)| has_status(peering)), "{provider:?} {status}");
        }
    }
    for error in ["REJECTED", "EXPIRED", "INVALID_ARGUMENT", "RETRYABLE"] {
        assert!(peerings(&demo).any(|(_, peering)| peering.error.as_deref() == Some(error)), "{error}");
    }
    assert_eq!(demo.groups.len(), 12);
    assert!(demo.groups.iter().any(|group| group.peerings.is_empty()));
}

#[test]
fn every_peering_of_the_demo_has_a_container_and_every_group_an_environment() {
    let demo = Scenario::demo();
    let added = demo.timeline.iter().filter_map(|entry| match &entry.change {
        Change::Add(peering) => Some((demo.groups.iter().find(|group| group.id == entry.group).unwrap(), peering)),
        _ => None,
    });
    for (group, peering) in peerings(&demo).chain(added) {
        let id = peering.fields["containerId"].as_str();
        let container = group.containers.iter().find(|container| container.id.as_deref() == id);
        assert_eq!(container.map(|container| container.provider), Some(peering.provider), "{} {id:?}", group.name);
    }
    for group in &demo.groups {
        assert!(["production", "staging", "sandbox"].contains(&group.tags["env"].as_str()), "{}", group.name);
        assert!(group.containers.iter().all(|one| one.fields.contains_key("atlasCidrBlock")), "{}", group.name);
    }
    let mut containers = demo.groups.iter().flat_map(|group| &group.containers);
    let mut has = |field: &str| containers.any(|container| container.fields.contains_key(field));
    assert!(has("regionName") && has("region"));
}

#[test]
fn the_timeline_of_the_demo_keeps_breaking_and_repairing_peerings() {
    let demo = Scenario::demo();
    assert!(!demo.timeline.is_empty());
    assert!(demo.timeline.iter().all(|entry| entry.every.is_some()));
    let simulator = Simulator::new(demo.clone());
    let status = |name: &str| {
        let groups = simulator.groups();
        let mut peerings = groups.as_array().unwrap().iter().flat_map(|group| group["peerings"].as_array().unwrap());
        let peering = peerings.find(|peering| peering["name"] == name).unwrap();
        peering.get("statusName").unwrap_or(&peering["status"]).as_str().unwrap().to_owned()
    };
    let names = ["checkout", "logistics", "analytics-batch"];
    let mut seen = names.map(|name| vec![status(name)]);
    let mut timeline = Timeline(demo.timeline);
    while let Some(entry) = timeline.next().filter(|entry| entry.after < Duration::from_secs(600)) {
        simulator.change(&entry.group, &entry.change).unwrap();
        for (name, seen) in names.iter().zip(&mut seen) {
            seen.push(status(name));
            seen.dedup();
        }
    }
    for (name, seen) in names.iter().zip(seen) {
        assert!(seen.len() > 4, "{name}: {seen:?}");
        assert!(seen.iter().step_by(2).all(|status| status == "AVAILABLE"), "{name}: {seen:?}");
    }
}
