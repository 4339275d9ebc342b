//! Which replica the dashboards trust if two disagree.

use crate::{
    dashboard::THE_PEERING,
    promtool::{check, expectation},
};

/// Replica `a` lost contact with Atlas while the peering was AVAILABLE. Replica `b` has newer data.
const DISAGREEMENT: &str = r#"
      - {series: 'mongodbatlas_group_info{job="j", instance="a", group_id="g", group_name="old", account="x"}', values: 1x20}
      - {series: 'mongodbatlas_group_info{job="j", instance="b", group_id="g", group_name="new", account="x"}', values: 1x20}
      - {series: 'mongodbatlas_peering_poll_last_success_timestamp_seconds{job="j", instance="a", account="x", group_id="g", provider="AWS"}', values: 60x20}
      - {series: 'mongodbatlas_peering_poll_last_success_timestamp_seconds{job="j", instance="b", account="x", group_id="g", provider="AWS"}', values: 0x11 600x8}
      - {series: 'mongodbatlas_peering_poll_success{job="j", instance="a", account="x", group_id="g", provider="AWS"}', values: 0x20}
      - {series: 'mongodbatlas_peering_poll_success{job="j", instance="b", account="x", group_id="g", provider="AWS"}', values: 0x11 1x8}
      - {series: 'mongodbatlas_network_peerings{job="j", instance="a", group_id="g", provider="AWS", status="AVAILABLE"}', values: 1x20}
      - {series: 'mongodbatlas_network_peerings{job="j", instance="a", group_id="g", provider="AWS", status="FAILED"}', values: 0x20}
      - {series: 'mongodbatlas_network_peerings{job="j", instance="b", group_id="g", provider="AWS", status="AVAILABLE"}', values: 0x20}
      - {series: 'mongodbatlas_network_peerings{job="j", instance="b", group_id="g", provider="AWS", status="FAILED"}', values: 1x20}
      - {series: 'mongodbatlas_network_peering_available{job="j", instance="a", group_id="g", provider="AWS", peering_id="p", vpcId="v"}', values: 1x20}
      - {series: 'mongodbatlas_network_peering_available{job="j", instance="b", group_id="g", provider="AWS", peering_id="p", vpcId="v"}', values: 0x20}
      - {series: 'mongodbatlas_network_peering_status{job="j", instance="a", group_id="g", provider="AWS", peering_id="p", vpcId="v", status="AVAILABLE"}', values: 1x20}
      - {series: 'mongodbatlas_network_peering_status{job="j", instance="b", group_id="g", provider="AWS", peering_id="p", vpcId="v", status="FAILED"}', values: 1x20}
      - {series: 'mongodbatlas_network_peering_info{job="j", instance="a", group_id="g", provider="AWS", peering_id="p", vpcId="v", cloud_account="1"}', values: 1x20}
      - {series: 'mongodbatlas_network_peering_info{job="j", instance="b", group_id="g", provider="AWS", peering_id="p", vpcId="v", cloud_account="1", connection_id="c"}', values: 1x20}
"#;

/// The same for the peering that the dashboard variables select.
fn series() -> String {
    let [group, _, network, peering] = THE_PEERING.map(|(_, value)| value);
    let named = DISAGREEMENT.replace("group_id=\"g\"", &format!("group_id=\"{group}\""));
    let named = named.replace("vpcId=\"v\"", &format!("vpcId=\"{network}\""));
    named.replace("peering_id=\"p\"", &format!("peering_id=\"{peering}\""))
}

#[test]
fn the_replica_with_the_most_recent_poll_is_trusted() {
    the_second_is_trusted("replicas", &series());
}

#[test]
fn replicas_with_one_address_in_two_namespaces_are_distinguished() {
    let series = series().replace("instance=\"b\"", "namespace=\"n\", instance=\"a\"");
    the_second_is_trusted("namespaces", &series);
}

fn the_second_is_trusted(test: &str, series: &str) {
    let expected = |dashboard, title, samples: &str| expectation(dashboard, title, 'A', samples);
    let row = r#"{labels: '{group_id="5e57d85c854180642f784401", provider="AWS", vpcId="vpc-0c1d7a5e9f3b28461", peering_id="68f87c7b0000000000000001", status="FAILED", cloud_account="1", connection_id="c"}', value: 0}"#;
    let number = |value: &str| format!("{{labels: '{{}}', value: {value}}}");
    let status = |value: &str| format!("{{labels: '{{status=\"FAILED\"}}', value: {value}}}");
    let expected = [
        expected("overview", "Peerings", &number("1")),
        expected("overview", "Available", &number("0")),
        expected("overview", "Not available", &number("1")),
        expected("overview", "Lost in the time range", &number("1")),
        expected("overview", "Oldest data", &number("300")),
        // The row is there exactly once, although the id has no creation time, Atlas reports no error, and the
        // replicas disagree about the project name and the labels of the peering.
        expected("overview", "Peerings that are not AVAILABLE", row),
        expected("peering", "Status", &status("1")),
        expected("peering", "Status over time", &number("7")),
        // Since the twelfth minute, replica `b` has had the most recent poll.
        expected("peering", "Status changes", &number("1")),
        expected("peering", "In this status since", &number("719000")),
        expected("peering", "Data age", &number("300")),
        expected("peering", "Last poll", &number("1")),
        expected("exporter", "Failing listings", &number("0")),
    ]
    .concat();
    check(test, series, &expected);
}
