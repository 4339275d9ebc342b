//! The exposition passes the linter of Prometheus.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    process::{Command, Stdio},
};

use crate::{
    process::{Running, wait_for},
    setup::{Atlas, Exporter, GROUP, SCENARIO, config, folder, write_config},
};

#[test]
fn promtool_reports_only_the_camel_case_label() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    // A group that does not exist causes the families of failures to be exported.
    write_config(folder.path(), &config(&atlas.url(), &[(GROUP, "payments"), ("5e57d85c854180642f78440f", "gone")]));
    let exporter = Exporter::start(folder.path(), []);
    exporter.wait_until_ready();
    let exposition = exporter.exposition();
    for family in ["mongodbatlas_network_peering_error_info{", "mongodbatlas_peering_poll_failure_info{"] {
        assert!(exposition.contains(family), "{family} is not linted:\n{exposition}");
    }

    let file = folder.path().join("exposition.txt");
    fs::write(&file, &exposition).unwrap();
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]);
    let ended = Running::start_with_input(command, Stdio::from(File::open(&file).unwrap())).end();

    let expected = ["available", "created_timestamp_seconds", "error_info", "info", "status"].map(|family| {
        let lint = "label names should be written in 'snake_case' not 'camelCase'";
        format!("mongodbatlas_network_peering_{family} {lint}")
    });
    let complaints: BTreeSet<&str> = ended.stderr.lines().chain(ended.stdout.lines()).collect();
    assert_eq!(complaints, expected.iter().map(String::as_str).collect());
    assert_eq!(ended.status, Some(3), "3 means that the linter reported something");
}

#[test]
fn the_exposition_has_the_process_metrics() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    let exporter = Exporter::of(folder.path(), &atlas);
    for family in ["process_cpu_seconds_total", "process_open_fds", "process_resident_memory_bytes"] {
        wait_for(family, || exporter.exposition().lines().any(|line| line.starts_with(family)).then_some(()));
    }
}
