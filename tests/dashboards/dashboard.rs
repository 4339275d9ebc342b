//! Reads the dashboards, and interpolates their queries as Grafana does.

use std::{fs, path::PathBuf};

use serde_json::Value;

/// The names of the files in `grafana/dashboards`, without extension.
pub(crate) const NAMES: [&str; 3] = ["overview", "peering", "exporter"];

/// The values of the dashboard variables: everything, except on the dashboard of one peering.
const EVERYTHING: [(&str, &str); 3] = [("account", ".*"), ("group", ".*"), ("provider", ".*")];
pub(crate) const THE_PEERING: [(&str, &str); 4] = [
    ("group", "5e57d85c854180642f784401"),
    ("provider", "AWS"),
    ("vpcId", "vpc-0c1d7a5e9f3b28461"),
    ("peering_id", "68f87c7b0000000000000001"),
];

/// A query of a panel or a variable, ready for Prometheus.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    /// The panel's title and the query's letter, or the variable's name.
    pub(crate) name: String,
    pub(crate) expr: String,
    /// A range query over the dashboard's time range instead of an instant query at its end.
    pub(crate) is_range: bool,
}

/// A file in the directory `grafana`.
pub(crate) fn file(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("grafana").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn dashboard(name: &str) -> Value {
    serde_json::from_str(&file(&format!("dashboards/{name}.json"))).unwrap()
}

/// Every dashboard, with its name.
pub(crate) fn all() -> [(&'static str, Value); 3] {
    NAMES.map(|name| (name, dashboard(name)))
}

pub(crate) fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// All panels except row headings.
pub(crate) fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    list(dashboard, "/panels").iter().filter(|panel| text(panel, "/type") != "row")
}

/// Every query of every panel and variable of a dashboard.
pub(crate) fn queries(name: &str) -> Vec<Query> {
    queries_with(name, if name == "peering" { &THE_PEERING } else { &EVERYTHING })
}

/// The same with these values of the variables.
pub(crate) fn queries_with(name: &str, set: &[(&str, &str)]) -> Vec<Query> {
    let dashboard = dashboard(name);
    panels(&dashboard).flat_map(|panel| of_panel(panel, set)).chain(of_variables(&dashboard, set)).collect()
}

/// One query by its dashboard, panel title and letter.
pub(crate) fn query(dashboard: &str, title: &str, letter: char) -> Query {
    let name = format!("{title} {letter}");
    let found = queries(dashboard).into_iter().find(|query| query.name == name);
    found.unwrap_or_else(|| panic!("no query `{name}` in {dashboard}"))
}

fn of_panel(panel: &Value, set: &[(&str, &str)]) -> Vec<Query> {
    let query = |target: &Value| Query {
        name: format!("{} {}", text(panel, "/title"), text(target, "/refId")),
        expr: interpolate(text(target, "/expr"), text(target, "/interval"), set),
        is_range: target["range"] == true,
    };
    list(panel, "/targets").iter().map(query).collect()
}

/// The queries of the variables.
fn of_variables(dashboard: &Value, set: &[(&str, &str)]) -> Vec<Query> {
    let is_query = |variable: &&Value| text(variable, "/type") == "query";
    let query = |variable: &Value| {
        let (function, arguments) = text(variable, "/query/query").split_once('(').unwrap();
        let arguments = arguments.strip_suffix(')').unwrap();
        let expr = match function {
            "label_values" => {
                let (series, label) = arguments.rsplit_once(", ").unwrap();
                format!("group by ({label}) ({series})")
            }
            "query_result" => arguments.to_owned(),
            other => panic!("unsupported variable query `{other}`"),
        };
        Query {
            name: format!("variable {}", text(variable, "/name")),
            expr: interpolate(&expr, "", set),
            is_range: false,
        }
    };
    list(dashboard, "/templating/list").iter().filter(is_query).map(query).collect()
}

/// Replaces the variables, and Grafana's built-in intervals for a range of five minutes.
fn interpolate(expr: &str, min_step: &str, set: &[(&str, &str)]) -> String {
    let rate_interval = match min_step {
        "" => "1m0s",
        "30s" => "2m0s",
        "1m" => "4m0s",
        "2m" => "8m0s",
        other => panic!("no rate interval for a minimum step of {other}"),
    };
    let built_in = [("__rate_interval", rate_interval), ("__range", "300s"), ("__interval", "1s")];
    let mut expr = expr.to_owned();
    for (variable, value) in built_in.iter().chain(set) {
        expr = expr.replace(&format!("${variable}"), value);
    }
    assert!(!expr.contains('$'), "unknown variable: {expr}");
    expr
}
