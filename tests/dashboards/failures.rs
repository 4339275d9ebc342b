//! What the dashboards show during failures.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    dashboard::{NAMES, all, list, panels, queries, query, text},
    programs::System,
    queries::{NO_FAILURES, number},
};

/// What `Listing freshness` shows as `never`.
const NEVER: &str = "1000000000";
/// How `Status over time` codes FAILED.
const FAILED: &str = "7";

#[tokio::test]
async fn failures_stand_out_and_every_query_has_a_result() {
    let scenario = format!("deprecation: Thu, 1 Jan 2026 00:00:00 GMT\n{NO_FAILURES}");
    let mut system = System::start("failures", &scenario).await;
    system.simulate("sunset", r#"{"sunset": "Thu, 1 Jul 2027 00:00:00 GMT"}"#).await;

    a_project_that_was_never_polled(&system).await;
    a_failed_and_a_pending_peering(&system).await;

    let forbidden = r#"{"effect": {"status": {"code": 403}}, "endpoint": "ENDPOINT"}"#;
    for endpoint in ["peers", "groups"] {
        system.simulate("faults", &forbidden.replace("ENDPOINT", endpoint)).await;
    }
    for dashboard in NAMES {
        for query in queries(dashboard) {
            system.wait_for(&query, |result| !result.is_empty()).await;
        }
    }
    the_columns_of_tables_are_labels_of_the_results(&system).await;
    for (dashboard, title, letter, expected) in [
        ("exporter", "Failing listings", 'A', "6"),
        ("exporter", "Failing discoveries", 'A', "1"),
        ("peering", "Last poll", 'A', "0"),
    ] {
        system.wait_for(&query(dashboard, title, letter), |result| number(result) == expected).await;
    }
    // One project has peerings of an earlier poll, the other was never polled.
    system.wait_for(&query("exporter", "Listings by last poll result", 'B'), |result| last(result) == "3").await;
    assert_eq!(last(&system.query(&query("exporter", "Listings by last poll result", 'C')).await), "3");

    system.kill_exporter();
    system.wait_for(&query("exporter", "Exporters down", 'A'), |result| number(result) == "2").await;
}

async fn a_project_that_was_never_polled(system: &System) {
    let refused =
        r#"{"effect": {"status": {"code": 401, "error_code": "NOT_IN_GROUP"}}, "group": "5e57d85c854180642f784402"}"#;
    system.simulate("faults", refused).await;
    system.simulate("groups", r#"{"id": "5e57d85c854180642f784402", "name": "not-ours"}"#).await;
    let is_never =
        |series: &Value| text(series, "/value/1") == NEVER && text(series, "/metric/group_name") == "not-ours";
    let ages = system.wait_for(&query("exporter", "Listing freshness", 'A'), |result| result.len() == 6).await;
    assert_eq!(ages.iter().filter(|series| is_never(series)).count(), 3, "{ages:#?}");
    assert_eq!(number(&system.query(&query("overview", "Oldest data", 'A')).await), NEVER);
    assert_eq!(number(&system.query(&query("overview", "Listings without fresh data", 'A')).await), "3");
}

async fn a_failed_and_a_pending_peering(system: &System) {
    let change = r#"{"status": "FAILED", "error": "EXPIRED"}"#;
    system.simulate("groups/5e57d85c854180642f784401/peers/68f87c7b0000000000000001", change).await;
    let lost = system.wait_for(&query("overview", "Lost in the time range", 'A'), |result| number(result) == "1").await;
    assert_eq!(lost.len(), 1);
    let table = query("overview", "Peerings that are not AVAILABLE", 'A');
    let rows = system.wait_for(&table, |rows| rows.len() == 1 && rows[0]["metric"]["reason"] == "EXPIRED").await;
    let shown = ["group_name", "provider", "vpcId", "status", "cloud_account", "connection_id"]
        .map(|label| rows[0]["metric"][label].as_str().unwrap_or_default());
    let expected = ["payments-prod", "AWS", "vpc-0c1d7a5e9f3b28461", "FAILED", "358363220050", "pcx-05530fa865e7a44f4"];
    assert_eq!(shown, expected);
    let status = system.query(&query("peering", "Status", 'A')).await;
    assert_eq!(status[0]["metric"]["status"], "FAILED");
    system.wait_for(&query("peering", "Status over time", 'A'), |result| last(result) == FAILED).await;
    system.wait_for(&query("peering", "Status changes", 'A'), |result| number(result) == "1").await;

    let request = r#"{"provider": "AWS", "status": "PENDING_ACCEPTANCE", "age": "6d", "vpcId": "vpc-0f1e2d3c4b5a69788",
        "awsAccountId": "358363220050", "connectionId": "pcx-0e3c7b5d1a9f86240"}"#;
    system.simulate("groups/5e57d85c854180642f784401/peers", request).await;
    let waiting = query("overview", "AWS requests awaiting acceptance", 'A');
    let left = system.wait_for(&waiting, |result| result.len() == 1).await;
    let left: f64 = number(&left).parse().unwrap();
    assert!((86_000.0..=86_400.0).contains(&left), "{left}");
}

fn last(result: &[Value]) -> &str {
    let samples = result.first().map(|series| list(series, "/values")).unwrap_or_default();
    samples.last().map(|sample| text(sample, "/1")).unwrap_or_default()
}

async fn the_columns_of_tables_are_labels_of_the_results(system: &System) {
    for (name, dashboard) in all() {
        for panel in panels(&dashboard).filter(|panel| panel["type"] == "table") {
            let letters = list(panel, "/targets").iter().map(|target| text(target, "/refId"));
            let letters: Vec<_> = letters.collect();
            let mut labels = BTreeSet::from(["Time".to_owned()]);
            for letter in &letters {
                labels.insert(if letters.len() == 1 { "Value".to_owned() } else { format!("Value #{letter}") });
                let query = query(name, text(panel, "/title"), letter.chars().next().unwrap());
                for series in system.query(&query).await {
                    labels.extend(series["metric"].as_object().unwrap().keys().cloned());
                }
            }
            if panel["title"] == "Both sides" {
                // Only Azure has this label, and the peering is in AWS.
                labels.insert("resource_group".to_owned());
            }
            let last = list(panel, "/transformations").last().unwrap();
            if last["id"] == "groupingToMatrix" {
                let used =
                    ["columnField", "rowField", "valueField"].map(|field| text(&last["options"], &format!("/{field}")));
                assert!(used.iter().all(|field| labels.contains(*field)), "{used:?}");
                continue;
            }
            let columns =
                |key: &str| last["options"][key].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
            let (shown, hidden) = (columns("renameByName"), columns("excludeByName"));
            assert!(shown.is_disjoint(&hidden), "{}", panel["title"]);
            assert_eq!(&shown | &hidden, labels, "{}", panel["title"]);
            assert_eq!(columns("indexByName"), labels, "{}", panel["title"]);
        }
    }
}
