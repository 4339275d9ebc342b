//! Links from the dashboards to each other and to Atlas.

use std::collections::HashSet;

use serde_json::Value;

use crate::dashboard::{all, list, panels, text};

/// The peerings of a project in Atlas.
const ATLAS: &str = "https://${atlas}/v2/GROUP#/security/network/peering";

/// All links in the value.
fn links(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(fields) => {
            let own = fields.get("url").and_then(Value::as_str).filter(|url| !url.is_empty());
            own.into_iter().chain(fields.values().flat_map(links)).collect()
        }
        Value::Array(values) => values.iter().flat_map(links).collect(),
        _ => Vec::new(),
    }
}

fn variables(dashboard: &Value) -> HashSet<&str> {
    list(dashboard, "/templating/list").iter().map(|variable| text(variable, "/name")).collect()
}

/// The texts between two delimiters.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Vec<&'a str> {
    text.split(start).skip(1).map(|rest| rest.split(end).next().unwrap()).collect()
}

#[test]
fn every_link_opens_a_dashboard_with_the_same_variables_or_atlas() {
    let dashboards = all();
    let mut dashboard_links = 0;
    for (name, dashboard) in &dashboards {
        let known = variables(dashboard);
        for link in links(dashboard) {
            for used in between(link, "${", "}") {
                let variable = used.split(':').next().unwrap();
                assert!(variable.starts_with("__") || known.contains(variable), "{name}: {link}");
            }
            let Some(path) = link.strip_prefix("/d/") else {
                let group = if *name == "peering" { "${group}" } else { "${__data.fields.group_id}" };
                assert_eq!(link, ATLAS.replace("GROUP", group));
                continue;
            };
            dashboard_links += 1;
            let uid = path.split('?').next().unwrap();
            let (_, target) = dashboards.iter().find(|(_, other)| text(other, "/uid") == uid).unwrap();
            let theirs = variables(target);
            let by_format = between(link, "${", "}").into_iter().filter_map(|used| used.strip_suffix(":queryparam"));
            for variable in between(link, "var-", "=").into_iter().chain(by_format) {
                assert!(theirs.contains(variable), "{name}: {link}");
            }
        }
    }
    assert!(dashboard_links > 0);
}

#[test]
fn the_fields_in_links_are_columns_of_the_table() {
    for (name, dashboard) in all() {
        for panel in panels(&dashboard) {
            let columns = list(panel, "/transformations").last().map(|last| &last["options"]["renameByName"]);
            for field in links(panel).into_iter().flat_map(|link| between(link, "${__data.fields.", "}")) {
                assert!(columns.is_some_and(|columns| columns[field].is_string()), "{name}: {field}");
            }
        }
    }
}

#[test]
fn the_dashboards_link_to_each_other_by_tag() {
    for (name, dashboard) in all() {
        assert_eq!(dashboard["links"][0]["type"], "dashboards", "{name}");
        assert_eq!(dashboard["links"][0]["tags"], dashboard["tags"], "{name}");
        assert_eq!(dashboard["tags"].as_array().map(Vec::len), Some(3), "{name}");
    }
}
