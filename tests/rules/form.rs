//! What can be said of the rules without running anything.

use std::collections::HashSet;

use mongodbatlas_peering_exporter::metrics::family;

use crate::{
    promql::{metrics, of_template, parse},
    shipped::{Rule, alerts, files, read, rules},
};

/// Where the runbooks of a public copy would be; prometheus/README.md says how to change it.
const RUNBOOKS: &str = "https://github.com/example/mongodbatlas-peering-exporter/blob/main/docs/runbooks";

/// Every metric that a rule or a runbook may name.
fn known() -> HashSet<String> {
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
fn every_alert_says_how_bad_it_is_what_it_means_and_where_to_read_on() {
    let alerts = alerts();
    assert!(alerts.len() >= 20, "alerts were lost");
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
    assert_eq!(names.len(), alerts.len(), "a name is there twice");
}

#[test]
fn an_alert_about_a_peering_says_which_vpc_and_which_group_by_name_and_id() {
    let of_peerings = alerts().into_iter().filter(|alert| alert.text("annotations", "description").contains("vpcId"));
    let of_peerings: Vec<_> = of_peerings.collect();
    assert!(of_peerings.len() >= 10, "alerts were lost");
    for alert in of_peerings {
        let description = alert.text("annotations", "description");
        for part in ["$labels.vpcId", "$labels.provider", "$labels.group_id }})", "label \"group_name\""] {
            assert!(description.contains(part), "{}: {part}", alert.name());
        }
        // It would make another alert of a group that is renamed.
        assert!(!alert.expr().contains("group_name"), "{}", alert.name());
    }
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
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
        for heading in ["## What it means", "## What to look at", "## What to do"] {
            assert!(page.contains(&format!("\n{heading}\n")), "{name} lacks {heading}");
        }
    }
}

#[test]
fn the_documentation_counts_the_alerts_and_lists_those_that_wake_somebody() {
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
fn every_metric_of_a_rule_is_one_that_the_exporter_prometheus_or_a_rule_makes() {
    let known = known();
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
fn every_metric_of_a_runbook_is_one_that_the_exporter_prometheus_or_a_rule_makes() {
    let known = known();
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
    assert!(found >= 10, "queries were lost");
}

#[test]
fn the_rules_know_the_exporter_by_the_job_of_every_example() {
    for name in ["README.md", "docs/web.md", "deploy/compose/prometheus.yaml", "prometheus/prometheus.example.yaml"] {
        let text = read(name);
        let jobs: Vec<_> = text.lines().filter_map(|line| line.trim().strip_prefix("- job_name: ")).collect();
        assert!(!jobs.is_empty() && jobs.iter().all(|job| job.contains("mongodbatlas-peering")), "{name}: {jobs:?}");
    }
}

#[test]
fn alerts_about_peerings_come_from_what_the_records_believe() {
    // A raw series is one replica's word, which may be cut off from Atlas.
    for alert in alerts().iter().filter(|alert| alert.name().starts_with("AtlasPeering")) {
        for name in metrics(&parse(alert.expr())) {
            let is_raw = ["mongodbatlas_network_peering_status", "mongodbatlas_network_peering_available"];
            assert!(!is_raw.contains(&name.as_str()), "{}: {name}", alert.name());
        }
    }
}
