//! Two installations of the exporter that the same Prometheus scrapes.

use crate::{
    dashboard::{NAMES, queries},
    promtool::{check, expectation},
};

/// Two installations that differ in their namespace. `east` polls every minute, has no successful poll for 14 minutes, and
/// lacks one of its two shards. `west` polls every hour and is down.
const TWO_INSTALLATIONS: &str = r#"
      - {series: 'up{namespace="east", job="j", instance="a"}', values: 1x20}
      - {series: 'up{namespace="west", job="j", instance="a"}', values: 1x10 0x10}
      - {series: 'mongodbatlas_peering_exporter_build_info{namespace="east", job="j", instance="a"}', values: 1x20}
      - {series: 'mongodbatlas_peering_exporter_build_info{namespace="west", job="j", instance="a"}', values: 1x20}
      - {series: 'mongodbatlas_peering_exporter_shards{namespace="east", job="j", instance="a"}', values: 2x20}
      - {series: 'mongodbatlas_peering_exporter_shards{namespace="west", job="j", instance="a"}', values: 1x20}
      - {series: 'mongodbatlas_peering_exporter_shard_index{namespace="east", job="j", instance="a"}', values: 1x20}
      - {series: 'mongodbatlas_peering_exporter_shard_index{namespace="west", job="j", instance="a"}', values: 0x20}
      - {series: 'mongodbatlas_peering_poll_interval_seconds{namespace="east", job="j", instance="a", account="x"}', values: 60x20}
      - {series: 'mongodbatlas_peering_poll_interval_seconds{namespace="west", job="j", instance="a", account="x"}', values: 3600x20}
      - {series: 'mongodbatlas_group_info{namespace="east", job="j", instance="a", group_id="e", account="x"}', values: 1x20}
      - {series: 'mongodbatlas_group_info{namespace="west", job="j", instance="a", group_id="w", account="x"}', values: 1x20}
      - {series: 'mongodbatlas_peering_poll_last_success_timestamp_seconds{namespace="east", job="j", instance="a", account="x", group_id="e", provider="AWS"}', values: 60x20}
      - {series: 'mongodbatlas_peering_poll_last_success_timestamp_seconds{namespace="west", job="j", instance="a", account="x", group_id="w", provider="AWS"}', values: 450x20}
      - {series: 'mongodbatlas_api_credential_refused{namespace="east", job="j", instance="a", account="x"}', values: 1x20}
      - {series: 'mongodbatlas_api_credential_refused{namespace="west", job="j", instance="a", account="x"}', values: 1x20}
      - {series: 'mongodbatlas_api_credential_unreadable{namespace="east", job="j", instance="a", account="x"}', values: 0x20}
      - {series: 'mongodbatlas_api_credential_unreadable{namespace="west", job="j", instance="a", account="x"}', values: 1x20}
      - {series: 'mongodbatlas_discovery_success{namespace="east", job="j", instance="a", account="x"}', values: 0x20}
      - {series: 'mongodbatlas_discovery_success{namespace="west", job="j", instance="a", account="x"}', values: 1x20}
      - {series: 'mongodbatlas_discovery_interval_seconds{namespace="east", job="j", instance="a", account="x"}', values: 60x20}
      - {series: 'mongodbatlas_discovery_interval_seconds{namespace="west", job="j", instance="a", account="x"}', values: 3600x20}
      - {series: 'mongodbatlas_discovery_last_success_timestamp_seconds{namespace="east", job="j", instance="a", account="x"}', values: 60x20}
      - {series: 'mongodbatlas_discovery_last_success_timestamp_seconds{namespace="west", job="j", instance="a", account="x"}', values: 450x20}
"#;

#[test]
fn each_installation_uses_its_own_interval_shards_and_accounts() {
    let number = |value: &str| format!("{{labels: '{{}}', value: {value}}}");
    let both = |labels: &str, east: &str, west: &str| {
        let sample = |namespace, value| {
            format!("{{labels: '{{namespace=\"{namespace}\", job=\"j\"{labels}}}', value: {value}}}")
        };
        [sample("east", east), sample("west", west)].join(", ")
    };
    let group = |group, value| format!("{{labels: '{{group_id=\"{group}\", provider=\"AWS\"}}', value: {value}}}");
    let intervals = [group("e", "14"), group("w", "0.125")].join(", ");
    let (account, replica) = (r#", account="x""#, r#", instance="a""#);
    let expected = [
        expectation("overview", "Listings without fresh data", 'A', &number("1")),
        expectation("exporter", "Listings without fresh data", 'A', &number("1")),
        expectation("exporter", "Listing freshness", 'B', &intervals),
        expectation("exporter", "Poll lateness", 'D', &both(account, "60", "3600")),
        expectation("exporter", "Missing shards", 'A', &number("1")),
        expectation("exporter", "Exporters down", 'A', &number("1")),
        expectation("exporter", "Replicas and shards", 'A', &both(replica, "1", "0")),
        expectation("exporter", "Replicas and shards", 'G', &both(replica, "2", "1")),
        expectation("exporter", "Credential problems", 'A', &number("2")),
        expectation("exporter", "Credentials", 'B', &both(account, "0", "1")),
        expectation("exporter", "Failing discoveries", 'A', &number("1")),
        expectation("exporter", "Discovery", 'A', &both(account, "1", "1")),
        expectation("exporter", "Discovery", 'B', &both(account, "0", "1")),
        expectation("exporter", "Discovery", 'D', &both(account, "14", "0.125")),
        expectation("exporter", "Polled projects", 'A', &both(account, "1", "1")),
    ]
    .concat();
    check("installations", TWO_INSTALLATIONS.trim_start_matches('\n'), &expected);
}

/// Two installations in different clusters or namespaces may have the same addresses.
#[test]
fn an_instance_is_identified_by_namespace_and_job_too() {
    let mut found = 0;
    for query in NAMES.into_iter().flat_map(queries) {
        let identity = "namespace, job, instance";
        found += query.expr.matches(identity).count();
        let rest = query.expr.replace(identity, "");
        assert!(!rest.contains("instance"), "{query:?}");
    }
    assert!(found > 0);
}
