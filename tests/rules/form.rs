//! Static checks of the rules and the runbooks.

use std::collections::HashSet;

use mongodbatlas_peering_exporter::metrics::family;

use crate::{
    promql::{metrics, of_template, parse},
    shipped::{Rule, alerts, files, read, rules},
};

/// Placeholder base URL of the runbooks; prometheus/README.md explains how to replace it.
const RUNBOOKS: &str = "https://github.com/example/mongodbatlas-peering-exporter/blob/main/docs/runbooks";

/// Every metric that a rule or a runbook may use.
fn known_metrics() -> HashSet<String> {
    let mut names: HashSet<String> = ["up".to_owned(), "ALERTS".to_owned()].into();
    names.extend(rules().iter().filter(|rule| !rule.is_alert()).map(|rule| rule.name().to_owned()));
    for family in family::ALL {
        let suffixes: &[&str] = match family.metric_type {
            family::MetricType::Histogram => &["_bucket", "_sum", "_count"],
            family::MetricType::Gauge | family::MetricType::Counter => &[""],
        };
        names.extend(suffixes.iter().map(|suffix| format!("{}{suffix}", family.name)));
    }
    names
}

#[test]
fn every_alert_has_a_severity_annotations_and_a_runbook_url() {
    let alerts = alerts();
    assert!(alerts.len() >= 20, "too few alerts found");
    for alert in &alerts {
        let name = alert.name();
        assert!(["critical", "warning"].contains(&alert.text("labels", "severity")), "{name}");
        assert_eq!(alert.text("annotations", "runbook_url"), format!("{RUNBOOKS}/{name}.md"));
        let summary = alert.text("annotations", "summary");
        assert!(!summary.is_empty() && !summary.ends_with('.'), "{name}: {summary}");
        let description = alert.text("annotations", "description");
        assert!(description.ends_with('.') && description.contains("$labels"), "{name}: {description}");
    }
    let names: HashSet<_> = alerts.iter().map(Rule::name).collect();
    assert_eq!(names.len(), alerts.len(), "duplicate alert name");
}

#[test]
fn alerts_on_peerings_name_the_vpc_and_the_project() {
    let has_vpc = |alert: &Rule| alert.text("annotations", "description").contains("vpcId");
    let peering_alerts: Vec<_> = alerts().into_iter().filter(has_vpc).collect();
    assert!(peering_alerts.len() >= 10, "too few alerts found");
    for alert in peering_alerts {
        let description = alert.text("annotations", "description");
        for part in ["$labels.vpcId", "$labels.provider", "$labels.group_id }})", "label \"group_name\""] {
            assert!(description.contains(part), "{}: {part}", alert.name());
        }
        // With the name in the expression, renaming a project would start a new alert.
        assert!(!alert.expr().contains("group_name"), "{}", alert.name());
    }
}

#[test]
fn every_alert_has_a_runbook_with_all_sections_and_every_runbook_has_an_alert() {
    let mut expected: Vec<_> = alerts().iter().map(|alert| format!("{}.md", alert.name())).collect();
    expected.push("README.md".to_owned());
    expected.sort();
    assert_eq!(files("docs/runbooks"), expected);
    let index = read("docs/runbooks/README.md");
    for alert in alerts() {
        let name = alert.name();
        assert!(index.contains(&format!("[{name}]({name}.md)")), "the index lacks {name}");
        let page = read(&format!("docs/runbooks/{name}.md"));
        assert!(page.starts_with(&format!("# {name}\n")), "{name}");
        let headings: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(headings, ["Meaning", "Impact", "Diagnosis", "Mitigation"], "{name}");
    }
}

#[test]
fn the_documentation_counts_the_alerts_and_lists_the_critical_ones() {
    let count = alerts().len();
    assert!(read("prometheus/README.md").contains(&format!("nine recording rules and {count} alerts")));
    assert_eq!(rules().len(), count + 9);
    let readme = read("README.md");
    assert!(readme.contains(&format!("has {count} alerts")));
    let is_critical = |alert: &&Rule| alert.text("labels", "severity") == "critical";
    let critical: Vec<_> = alerts().iter().filter(is_critical).map(|alert| alert.name().to_owned()).collect();
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| [Atlas"));
    let mut listed: Vec<_> = rows.map(|row| format!("Atlas{}", row.split(']').next().unwrap())).collect();
    listed.sort_by_key(|name| critical.iter().position(|other| other == name));
    assert_eq!(listed, critical);
    assert!(readme.contains("Five alerts are `critical`") && critical.len() == 5);
    for row in read("docs/runbooks/README.md").lines().filter(|line| line.starts_with("| [")) {
        let alert = alerts().into_iter().find(|alert| row.contains(&format!("[{}]", alert.name()))).unwrap();
        assert!(row.contains(&format!("| {} |", alert.text("labels", "severity"))), "{row}");
    }
}

#[test]
fn rules_use_only_metrics_of_the_exporter_prometheus_or_other_rules() {
    let known = known_metrics();
    for rule in rules() {
        let annotations = ["summary", "description"].map(|key| {
            let template = rule.text("annotations", key);
            let exprs = of_template(template);
            assert_eq!(exprs.len(), template.matches("| query").count(), "{}: {key}", rule.name());
            exprs
        });
        for expr in annotations.concat().into_iter().chain([parse(rule.expr())]) {
            let names = metrics(&expr);
            assert!(!names.is_empty(), "{}: {expr}", rule.name());
            for name in names {
                assert!(known.contains(&name), "{}: {name}", rule.name());
            }
        }
    }
}

#[test]
fn runbooks_use_only_metrics_of_the_exporter_prometheus_or_the_rules() {
    let known = known_metrics();
    let mut found = 0;
    for page in files("docs/runbooks") {
        let text = read(&format!("docs/runbooks/{page}"));
        for block in text.split("```promql\n").skip(1) {
            let expr = parse(block.split("```").next().unwrap());
            for name in metrics(&expr) {
                assert!(known.contains(&name), "{page}: {name}");
                found += 1;
            }
        }
        let quoted = text.split('`').skip(1).step_by(2);
        let is_metric = |word: &&str| {
            word.starts_with("mongodbatlas_") && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        for name in quoted.filter(is_metric) {
            assert!(known.contains(name), "{page}: {name}");
        }
    }
    assert!(found >= 10, "too few queries found");
}

#[test]
fn the_job_of_every_example_matches_the_rules() {
    for name in ["README.md", "docs/web.md", "deploy/compose/prometheus.yaml", "prometheus/prometheus.example.yaml"] {
        let text = read(name);
        let jobs: Vec<_> = text.lines().filter_map(|line| line.trim().strip_prefix("- job_name: ")).collect();
        assert!(!jobs.is_empty() && jobs.iter().all(|job| job.contains("mongodbatlas-peering")), "{name}: {jobs:?}");
    }
}

#[test]
fn alerts_on_peerings_use_the_records_of_trusted_replicas() {
    // A raw series may come from a replica that cannot reach Atlas.
    for alert in alerts().iter().filter(|alert| alert.name().starts_with("AtlasPeering")) {
        for name in metrics(&parse(alert.expr())) {
            let is_raw = ["mongodbatlas_network_peering_status", "mongodbatlas_network_peering_available"];
            assert!(!is_raw.contains(&name.as_str()), "{}: {name}", alert.name());
        }
    }
}
