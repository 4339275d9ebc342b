//! What can be said of the files without running anything.

use std::collections::{HashMap, HashSet};

use atlas::Provider;
use mongodbatlas_peering_exporter::metrics::family;
use serde_json::Value;

use crate::{
    dashboard::{NAMES, all, dashboard, file, list, panels, queries, query, text},
    promql,
};

/// Colors that people who see fewer of them can still tell apart (Okabe and Ito), and neutral ones.
const COLORS: [&str; 9] =
    ["#0072B2", "#56B4E9", "#E69F00", "#D55E00", "#CC79A7", "#F0E442", "#009E73", "#999999", "text"];

#[test]
fn the_dashboards_can_be_imported_under_fixed_uids() {
    let uids = all().map(|(_, dashboard)| text(&dashboard, "/uid").to_owned());
    assert_eq!(uids, ["mongodbatlas-peerings", "mongodbatlas-peering", "mongodbatlas-peering-exporter"]);
    for (_, dashboard) in all() {
        assert_eq!(dashboard.get("id"), None);
        assert_eq!((text(&dashboard, "/refresh"), text(&dashboard, "/time/from")), ("30s", "now-6h"));
        // Grafana migrates dashboards to newer schemas, never back: this is that of the oldest one supported.
        assert_eq!(dashboard["schemaVersion"], 38);
    }
}

#[test]
fn every_panel_has_an_id_of_its_own_a_title_and_a_description() {
    for (name, dashboard) in all() {
        let mut ids = HashSet::new();
        let mut titles = HashSet::new();
        for panel in list(&dashboard, "/panels") {
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{name}: twice {}", panel["id"]);
            assert!(!text(panel, "/title").is_empty() && titles.insert(text(panel, "/title")), "{}", panel["title"]);
        }
        for panel in panels(&dashboard) {
            assert!(text(panel, "/description").ends_with('.'), "{name}: {}", panel["title"]);
        }
    }
}

#[test]
fn panels_lie_side_by_side_within_the_page() {
    for (name, dashboard) in all() {
        let mut taken = HashMap::new();
        for panel in list(&dashboard, "/panels") {
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
            assert!(x + w <= 24, "{name}: {}", panel["title"]);
            for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                let other = taken.insert(cell, &panel["title"]);
                assert_eq!(other, None, "{name}: lies over {}", panel["title"]);
            }
        }
    }
}

#[test]
fn every_query_goes_to_the_data_source_that_was_chosen() {
    for (name, dashboard) in all() {
        let of_prometheus = |variable: &&Value| variable["type"] == "query";
        let variables = list(&dashboard, "/templating/list").iter().filter(of_prometheus);
        // A query of a panel goes where its panel says, unless it says otherwise.
        let targets = panels(&dashboard).flat_map(|panel| list(panel, "/targets"));
        for reader in
            panels(&dashboard).chain(variables).chain(targets.filter(|target| target.get("datasource").is_some()))
        {
            assert_eq!(text(reader, "/datasource/uid"), "${datasource}", "{name}: {reader}");
            assert_eq!(text(reader, "/datasource/type"), "prometheus", "{name}: {reader}");
        }
    }
}

#[test]
fn each_dashboard_has_the_variables_that_narrow_it() {
    let names = all().map(|(_, dashboard)| {
        let names = list(&dashboard, "/templating/list").iter().map(|variable| text(variable, "/name").to_owned());
        names.collect::<Vec<_>>().join(" ")
    });
    let expected = [
        "datasource account group provider atlas",
        "datasource group provider vpcId peering_id atlas",
        "datasource account group provider",
    ];
    assert_eq!(names, expected);
}

#[test]
fn every_panel_says_what_its_numbers_are_and_what_it_means_if_there_are_none() {
    for (name, dashboard) in all() {
        for panel in panels(&dashboard) {
            assert!(!text(panel, "/fieldConfig/defaults/noValue").is_empty(), "{name}: {}", panel["title"]);
            // With a unit for all columns Grafana reads texts as numbers: an AWS account loses its leading zero.
            let has_texts = list(panel, "/targets").iter().any(|target| target["format"] == "table");
            assert_eq!(has_texts, panel["fieldConfig"]["defaults"].get("unit").is_none(), "{name}: {}", panel["title"]);
            assert!(!list(panel, "/fieldConfig/defaults/thresholds/steps").is_empty(), "{name}: {}", panel["title"]);
            assert!(!list(panel, "/targets").is_empty(), "{name}: {}", panel["title"]);
        }
    }
}

#[test]
fn the_variables_narrow_every_panel_about_peerings_targets_and_accounts() {
    let of_targets = ["account=~\"$account\"", "group_id=~\"$group", "provider=~\"$provider\""];
    for (name, row, matchers) in [
        ("overview", "Peering status", &of_targets[..]),
        ("overview", "Unavailable peerings", &of_targets),
        ("exporter", "Polls", &of_targets),
        ("exporter", "Atlas API", &of_targets[..1]),
        ("exporter", "Accounts", &of_targets[..1]),
    ] {
        let dashboard = dashboard(name);
        let mut rows = list(&dashboard, "/panels").split(|panel| panel["type"] == "row");
        let index = list(&dashboard, "/panels").iter().filter(|panel| panel["type"] == "row");
        let index = index.map(|panel| text(panel, "/title")).position(|title| title == row).unwrap();
        let panels = rows.nth(index + 1).unwrap();
        assert!(!panels.is_empty(), "{name}: {row}");
        for target in panels.iter().flat_map(|panel| list(panel, "/targets")) {
            let expr = text(target, "/expr");
            // The poll interval is the exporter's.
            if expr != "max by (namespace, job) (mongodbatlas_peering_poll_interval_seconds)" {
                assert!(matchers.iter().all(|matcher| expr.contains(matcher)), "{name}: {expr}");
            }
        }
    }
}

#[test]
fn an_empty_cell_of_a_table_does_not_say_what_an_empty_table_says() {
    for (name, dashboard) in all() {
        for table in panels(&dashboard).filter(|panel| panel["type"] == "table") {
            let cells = &table["fieldConfig"]["overrides"][0];
            let known = (text(cells, "/matcher/options"), text(cells, "/properties/0/id"));
            assert_eq!(known, ("/.*/", "noValue"), "{name}: {}", table["title"]);
        }
    }
}

#[test]
fn colors_can_be_told_apart_without_telling_red_from_green() {
    fn check(value: &Value) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    if let ("color" | "fixedColor", Some(color)) = (key.as_str(), value.as_str()) {
                        assert!(COLORS.contains(&color), "{color}");
                    }
                    check(value);
                }
            }
            Value::Array(values) => values.iter().for_each(check),
            _ => {}
        }
    }
    for (name, dashboard) in all() {
        check(&dashboard);
        for panel in panels(&dashboard) {
            let tables_and_lines = ["table", "timeseries", "bargauge"].contains(&text(panel, "/type"));
            // Grafana's own palette has red and green.
            let mode = text(panel, "/fieldConfig/defaults/color/mode");
            assert!(
                ["fixed", "shades", "thresholds"].contains(&mode) || tables_and_lines && mode.is_empty(),
                "{name}: {}",
                panel["title"]
            );
        }
    }
}

#[test]
fn every_status_has_one_code_and_one_color_wherever_it_is_shown() {
    let mappings = all().map(|(_, dashboard)| {
        let timeline = panels(&dashboard).find(|panel| text(panel, "/title") == "Status over time");
        timeline.map(|panel| panel["fieldConfig"]["defaults"]["mappings"].clone())
    });
    assert_eq!(mappings[0], mappings[1]);
    let codes = mappings[0].as_ref().unwrap()[0]["options"].as_object().unwrap();
    let query = &query("overview", "Status over time", 'A').expr;
    for status in Provider::ALL.into_iter().flat_map(Provider::documented_statuses) {
        let (code, _) = codes.iter().find(|(_, shown)| shown["text"] == *status).unwrap();
        let coded = format!("{code} * mongodbatlas_network_peering_status");
        let mut lines = query.lines().map(|line| line.trim_start().trim_start_matches("or "));
        let line = lines.find(|line| line.starts_with(&coded)).unwrap();
        assert!(line.contains(&format!("status=\"{status}\"")), "{line}");
    }
}

#[test]
fn every_metric_is_one_that_the_exporter_or_prometheus_makes() {
    let mut ours = HashSet::new();
    for family in family::ALL {
        let suffixes: &[&str] = match family.metric_type {
            family::MetricType::Histogram => &["_bucket", "_sum", "_count"],
            family::MetricType::Gauge | family::MetricType::Counter => &[""],
        };
        ours.extend(suffixes.iter().map(|suffix| format!("{}{suffix}", family.name)));
    }
    for query in NAMES.into_iter().flat_map(queries) {
        let names = promql::metrics(&query.expr);
        assert!(!names.is_empty(), "{query:?}");
        for name in names {
            let is_theirs = ["up", "ALERTS"].contains(&name.as_str());
            let is_theirs = is_theirs || name.starts_with("process_") || name.starts_with("scrape_");
            assert!(is_theirs || ours.contains(&name), "{name} in {query:?}");
        }
    }
}

#[test]
fn the_provisioning_files_name_a_prometheus_and_the_folder_of_the_dashboards() {
    let sources: Value = serde_yaml::from_str(&file("provisioning/datasources/prometheus.yaml")).unwrap();
    assert_eq!(sources["apiVersion"], 1);
    assert_eq!(text(&sources, "/datasources/0/type"), "prometheus");
    assert!(text(&sources, "/datasources/0/url").starts_with("http://"));
    let providers: Value = serde_yaml::from_str(&file("provisioning/dashboards/dashboards.yaml")).unwrap();
    assert_eq!(providers["apiVersion"], 1);
    assert_eq!(text(&providers, "/providers/0/type"), "file");
    assert_eq!(text(&providers, "/providers/0/options/path"), "/var/lib/grafana/dashboards");
}
