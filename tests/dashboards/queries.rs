//! Every query against a real Prometheus that scrapes the real exporter.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    dashboard::{self, Query, list, overview, panels, text, variables},
    programs::System,
};

/// What has no answer while all is well, and why.
const EMPTY_IF_ALL_IS_WELL: [(&str, &str); 2] = [
    ("Peerings that are not AVAILABLE A", "lists what is wrong"),
    ("Failed polls by reason A", "a reason appears with its first failure"),
];

/// What the table `Freshness of every target` shows as `never`.
const NEVER: &str = "1000000000";

const ALL_IS_WELL: &str = "
groups:
  - id: 5e57d85c854180642f784401
    name: payments-prod
    peerings:
      - {provider: AWS, name: lost, status: AVAILABLE, age: 400d, awsAccountId: '358363220050',
         vpcId: vpc-0c1d7a5e9f3b28461, connectionId: pcx-05530fa865e7a44f4}
      - {provider: GCP, status: AVAILABLE, age: 90d, gcpProjectId: checkout-prod-71102, networkName: default}
";

fn one(title: &str, letter: char) -> Query {
    let name = format!("{title} {letter}");
    let queries = dashboard::queries(dashboard::panel(&overview(), title));
    queries.into_iter().find(|query| query.name == name).unwrap()
}

fn number(answer: &[Value]) -> &str {
    answer.first().map(|series| text(series, "/value/1")).unwrap_or_default()
}

#[tokio::test]
async fn every_query_has_an_answer_while_all_is_well() {
    let system = System::start("well", ALL_IS_WELL).await;
    let dashboard = overview();
    for query in panels(&dashboard).flat_map(dashboard::queries).chain(variables(&dashboard)) {
        if EMPTY_IF_ALL_IS_WELL.iter().any(|(name, _)| *name == query.name) {
            assert_eq!(system.ask(&query).await, [Value::Null; 0], "{}", query.name);
        } else {
            system.wait_for(&query, |answer| !answer.is_empty()).await;
        }
    }
    for (title, expected) in [("Available", "1"), ("Not available", "0"), ("Lost in the time range", "0")] {
        assert_eq!(number(&system.ask(&one(title, 'A')).await), expected, "{title}");
    }
}

#[tokio::test]
async fn a_second_replica_doubles_no_number() {
    let system = System::start("replicas", ALL_IS_WELL).await;
    assert_eq!(system.replicas.len(), 2);
    let page = system.metrics().await;
    let is_peering = |line: &&str| line.starts_with("mongodbatlas_network_peering_status{");
    assert_eq!(number(&system.ask(&one("Peerings", 'A')).await), page.lines().filter(is_peering).count().to_string());
    // Three providers of one group.
    assert_eq!(system.ask(&one("Freshness of every target", 'A')).await.len(), 3);
    let by_status = system.ask(&one("Peerings by status", 'A')).await;
    let available = by_status.iter().find(|series| text(series, "/metric/status") == "AVAILABLE").unwrap();
    assert_eq!(text(available, "/value/1"), "2");
}

#[tokio::test]
async fn what_is_lost_or_never_answered_stands_out() {
    let system = System::start("broken", ALL_IS_WELL).await;

    // A group that appears, and never answers.
    let refused =
        r#"{"effect": {"status": {"code": 401, "error_code": "NOT_IN_GROUP"}}, "group": "5e57d85c854180642f784402"}"#;
    system.simulate("faults", refused).await;
    system.simulate("groups", r#"{"id": "5e57d85c854180642f784402", "name": "not-ours"}"#).await;
    let is_never =
        |series: &Value| text(series, "/value/1") == NEVER && text(series, "/metric/group_name") == "not-ours";
    let ages = system.wait_for(&one("Freshness of every target", 'A'), |answer| answer.len() == 6).await;
    assert_eq!(ages.iter().filter(|series| is_never(series)).count(), 3, "{ages:#?}");
    assert_eq!(number(&system.ask(&one("Oldest data", 'A')).await), NEVER);
    assert_eq!(number(&system.ask(&one("Targets without fresh data", 'A')).await), "3");

    let change = r#"{"status": "FAILED", "error": "EXPIRED"}"#;
    system.simulate("groups/5e57d85c854180642f784401/peers/lost", change).await;
    system.simulate("faults", r#"{"effect": {"status": {"code": 403}}, "provider": "GCP"}"#).await;
    let lost = system.wait_for(&one("Lost in the time range", 'A'), |answer| number(answer) == "1").await;
    assert_eq!(lost.len(), 1);
    for (name, _) in EMPTY_IF_ALL_IS_WELL {
        let (title, letter) = name.rsplit_once(' ').unwrap();
        system.wait_for(&one(title, letter.chars().next().unwrap()), |answer| !answer.is_empty()).await;
    }
    let rows = system.ask(&one("Peerings that are not AVAILABLE", 'A')).await;
    let shown = ["group_name", "provider", "vpcId", "status", "reason", "cloud_account", "connection_id"]
        .map(|label| rows[0]["metric"][label].as_str().unwrap_or_default());
    let expected =
        ["payments-prod", "AWS", "vpc-0c1d7a5e9f3b28461", "FAILED", "EXPIRED", "358363220050", "pcx-05530fa865e7a44f4"];
    assert_eq!((rows.len(), shown), (1, expected));
    the_columns_of_tables_are_labels_of_their_queries(&system).await;
    system.wait_for(&one("Targets by their last poll", 'B'), |answer| last(answer) == "1").await;
    assert_eq!(last(&system.ask(&one("Targets by their last poll", 'C')).await), "3");
}

fn last(answer: &[Value]) -> &str {
    let samples = answer.first().map(|series| list(series, "/values")).unwrap_or_default();
    samples.last().map(|sample| text(sample, "/1")).unwrap_or_default()
}

async fn the_columns_of_tables_are_labels_of_their_queries(system: &System) {
    let dashboard = overview();
    for panel in panels(&dashboard).filter(|panel| panel["type"] == "table") {
        let queries = dashboard::queries(panel);
        let mut there = BTreeSet::from(["Time".to_owned()]);
        for query in &queries {
            let letter = query.name.rsplit(' ').next().unwrap();
            there.insert(if queries.len() == 1 { "Value".to_owned() } else { format!("Value #{letter}") });
            for series in system.ask(query).await {
                there.extend(series["metric"].as_object().unwrap().keys().cloned());
            }
        }
        let options = list(panel, "/transformations").last().map(|last| &last["options"]["indexByName"]).unwrap();
        let ordered: BTreeSet<_> = options.as_object().unwrap().keys().cloned().collect();
        assert_eq!(ordered, there, "{}", panel["title"]);
    }
}
