//! All queries against Prometheus, without failures and in the demo.

use serde_json::Value;

use crate::{
    dashboard::{NAMES, queries, queries_with, query, text},
    programs::System,
    prometheus::instant,
};

/// Queries without a result as long as nothing fails, and why. The tests in failures.rs check that they have one then.
const EMPTY_WITHOUT_FAILURES: [(&str, &str, &str); 13] = [
    ("overview", "Peerings that are not AVAILABLE A", "no peering is unavailable"),
    ("overview", "Peerings that are not AVAILABLE B", "no peering is unavailable"),
    ("overview", "AWS requests awaiting acceptance A", "no request is pending"),
    ("peering", "Error A", "Atlas reports none"),
    ("peering", "Poll failure reasons A", "no poll fails"),
    ("peering", "Alerts A", "no alert is pending or firing"),
    ("peering", "Alerts B", "no alert is pending or firing"),
    ("exporter", "Listing freshness E", "reasons of failed polls"),
    ("exporter", "Failed polls by reason A", "no poll fails"),
    ("exporter", "Discovery E", "reasons of failed discoveries"),
    ("exporter", "Failed discoveries by reason A", "no discovery fails"),
    ("exporter", "API version sunset A", "Atlas announces no sunset"),
    ("exporter", "API version sunset B", "Atlas announces no sunset"),
];

/// Queries without a result in the demo, and why.
const EMPTY_IN_THE_DEMO: [(&str, &str, &str); 7] = [
    ("exporter", "Listing freshness E", "no poll fails"),
    ("exporter", "Failed polls by reason A", "no poll fails"),
    ("exporter", "Discovery E", "no discovery fails"),
    ("exporter", "Failed discoveries by reason A", "no discovery fails"),
    ("exporter", "API version sunset A", "the simulated Atlas announces no sunset"),
    ("exporter", "API version sunset B", "the simulated Atlas announces no sunset"),
    ("peering", "Poll failure reasons A", "no poll fails"),
];

pub(crate) const NO_FAILURES: &str = "
groups:
  - id: 5e57d85c854180642f784401
    name: payments-prod
    containers:
      - {provider: AWS, id: 5e57d85c854180642f7844b1, regionName: EU_CENTRAL_1, atlasCidrBlock: 192.168.248.0/21}
    peerings:
      - {provider: AWS, id: 68f87c7b0000000000000001, status: AVAILABLE, awsAccountId: '358363220050',
         vpcId: vpc-0c1d7a5e9f3b28461, connectionId: pcx-05530fa865e7a44f4, routeTableCidrBlock: 172.31.0.0/16,
         accepterRegionName: eu-west-1, containerId: 5e57d85c854180642f7844b1}
      - {provider: GCP, status: AVAILABLE, age: 90d, gcpProjectId: checkout-prod-71102, networkName: default}
";

pub(crate) fn number(result: &[Value]) -> &str {
    result.first().map(|series| text(series, "/value/1")).unwrap_or_default()
}

#[tokio::test]
async fn every_query_has_a_result_without_failures() {
    let system = System::start("no-failures", NO_FAILURES).await;
    for dashboard in NAMES {
        for query in queries(dashboard) {
            let is_same = |(of, name, _): &&(&str, &str, &str)| (*of, *name) == (dashboard, query.name.as_str());
            if EMPTY_WITHOUT_FAILURES.iter().any(|known| is_same(&known)) {
                assert_eq!(system.query(&query).await, [Value::Null; 0], "{dashboard}: {}", query.name);
            } else {
                system.wait_for(&query, |result| !result.is_empty()).await;
            }
        }
    }
    for (dashboard, title, expected) in [
        ("overview", "Available", "1"),
        ("overview", "Not available", "0"),
        ("overview", "Lost in the time range", "0"),
        ("overview", "Listings without fresh data", "0"),
        ("peering", "Available", "1"),
        ("peering", "Status changes", "0"),
        ("peering", "Last poll", "1"),
        ("exporter", "Failing listings", "0"),
        ("exporter", "Credential problems", "0"),
        ("exporter", "Failing discoveries", "0"),
        ("exporter", "Exporters down", "0"),
        ("exporter", "Missing shards", "0"),
    ] {
        assert_eq!(number(&system.query(&query(dashboard, title, 'A')).await), expected, "{dashboard}: {title}");
    }
}

#[tokio::test]
async fn every_query_has_a_result_in_the_demo() {
    let system = System::demo("demo").await;
    // The drill of the README. In the demo, no peering that was AVAILABLE fails on its own.
    let change = r#"{"status": "FAILED", "error": "REJECTED"}"#;
    system.simulate("groups/5e57d85c854180642f784402/peers/payments-staging", change).await;
    let errors = instant(r#"mongodbatlas_network_peering_error_info{group_id="5e57d85c854180642f784402"}"#);
    let found = system.wait_for(&errors, |result| !result.is_empty()).await;
    let labels =
        ["group_id", "provider", "vpcId", "peering_id"].map(|label| text(&found[0]["metric"], &format!("/{label}")));
    let [group, provider, network, peering] = labels;
    let one = [("group", group), ("provider", provider), ("vpcId", network), ("peering_id", peering)];
    let all = [("account", ".*"), ("group", ".*"), ("provider", ".*")];
    for dashboard in NAMES {
        for query in queries_with(dashboard, if dashboard == "peering" { &one } else { &all }) {
            if EMPTY_IN_THE_DEMO.iter().any(|(of, name, _)| (*of, *name) == (dashboard, query.name.as_str())) {
                assert_eq!(system.query(&query).await, [Value::Null; 0], "{dashboard}: {}", query.name);
            } else {
                system.wait_for(&query, |result| !result.is_empty()).await;
            }
        }
    }
}

#[tokio::test]
async fn a_second_replica_does_not_double_any_number() {
    let system = System::start("replicas", NO_FAILURES).await;
    assert_eq!(system.replicas.len(), 2);
    for (dashboard, title, series, expected) in [
        ("overview", "Peerings", 1, "2"),
        // One project with three providers.
        ("exporter", "Listing freshness", 3, ""),
        ("exporter", "Polls over time", 3, ""),
        ("overview", "Status over time", 2, ""),
        ("exporter", "Discovery", 1, "1"),
        ("exporter", "Credentials", 1, "0"),
        ("peering", "Status", 1, "1"),
        ("peering", "Both sides", 1, "1"),
    ] {
        let result = system.wait_for(&query(dashboard, title, 'A'), |result| result.len() == series).await;
        assert!(expected.is_empty() || number(&result) == expected, "{title}: {result:#?}");
    }
    let by_status = system.query(&query("overview", "Peerings by status", 'A')).await;
    let available = by_status.iter().find(|series| text(series, "/metric/status") == "AVAILABLE").unwrap();
    assert_eq!(text(available, "/value/1"), "2");
}
