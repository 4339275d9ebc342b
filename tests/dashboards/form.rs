//! Static checks of the dashboards and the provisioning files.

use std::collections::{HashMap, HashSet};

use atlas::Provider;
use mongodbatlas_peering_exporter::metrics::family;
use serde_json::Value;

use crate::{
    dashboard::{NAMES, all, dashboard, file, list, panels, queries, query, text},
    promql,
};

/// The palette of Okabe and Ito, which people with color blindness can distinguish, and neutral colors.
const COLORS: [&str; 9] =
    ["#0072B2", "#56B4E9", "#E69F00", "#D55E00", "#CC79A7", "#F0E442", "#009E73", "#999999", "text"];

#[test]
fn the_dashboards_have_fixed_uids_and_an_importable_schema() {
    let uids = all().map(|(_, dashboard)| text(&dashboard, "/uid").to_owned());
    assert_eq!(uids, ["mongodbatlas-peerings", "mongodbatlas-peering", "mongodbatlas-peering-exporter"]);
    for (_, dashboard) in all() {
        assert_eq!(dashboard.get("id"), None);
        assert_eq!((text(&dashboard, "/refresh"), text(&dashboard, "/time/from")), ("30s", "now-6h"));
        // The schema of the oldest supported Grafana. Grafana migrates dashboards only to newer schemas.
        assert_eq!(dashboard["schemaVersion"], 38);
    }
}

#[test]
fn every_panel_has_a_unique_id_a_unique_title_and_a_description() {
    for (name, dashboard) in all() {
        let mut ids = HashSet::new();
        let mut titles = HashSet::new();
        for panel in list(&dashboard, "/panels") {
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{name}: duplicate id {}", panel["id"]);
            assert!(!text(panel, "/title").is_empty() && titles.insert(text(panel, "/title")), "{}", panel["title"]);
        }
        for panel in panels(&dashboard) {
            assert!(text(panel, "/description").ends_with('.'), "{name}: {}", panel["title"]);
        }
    }
}

#[test]
fn panels_do_not_overlap_and_fit_the_width() {
    for (name, dashboard) in all() {
        let mut taken = HashMap::new();
        for panel in list(&dashboard, "/panels") {
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
            assert!(x + w <= 24, "{name}: {}", panel["title"]);
            for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                let other = taken.insert(cell, &panel["title"]);
                assert_eq!(other, None, "{name}: overlap with {}", panel["title"]);
            }
        }
    }
}

#[test]
fn every_query_uses_the_selected_data_source() {
    for (name, dashboard) in all() {
        let is_query = |variable: &&Value| variable["type"] == "query";
        let variables = list(&dashboard, "/templating/list").iter().filter(is_query);
        // A query inherits the data source of its panel unless it has its own.
        let targets = panels(&dashboard).flat_map(|panel| list(panel, "/targets"));
        for user in
            panels(&dashboard).chain(variables).chain(targets.filter(|target| target.get("datasource").is_some()))
        {
            assert_eq!(text(user, "/datasource/uid"), "${datasource}", "{name}: {user}");
            assert_eq!(text(user, "/datasource/type"), "prometheus", "{name}: {user}");
        }
    }
}

#[test]
fn each_dashboard_has_its_variables() {
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
fn every_panel_has_queries_a_unit_thresholds_and_a_text_for_no_data() {
    for (name, dashboard) in all() {
        for panel in panels(&dashboard) {
            assert!(!text(panel, "/fieldConfig/defaults/noValue").is_empty(), "{name}: {}", panel["title"]);
            // With a unit for all columns, Grafana parses text as numbers, so AWS account ids lose leading zeros.
            let is_table = list(panel, "/targets").iter().any(|target| target["format"] == "table");
            assert_eq!(is_table, panel["fieldConfig"]["defaults"].get("unit").is_none(), "{name}: {}", panel["title"]);
            assert!(!list(panel, "/fieldConfig/defaults/thresholds/steps").is_empty(), "{name}: {}", panel["title"]);
            assert!(!list(panel, "/targets").is_empty(), "{name}: {}", panel["title"]);
        }
    }
}

#[test]
fn the_variables_filter_every_panel_about_peerings_listings_and_accounts() {
    let of_listings = ["account=~\"$account\"", "group_id=~\"$group", "provider=~\"$provider\""];
    for (name, row, matchers) in [
        ("overview", "Peering status", &of_listings[..]),
        ("overview", "Unavailable peerings", &of_listings),
        ("exporter", "Polls", &of_listings),
        ("exporter", "Polls by account", &of_listings[..1]),
        ("exporter", "Atlas API", &of_listings[..1]),
        ("exporter", "Accounts", &of_listings[..1]),
    ] {
        let dashboard = dashboard(name);
        let mut rows = list(&dashboard, "/panels").split(|panel| panel["type"] == "row");
        let index = list(&dashboard, "/panels").iter().filter(|panel| panel["type"] == "row");
        let index = index.map(|panel| text(panel, "/title")).position(|title| title == row).unwrap();
        let panels = rows.nth(index + 1).unwrap();
        assert!(!panels.is_empty(), "{name}: {row}");
        for target in panels.iter().flat_map(|panel| list(panel, "/targets")) {
            let expr = text(target, "/expr");
            assert!(matchers.iter().all(|matcher| expr.contains(matcher)), "{name}: {expr}");
        }
    }
}

#[test]
fn empty_cells_of_a_table_do_not_show_the_text_for_an_empty_table() {
    for (name, dashboard) in all() {
        for table in panels(&dashboard).filter(|panel| panel["type"] == "table") {
            let cells = &table["fieldConfig"]["overrides"][0];
            let known = (text(cells, "/matcher/options"), text(cells, "/properties/0/id"));
            assert_eq!(known, ("/.*/", "noValue"), "{name}: {}", table["title"]);
        }
    }
}

#[test]
fn colors_do_not_rely_on_distinguishing_red_from_green() {
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
            // Grafana's default palette has red and green.
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
fn every_status_has_the_same_code_and_color_everywhere() {
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
fn queries_use_only_metrics_of_the_exporter_or_prometheus() {
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
fn the_provisioning_files_define_the_data_source_and_the_dashboard_directory() {
    let sources: Value = serde_yaml::from_str(&file("provisioning/datasources/prometheus.yaml")).unwrap();
    assert_eq!(sources["apiVersion"], 1);
    assert_eq!(text(&sources, "/datasources/0/type"), "prometheus");
    assert!(text(&sources, "/datasources/0/url").starts_with("http://"));
    let providers: Value = serde_yaml::from_str(&file("provisioning/dashboards/dashboards.yaml")).unwrap();
    assert_eq!(providers["apiVersion"], 1);
    assert_eq!(text(&providers, "/providers/0/type"), "file");
    assert_eq!(text(&providers, "/providers/0/options/path"), "/var/lib/grafana/dashboards");
}
