//! Which replica is believed where two do not agree.

use crate::{
    dashboard::THE_PEERING,
    promtool::{answers, check},
};

/// Replica `a` was cut off from Atlas when the peering still was AVAILABLE; `b` knows better.
const DISAGREEMENT: &str = r#"
      - {series: 'mongodbatlas_group_info{job="j", instance="a", group_id="g", group_name="old", account="x"}', values: 1x20}
      - {series: 'mongodbatlas_group_info{job="j", instance="b", group_id="g", group_name="new", account="x"}', values: 1x20}
      - {series: 'mongodbatlas_peering_poll_last_success_timestamp_seconds{job="j", instance="a", group_id="g", provider="AWS"}', values: 60x20}
      - {series: 'mongodbatlas_peering_poll_last_success_timestamp_seconds{job="j", instance="b", group_id="g", provider="AWS"}', values: 0x11 600x8}
      - {series: 'mongodbatlas_peering_poll_success{job="j", instance="a", group_id="g", provider="AWS"}', values: 0x20}
      - {series: 'mongodbatlas_peering_poll_success{job="j", instance="b", group_id="g", provider="AWS"}', values: 0x11 1x8}
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

/// The same about the peering that the dashboards' variables name.
fn series() -> String {
    let [group, _, network, peering] = THE_PEERING.map(|(_, value)| value);
    let named = DISAGREEMENT.replace("group_id=\"g\"", &format!("group_id=\"{group}\""));
    let named = named.replace("vpcId=\"v\"", &format!("vpcId=\"{network}\""));
    named.replace("peering_id=\"p\"", &format!("peering_id=\"{peering}\""))
}

#[test]
fn the_replica_that_heard_from_atlas_last_is_believed() {
    the_second_is_believed("replicas", &series());
}

#[test]
fn so_is_that_in_another_namespace_under_the_same_address() {
    let series = series().replace("instance=\"b\"", "namespace=\"n\", instance=\"a\"");
    the_second_is_believed("namespaces", &series);
}

fn the_second_is_believed(test: &str, series: &str) {
    let expected = |dashboard, title, samples: &str| answers(dashboard, title, 'A', samples);
    let row = r#"{labels: '{group_id="5e57d85c854180642f784401", provider="AWS", vpcId="vpc-0c1d7a5e9f3b28461", peering_id="68f87c7b0000000000000001", status="FAILED", cloud_account="1", connection_id="c"}', value: 0}"#;
    let number = |value: &str| format!("{{labels: '{{}}', value: {value}}}");
    let status = |value: &str| format!("{{labels: '{{status=\"FAILED\"}}', value: {value}}}");
    let expected = [
        expected("overview", "Peerings", &number("1")),
        expected("overview", "Available", &number("0")),
        expected("overview", "Not available", &number("1")),
        expected("overview", "Lost in the time range", &number("1")),
        expected("overview", "Oldest data", &number("300")),
        // No id says when it was made, Atlas reports no error, and the replicas name the group and describe the
        // peering in two ways: it is there nevertheless, and once.
        expected("overview", "Peerings that are not AVAILABLE", row),
        expected("peering", "Status", &status("1")),
        expected("peering", "Status over time", &number("7")),
        // Since the twelfth minute replica `b` has been the one that heard last.
        expected("peering", "Status changes", &number("1")),
        expected("peering", "In this status since", &number("719000")),
        expected("peering", "Data age", &number("300")),
        expected("peering", "Last poll", &number("1")),
        expected("exporter", "Failing listings", &number("0")),
    ]
    .concat();
    check(test, series, &expected);
}
