//! Shutdown is prompt, but completes responses in progress. Also reloads by SIGHUP.

use std::{
    net::TcpStream,
    path::Path,
    time::{Duration, Instant},
};

use crate::{
    http::Connection,
    process::wait_for,
    setup::{Atlas, Exporter, GROUP, SCENARIO, config, folder, write_config},
};

/// Far less than the deadline of a poll, which is 45 seconds here.
const PROMPT: Duration = Duration::from_secs(3);

fn check_shutdown_while_a_poll_hangs(signal: &str) {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    atlas.control("faults", r#"{"effect": "never"}"#);
    let config = config(&atlas.url(), &[(GROUP, "payments")]).replace("interval: 1s", "interval: 60s");
    write_config(folder.path(), &config);
    let exporter = Exporter::start(folder.path(), []);
    wait_for("polls that hang", || (atlas.requests() >= 3).then_some(()));
    // Prometheus keeps its connection open, which must not delay the shutdown.
    let mut idle = Connection::open(&exporter.address);
    assert_eq!(idle.ask("GET", "/-/healthy", "").status, 200);
    let mut silent = Connection::open(&exporter.address);

    let started = Instant::now();
    exporter.process.signal(signal);
    let ended = exporter.process.end();
    assert!(started.elapsed() < PROMPT, "{:?}", started.elapsed());
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains(&format!("stopping on SIG{signal}")), "{}", ended.stderr);
    assert!(idle.rest().is_empty() && silent.rest().is_empty());
}

#[test]
fn sigterm_stops_the_exporter_while_a_poll_hangs() {
    check_shutdown_while_a_poll_hangs("TERM");
}

#[test]
fn sigint_stops_the_exporter_while_a_poll_hangs() {
    check_shutdown_while_a_poll_hangs("INT");
}

/// With long names, enough for an exposition that exceeds the socket buffers.
const PEERINGS: usize = 2000;

/// An exporter with a large exposition, and its simulator.
fn with_a_large_exposition(folder: &Path) -> (Atlas, Exporter) {
    let name = "v".repeat(1000);
    let scenario = format!(
        "groups: [{{id: {GROUP}, name: big, peerings: [
           {{provider: AWS, status: AVAILABLE, vpcId: '{name}{{n}}', repeat: {PEERINGS}}}]}}]"
    );
    let atlas = Atlas::start(folder, &scenario);
    let config = config(&atlas.url(), &[(GROUP, "big")]).replace("interval: 1s", "interval: 60s");
    write_config(folder, &config);
    let exporter = Exporter::start(folder, []);
    exporter.wait_until_ready();
    (atlas, exporter)
}

#[test]
fn a_second_signal_exits_in_the_middle_of_a_response() {
    let folder = folder();
    let (_atlas, mut exporter) = with_a_large_exposition(folder.path());
    let mut slow = Connection::open(&exporter.address);
    slow.send("GET", "/metrics", "", "");
    slow.wait_for_the_first_byte();
    exporter.process.signal("TERM");
    exporter
        .process
        .wait_for_log("the shutdown", |log| log.contains("a second signal exits immediately").then_some(()));
    assert!(exporter.process.is_running(), "the response is incomplete");
    exporter.process.signal("INT");
    assert_eq!(exporter.process.end().status, Some(130));
}

#[test]
fn a_response_in_progress_is_completed_before_the_exit() {
    let folder = folder();
    let (_atlas, mut exporter) = with_a_large_exposition(folder.path());
    let mut slow = Connection::open(&exporter.address);
    slow.send("GET", "/metrics", "", "");
    slow.wait_for_the_first_byte();
    exporter.process.signal("TERM");
    wait_for("a closed listener", || TcpStream::connect(&exporter.address).err());
    assert!(exporter.process.is_running(), "the response is incomplete");

    let exposition = slow.receive("GET").unwrap();
    let peerings =
        exposition.text().lines().filter(|line| line.starts_with("mongodbatlas_network_peering_status{")).count();
    assert_eq!(peerings, PEERINGS);
    assert!(
        exposition.text().ends_with('\n') && exposition.text().contains("\nprocess_"),
        "the process metrics are at the end"
    );
    let ended = exporter.process.end();
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("all in-flight requests are complete"), "{}", ended.stderr);
}

#[test]
fn sighup_reloads_the_config_and_a_fault_changes_nothing() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    let exporter = Exporter::of(folder.path(), &atlas);
    let other = "5e57d85c854180642f784402";
    write_config(folder.path(), "accounts: [{public_key: demo, private_key_file: nowhere}]");
    exporter.process.signal("HUP");
    let failed =
        "configuration reload failed, keeping the running one: accounts[0].private_key_file: the file cannot be read";
    exporter.process.wait_for_log("the fault", |log| log.contains(failed).then_some(()));
    let line = |value| format!("mongodbatlas_peering_exporter_config_last_reload_successful {value}\n");
    wait_for("the metric", || exporter.exposition().contains(&line(0)).then_some(()));
    write_config(folder.path(), &config(&atlas.url(), &[(GROUP, "renamed"), (other, "new")]));
    exporter.process.signal("HUP");
    wait_for("the new config", || {
        let exposition = exporter.exposition();
        (exposition.contains("group_name=\"renamed\"") && exposition.contains(other) && exposition.contains(&line(1)))
            .then_some(())
    });
    assert!(exporter.exposition().contains("64c0ffee00000000000000c3"), "the peerings stay");
}
