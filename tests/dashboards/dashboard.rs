//! The dashboard as Grafana reads it, and its queries as Grafana sends them.

use std::{fs, path::PathBuf};

use serde_json::Value;

/// A query of a panel or a variable, ready for Prometheus.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    /// The panel's title and the query's letter, or the variable's name.
    pub(crate) name: String,
    pub(crate) expr: String,
    /// Over the time range of the dashboard, rather than at its end.
    pub(crate) is_range: bool,
}

/// A file of the repository's folder `grafana`.
pub(crate) fn file(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("grafana").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn overview() -> Value {
    serde_json::from_str(&file("dashboards/overview.json")).unwrap()
}

pub(crate) fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Every panel that shows something: all but the headings.
pub(crate) fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    list(dashboard, "/panels").iter().filter(|panel| text(panel, "/type") != "row")
}

pub(crate) fn panel<'a>(dashboard: &'a Value, title: &str) -> &'a Value {
    panels(dashboard).find(|panel| text(panel, "/title") == title).unwrap_or_else(|| panic!("no panel `{title}`"))
}

/// Every query of the panel.
pub(crate) fn queries(panel: &Value) -> Vec<Query> {
    let query = |target: &Value| Query {
        name: format!("{} {}", text(panel, "/title"), text(target, "/refId")),
        expr: interpolate(text(target, "/expr"), text(target, "/interval")),
        is_range: target["range"] == true,
    };
    list(panel, "/targets").iter().map(query).collect()
}

/// What each variable asks Prometheus for.
pub(crate) fn variables(dashboard: &Value) -> Vec<Query> {
    let of_prometheus = |variable: &&Value| text(variable, "/type") == "query";
    let query = |variable: &Value| {
        let (function, arguments) = text(variable, "/query/query").trim_end_matches(')').split_once('(').unwrap();
        let expr = match function {
            "label_values" => {
                let (metric, label) = arguments.rsplit_once(", ").unwrap();
                format!("group by ({label}) ({metric}{{{label}!=\"\"}})")
            }
            "query_result" => format!("{arguments})"),
            other => panic!("Grafana has no `{other}` for variables"),
        };
        Query { name: format!("variable {}", text(variable, "/name")), expr: interpolate(&expr, ""), is_range: false }
    };
    list(dashboard, "/templating/list").iter().filter(of_prometheus).map(query).collect()
}

/// Puts in what Grafana would: every variable on `All`, and its own intervals.
fn interpolate(expr: &str, min_step: &str) -> String {
    let rate_interval = match min_step {
        "" => "1m0s",
        "30s" => "2m0s",
        "1m" => "4m0s",
        "2m" => "8m0s",
        other => panic!("four times {other}, please"),
    };
    let mut expr = expr.replace("$__rate_interval", rate_interval).replace("$__range", "21600s");
    for variable in ["account", "group", "provider"] {
        expr = expr.replace(&format!("\"${variable}\""), "\".*\"");
    }
    assert!(!expr.contains('$'), "a variable is left: {expr}");
    expr
}
