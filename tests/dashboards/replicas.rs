//! Which replica is believed where two do not agree.

use std::{fs, process::Command};

use crate::{
    dashboard::{overview, panel, queries},
    programs::{folder, missing},
};

/// Replica `a` was cut off from Atlas when the peering still was AVAILABLE; `b` knows better.
const DISAGREEMENT: &str = r#"
rule_files: []
tests:
  - interval: 1m
    input_series:
      - {series: 'mongodbatlas_group_info{job="j", instance="a", group_id="g", group_name="old", account="x"}', values: 1x20}
      - {series: 'mongodbatlas_group_info{job="j", instance="b", group_id="g", group_name="new", account="x"}', values: 1x20}
      - {series: 'mongodbatlas_peering_poll_last_success_timestamp_seconds{job="j", instance="a", group_id="g", provider="AWS"}', values: 60x20}
      - {series: 'mongodbatlas_peering_poll_last_success_timestamp_seconds{job="j", instance="b", group_id="g", provider="AWS"}', values: 600x20}
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
    promql_expr_test:
"#;

/// That the first query of the panel answers so, but for the name of the group.
fn expected(title: &str, samples: &str) -> String {
    let expr = format!("max without (group_name) ({})", queries(panel(&overview(), title))[0].expr);
    format!("      - {{expr: {expr:?}, eval_time: 15m, exp_samples: [{samples}]}}\n")
}

#[test]
fn the_replica_that_heard_from_atlas_last_is_believed() {
    let row = r#"{labels: '{group_id="g", provider="AWS", vpcId="v", peering_id="p", status="FAILED", cloud_account="1", connection_id="c"}', value: 0}"#;
    let test = [
        DISAGREEMENT.to_owned(),
        expected("Peerings", "{labels: '{}', value: 1}"),
        expected("Available", "{labels: '{}', value: 0}"),
        expected("Not available", "{labels: '{}', value: 1}"),
        expected("Lost in the time range", "{labels: '{}', value: 1}"),
        expected("Oldest data", "{labels: '{}', value: 300}"),
        // No id says when it was made, Atlas reports no error, and the replicas name the group and describe the
        // peering in two ways: it is there nevertheless, and once.
        expected("Peerings that are not AVAILABLE", row),
    ]
    .concat();
    let folder = folder("promtool");
    let file = folder.join("replicas.yaml");
    fs::write(&file, test).unwrap();
    let output = Command::new("promtool").args(["test", "rules"]).arg(&file).output();
    let output = output.unwrap_or_else(|error| missing("promtool", &error));
    fs::remove_dir_all(folder).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
