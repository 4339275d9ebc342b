//! The demo, which needs nothing at all.

use std::collections::BTreeSet;

use crate::{
    http::get,
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
fn the_demo_shows_every_documented_status_without_config_and_environment() {
    let folder = folder();
    let arguments = ["demo", "--web.listen-address=127.0.0.1:0", "--simulator.listen-address=127.0.0.1:0"];
    let demo = Running::start(exporter(folder.path(), arguments));
    let address = demo.address(0);
    wait_for("a demo that is ready", || (get(&address, "/-/ready").status == 200).then_some(()));

    let mut missing = BTreeSet::new();
    for (provider, statuses) in DOCUMENTED {
        missing.extend(statuses.iter().map(|status| (provider, *status)));
    }
    // Each page counts: the scenario goes on meanwhile.
    wait_for("every documented status", || {
        let page = get(&address, "/metrics");
        let lines = page.text().lines().filter(|line| line.starts_with("mongodbatlas_network_peering_status{"));
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
fn the_demo_tells_where_to_look_and_how_to_break_a_peering() {
    let folder = folder();
    let arguments = ["demo", "--web.listen-address=127.0.0.1:0", "--simulator.listen-address=127.0.0.1:0"];
    let demo = Running::start(exporter(folder.path(), arguments));
    let look = demo.word_after("look at http://");
    let (address, path) = look.split_once('/').unwrap();
    assert_eq!(get(address, &format!("/{path}")).status, 200);
    let control = demo.word_after("see http://");
    let (address, path) = control.split_once('/').unwrap();
    let explained = get(address, &format!("/{path}"));
    assert_eq!(explained.status, 200);
    assert!(explained.text().contains(&format!("curl http://{address}/simulator/groups")), "{}", explained.text());
}
