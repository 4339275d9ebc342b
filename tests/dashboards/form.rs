//! What can be said of the files without running anything.

use std::collections::{HashMap, HashSet};

use mongodbatlas_peering_exporter::metrics::family;
use serde_json::Value;

use crate::{
    dashboard::{file, list, overview, panels, queries, text, variables},
    promql,
};

/// Colors that people who see fewer of them can still tell apart (Okabe and Ito), and neutral ones.
const COLORS: [&str; 9] =
    ["#0072B2", "#56B4E9", "#E69F00", "#D55E00", "#CC79A7", "#F0E442", "#009E73", "#999999", "text"];

#[test]
fn the_dashboard_can_be_imported_under_a_fixed_uid() {
    let dashboard = overview();
    assert_eq!(dashboard["id"], Value::Null);
    assert_eq!(dashboard["uid"], "mongodbatlas-peerings");
    assert_eq!(dashboard["editable"], true);
    assert_eq!((text(&dashboard, "/refresh"), text(&dashboard, "/time/from")), ("30s", "now-6h"));
    // Grafana migrates dashboards to newer schemas, never back: this is that of the oldest one supported.
    assert_eq!(dashboard["schemaVersion"], 38);
}

#[test]
fn every_panel_has_an_id_of_its_own_a_title_and_a_description() {
    let dashboard = overview();
    let mut ids = HashSet::new();
    let mut titles = HashSet::new();
    for panel in list(&dashboard, "/panels") {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "twice: {}", panel["id"]);
        assert!(!text(panel, "/title").is_empty() && titles.insert(text(panel, "/title")), "{}", panel["title"]);
    }
    for panel in panels(&dashboard) {
        assert!(text(panel, "/description").ends_with('.'), "{}", panel["title"]);
    }
}

#[test]
fn panels_lie_side_by_side_within_the_page() {
    let dashboard = overview();
    let mut taken = HashMap::new();
    for panel in list(&dashboard, "/panels") {
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        assert!(x + w <= 24, "{}", panel["title"]);
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            let other = taken.insert(cell, &panel["title"]);
            assert_eq!(other, None, "lies over {}", panel["title"]);
        }
    }
}

#[test]
fn every_query_goes_to_the_data_source_that_was_chosen() {
    let dashboard = overview();
    let mut readers: Vec<&Value> = panels(&dashboard).collect();
    readers.extend(panels(&dashboard).flat_map(|panel| list(panel, "/targets")));
    readers.extend(list(&dashboard, "/templating/list").iter().filter(|variable| variable["type"] == "query"));
    for reader in readers {
        assert_eq!(text(reader, "/datasource/uid"), "${datasource}", "{reader}");
        assert_eq!(text(reader, "/datasource/type"), "prometheus", "{reader}");
    }
    let names: Vec<_> = list(&dashboard, "/templating/list").iter().map(|variable| text(variable, "/name")).collect();
    assert_eq!(names, ["datasource", "account", "group", "provider"]);
}

#[test]
fn every_panel_says_what_its_numbers_are_and_what_it_means_if_there_are_none() {
    let dashboard = overview();
    for panel in panels(&dashboard) {
        for pointer in ["/fieldConfig/defaults/unit", "/fieldConfig/defaults/noValue"] {
            assert!(!text(panel, pointer).is_empty(), "{} lacks {pointer}", panel["title"]);
        }
        assert!(!list(panel, "/fieldConfig/defaults/thresholds/steps").is_empty(), "{}", panel["title"]);
        assert!(!queries(panel).is_empty(), "{}", panel["title"]);
    }
}

#[test]
fn the_variables_narrow_every_panel_about_peerings_and_targets() {
    let dashboard = overview();
    let is_heading = |panel: &&Value| text(panel, "/title") == "Atlas API";
    let end = list(&dashboard, "/panels").iter().find(is_heading).unwrap()["gridPos"]["y"].as_u64();
    for panel in panels(&dashboard).filter(|panel| panel["gridPos"]["y"].as_u64() < end) {
        for target in list(panel, "/targets") {
            for matcher in ["account=~\"$account\"", "group_id=~\"$group\"", "provider=~\"$provider\""] {
                assert!(text(target, "/expr").contains(matcher), "{} lacks {matcher}", panel["title"]);
            }
        }
    }
}

#[test]
fn an_empty_cell_of_a_table_does_not_say_what_an_empty_table_says() {
    let dashboard = overview();
    for table in panels(&dashboard).filter(|panel| panel["type"] == "table") {
        let cells = &table["fieldConfig"]["overrides"][0];
        assert_eq!((text(cells, "/matcher/options"), text(cells, "/properties/0/id")), ("/.*/", "noValue"));
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
    check(&overview());
}

#[test]
fn every_metric_is_one_that_the_exporter_or_prometheus_makes() {
    let mut ours = HashSet::new();
    for family in family::ALL {
        let suffixes: &[&str] = match family.kind {
            family::Kind::Histogram => &["_bucket", "_sum", "_count"],
            family::Kind::Gauge | family::Kind::Counter => &[""],
        };
        ours.extend(suffixes.iter().map(|suffix| format!("{}{suffix}", family.name)));
    }
    let dashboard = overview();
    let queries = panels(&dashboard).flat_map(queries).chain(variables(&dashboard));
    for query in queries {
        let names = promql::metrics(&query.expr);
        assert!(!names.is_empty(), "{query:?}");
        for name in names {
            let is_theirs = name == "up" || name.starts_with("process_") || name.starts_with("scrape_");
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
