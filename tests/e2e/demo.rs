//! The command `demo`.

use std::{collections::BTreeSet, fs};

use mongodbatlas_peering_exporter::metrics::family;

use crate::{
    http::{ask, get},
    process::{Running, exporter, wait_for},
    setup::folder,
};

/// The statuses in the reference of the Administration API.
const DOCUMENTED: [(&str, &[&str]); 3] = [
    ("AWS", &["INITIATING", "PENDING_ACCEPTANCE", "FAILED", "FINALIZING", "AVAILABLE", "TERMINATING"]),
    ("AZURE", &["ADDING_PEER", "AVAILABLE", "FAILED", "DELETION_FAILED", "DELETING"]),
    ("GCP", &["ADDING_PEER", "WAITING_FOR_USER", "AVAILABLE", "FAILED", "DELETING"]),
];

#[test]
fn the_demo_shows_every_documented_status_without_a_config_or_environment() {
    let folder = folder();
    let arguments = ["demo", "--web.listen-address=127.0.0.1:0", "--simulator.listen-address=127.0.0.1:0"];
    let demo = Running::start(exporter(folder.path(), arguments));
    let address = demo.address(0);
    wait_for("a demo that is ready", || (get(&address, "/-/ready").status == 200).then_some(()));

    let mut missing = BTreeSet::new();
    for (provider, statuses) in DOCUMENTED {
        missing.extend(statuses.iter().map(|status| (provider, *status)));
    }
    // Collect from every exposition: the scenario changes meanwhile.
    wait_for("every documented status", || {
        let exposition = get(&address, "/metrics");
        let lines = exposition.text().lines().filter(|line| line.starts_with("mongodbatlas_network_peering_status{"));
        for line in lines {
            missing.retain(|(provider, status)| {
                let has = |name: &str, value: &str| line.contains(&format!("{name}=\"{value}\""));
                !(has("provider", provider) && has("status", status))
            });
        }
        missing.is_empty().then_some(())
    });
    let ended = demo.terminate();
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
}

#[test]
fn the_demo_logs_where_to_look_and_how_to_break_a_peering() {
    let folder = folder();
    let arguments = ["demo", "--web.listen-address=127.0.0.1:0", "--simulator.listen-address=127.0.0.1:0"];
    let demo = Running::start(exporter(folder.path(), arguments));
    let opened = demo.word_after("open http://");
    let (address, path) = opened.split_once('/').unwrap();
    assert_eq!(get(address, &format!("/{path}")).status, 200);
    let control = demo.word_after("see http://");
    let (address, path) = control.split_once('/').unwrap();
    let explained = get(address, &format!("/{path}"));
    assert_eq!(explained.status, 200);
    assert!(explained.text().contains(&format!("curl http://{address}/simulator/groups")), "{}", explained.text());
}

/// Other tests check that rules, dashboards and pages use known families only. This one checks that each one exists.
#[test]
fn the_demo_exports_every_family_with_and_without_failures() {
    let folder = folder();
    let ends = "deprecation: \"@1722816000\"\nsunset: Fri, 01 Jan 2100 00:00:00 GMT\n";
    let scenario = format!("{ends}{}", include_str!("../../crates/atlas-simulator/src/scenario/demo.yaml"));
    fs::write(folder.path().join("scenario.yaml"), scenario).unwrap();
    let addresses = ["--web.listen-address=127.0.0.1:0", "--simulator.listen-address=127.0.0.1:0"];
    let arguments = ["demo", "--simulator.scenario=scenario.yaml", addresses[0], addresses[1]];
    let demo = Running::start(exporter(folder.path(), arguments));
    let address = demo.address(0);
    let simulator = demo.word_after("see http://").trim_end_matches("/simulator/").to_owned();
    wait_for("a demo that is ready", || (get(&address, "/-/ready").status == 200).then_some(()));
    let mut missing: BTreeSet<&str> = family::ALL.iter().map(|family| family.name).collect();
    let mut look = || {
        let exposition = get(&address, "/metrics");
        let names = exposition.text().lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
        let names: BTreeSet<&str> = names.collect();
        missing.retain(|name| !names.contains(name));
        missing.clone()
    };
    let peering =
        serde_json::json!({"id": "64c0ffee0000000000000d01", "status": "AVAILABLE", "networkName": "default"});
    let list = serde_json::json!({"results": [peering, peering], "totalCount": 2}).to_string();
    let fault = serde_json::json!({"endpoint": "peers", "provider": "GCP", "times": 1, "effect": {"body": list}});
    ask(&simulator, "POST", "/simulator/faults", &fault.to_string());
    wait_for("every family except those about failures", || (look().len() <= 2).then_some(()));
    ask(&simulator, "POST", "/simulator/faults", r#"{"effect": {"status": {"code": 503}}}"#);
    let why = ["mongodbatlas_discovery_failure_info", "mongodbatlas_peering_poll_failure_info"];
    assert!(look().iter().all(|name| why.contains(name)), "only families about failures may be missing: {:?}", look());
    wait_for("every family", || look().is_empty().then_some(()));
}
