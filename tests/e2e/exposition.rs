//! What Prometheus's own linter says about the page.

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
fn promtool_complains_about_nothing_but_the_owners_camel_case_label() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    // A group that Atlas does not know brings out the families about failures.
    write_config(folder.path(), &config(&atlas.url(), &[(GROUP, "payments"), ("5e57d85c854180642f78440f", "gone")]));
    let exporter = Exporter::start(folder.path(), []);
    exporter.wait_until_ready();
    let page = exporter.page();
    for family in ["mongodbatlas_network_peering_error_info{", "mongodbatlas_peering_poll_failures_total{"] {
        assert!(page.contains(family), "{family} is not linted:\n{page}");
    }

    let file = folder.path().join("page.txt");
    fs::write(&file, &page).unwrap();
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]);
    let ended = Running::start_with_input(command, Stdio::from(File::open(&file).unwrap())).end();

    let expected = ["available", "created_timestamp_seconds", "error_info", "info", "status"].map(|family| {
        let lint = "label names should be written in 'snake_case' not 'camelCase'";
        format!("mongodbatlas_network_peering_{family} {lint}")
    });
    let complaints: BTreeSet<&str> = ended.stderr.lines().chain(ended.stdout.lines()).collect();
    assert_eq!(complaints, expected.iter().map(String::as_str).collect());
    assert_eq!(ended.status, Some(3), "3 stands for complaints of the linter");
}

#[test]
fn the_page_ends_with_what_prometheus_wants_to_know_about_a_process() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    let exporter = Exporter::of(folder.path(), &atlas);
    for family in ["process_cpu_seconds_total", "process_open_fds", "process_resident_memory_bytes"] {
        wait_for(family, || exporter.page().lines().any(|line| line.starts_with(family)).then_some(()));
    }
}
