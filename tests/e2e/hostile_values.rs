//! Hostile names and texts in the responses of Atlas.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use proptest::{prelude::*, sample::select, strategy::ValueTree, test_runner::TestRunner};

use crate::{
    http::get,
    process::wait_for,
    prometheus::{Prometheus, Sample},
    setup::{Atlas, Exporter, GROUP, SCENARIO, config, folder, write_config, yaml},
};

/// Strings with a special meaning in the text format, YAML, JSON, HTML, a terminal or Go.
const PIECES: [&str; 32] = [
    "\"",
    "\\",
    "\n",
    "\r\n",
    "\t",
    "\0",
    "{",
    "}",
    ",",
    "=",
    " ",
    "\\n",
    "\\\\",
    "\"} 1\n",
    "# HELP up x\n",
    "# TYPE up gauge\n",
    "# EOF\n",
    "\u{1b}[31m",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "\u{fffd}",
    "\u{ffff}",
    "e\u{301}",
    "\u{202e}",
    "\u{1f468}\u{200d}\u{1f469}",
    "\u{10ffff}",
    "<script>",
    "%00",
    "${HOME}",
    "{n}",
];

const GROUPS: u32 = 8;
const PEERINGS_OF_EACH: u32 = 40;

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        select(PIECES.to_vec()).prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
        "[ -~]{0,6}",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// A deterministic sequence of values.
struct Values(TestRunner);

impl Values {
    fn next(&mut self) -> String {
        hostile().new_tree(&mut self.0).unwrap().current()
    }
}

/// These labels of every series. Prometheus omits empty labels.
fn labels<const N: usize>(samples: Vec<Sample>, names: [&str; N]) -> BTreeSet<[String; N]> {
    let one = |mut labels: BTreeMap<String, String>| names.map(|name| labels.remove(name).unwrap_or_default());
    samples.into_iter().map(|(labels, _)| one(labels)).collect()
}

#[test]
fn hostile_label_values_reach_prometheus_unchanged() {
    let mut values = Values(TestRunner::deterministic());
    let mut scenario = "groups:\n".to_owned();
    let mut groups = Vec::new();
    let mut peerings = BTreeSet::new();
    for number in 0..GROUPS {
        let group = format!("5e57d85c854180642f78440{number}");
        writeln!(scenario, "  - id: {group}\n    name: g\n    peerings:").unwrap();
        for peering in 0..PEERINGS_OF_EACH {
            let id = format!("64c0ffee{number:08x}{peering:08x}");
            let (provider, name) =
                [("AWS", "vpcId"), ("AZURE", "vnetName"), ("GCP", "networkName")][peering as usize % 3];
            let (vpc, status, error) = (values.next(), values.next(), values.next());
            let [vpc_yaml, status_yaml, error_yaml] = [&vpc, &status, &error].map(|text| yaml(text));
            writeln!(
                scenario,
                "      - {{provider: {provider}, id: {id}, {name}: {vpc_yaml}, status: {status_yaml}, error: {error_yaml}}}"
            )
            .unwrap();
            let status = if status.is_empty() { "UNKNOWN".to_owned() } else { status };
            peerings.insert([id, vpc, status]);
        }
        groups.push((group, format!("name {}", values.next())));
    }
    let vpcs: BTreeSet<&String> = peerings.iter().map(|[_, vpc, _]| vpc).collect();
    assert!(vpcs.len() > 250 && vpcs.iter().any(|vpc| vpc.contains(['"', '\\'])), "not hostile enough");

    let folder = folder();
    let atlas = Atlas::start(folder.path(), &scenario);
    let groups: Vec<_> = groups.iter().map(|(id, name)| (id.as_str(), name.as_str())).collect();
    write_config(folder.path(), &config(&atlas.url(), &groups));
    let exporter = Exporter::start(folder.path(), []);
    exporter.wait_until_ready();
    let prometheus = Prometheus::scraping(&exporter.address);

    let seen = prometheus.query("mongodbatlas_network_peering_status");
    assert_eq!(labels(seen, ["peering_id", "vpcId", "status"]), peerings);
    let seen = prometheus.query("mongodbatlas_group_info");
    let groups = groups.into_iter().map(|(id, name)| [id.to_owned(), name.to_owned()]);
    assert_eq!(labels(seen, ["group_id", "group_name"]), groups.collect());
    let total = (GROUPS * PEERINGS_OF_EACH).to_string();
    assert_eq!(prometheus.value("sum(mongodbatlas_network_peerings)"), Some(total));
    // Free text never becomes a label.
    let reasons = labels(prometheus.query("mongodbatlas_network_peering_error_info"), ["reason"]);
    assert_eq!(reasons, BTreeSet::from([["OTHER".to_owned()]]));
    assert_eq!(prometheus.last_error(), "");
}

#[test]
fn hostile_responses_cannot_forge_log_lines() {
    let forged = "x\n2026-01-01T00:00:00.000000Z ERROR forged\r\n\u{1b}[31mred\u{85}\u{2028}";
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    let exporter = Exporter::of(folder.path(), &atlas);
    let change = serde_json::json!({"status": forged, "error": forged});
    atlas.control(&format!("groups/{GROUP}/peers/64c0ffee00000000000000a1"), &change.to_string());
    exporter.process.word_after("peering changed");
    for body in [
        serde_json::json!({"error": 500, "errorCode": forged, "detail": forged, "reason": forged}).to_string(),
        serde_json::json!({"results": [{"id": {forged: 1}}]}).to_string(),
        forged.to_owned(),
    ] {
        let effect = if body.starts_with("{\"results") {
            serde_json::json!({"body": body})
        } else {
            serde_json::json!({"status": {"code": 400, "body": body}})
        };
        atlas.control("faults", &serde_json::json!({"effect": effect, "provider": "AWS"}).to_string());
        let before = failures(&exporter);
        wait_for("a poll that fails", || (failures(&exporter) > before).then_some(()));
        assert_eq!(crate::http::ask(&atlas.address, "DELETE", "/simulator/faults", "").status, 200);
    }
    let log = exporter.process.terminate().stderr;
    assert!(log.contains("polls failing"), "{log}");
    for line in log.split('\n').filter(|line| !line.is_empty()) {
        assert!(line.starts_with("20") && line.split(' ').next().unwrap().ends_with('Z'), "forged: {line:?}\n{log}");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}

fn failures(exporter: &Exporter) -> u64 {
    let page = get(&exporter.address, "/metrics");
    let lines = page.text().lines().filter(|line| line.starts_with("mongodbatlas_peering_poll_failures_total{"));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}
