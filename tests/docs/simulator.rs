//! Compares docs/simulator.md with the parser.

use std::collections::BTreeSet;

use atlas_simulator::{Fault, Scenario, ScenarioContainer, ScenarioError, ScenarioPeering, ScenarioProvider};
use serde::Serialize;

use crate::markdown::{key, keys, quoted, read, rows, section};

const PAGE: &str = "docs/simulator.md";

const RATE_LIMITS: &str = "### `rate_limit`, `group_list_rate_limit`, `org_rate_limit`";

/// Headings, each with a scenario that has an unknown key at that level.
const LEVELS: [(&str, &str); 9] = [
    ("### Top level", "{x: 1}"),
    ("### `credentials`", "{credentials: {x: 1}}"),
    ("### `service_account`", "{service_account: {x: 1}}"),
    ("### `digest`", "{digest: {x: 1}}"),
    (RATE_LIMITS, "{rate_limit: {x: 1}}"),
    (RATE_LIMITS, "{group_list_rate_limit: {x: 1}}"),
    (RATE_LIMITS, "{org_rate_limit: {x: 1}}"),
    ("### `groups[]`", "{groups: [{x: 1}]}"),
    ("### `timeline[]`", "{timeline: [{x: 1}]}"),
];

/// The keys that the parser expects instead of the unknown one.
fn expected(message: &str) -> BTreeSet<String> {
    let (_, list) = message.split_once("unknown field `x`, expected ").unwrap_or_else(|| panic!("{message}"));
    quoted(list).into_iter().map(str::to_owned).collect()
}

fn known_keys(scenario: &str) -> BTreeSet<String> {
    match Scenario::parse(scenario) {
        Err(ScenarioError::Yaml(error)) => expected(&error.to_string()),
        _ => panic!("{scenario} has no unknown key"),
    }
}

/// The keys of a type without unknown-key errors, which list the known keys.
fn keys_of(value: &impl Serialize) -> BTreeSet<String> {
    let value = serde_json::to_value(value).unwrap();
    value.as_object().unwrap().keys().cloned().collect()
}

fn documented(heading: &str) -> BTreeSet<String> {
    let keys = keys(section(&read(PAGE), heading));
    let count = keys.len();
    let keys = BTreeSet::from_iter(keys);
    assert_eq!(keys.len(), count, "{heading} documents a key twice");
    keys
}

#[test]
fn exactly_the_keys_of_a_scenario_are_documented() {
    for (heading, scenario) in LEVELS {
        assert_eq!(documented(heading), known_keys(scenario), "{heading}");
    }
    let peering = ScenarioPeering::new(ScenarioProvider::Aws, "AVAILABLE");
    assert_eq!(documented("### `peerings[]`"), keys_of(&peering));
    assert_eq!(documented("### `containers[]`"), keys_of(&ScenarioContainer::new(ScenarioProvider::Aws)));
}

#[test]
fn exactly_the_keys_of_a_fault_are_documented() {
    let error = serde_json::from_value::<Fault>(serde_json::json!({"x": 1})).unwrap_err();
    assert_eq!(documented("## Faults"), expected(&error.to_string()));
}

#[test]
fn the_defaults_of_a_scenario_are_as_documented() {
    let page = read(PAGE);
    let mut scenario = String::new();
    let mut compared = 0;
    for (heading, below, indent) in [
        ("### Top level", "", ""),
        ("### `credentials`", "credentials:\n", "  "),
        ("### `service_account`", "service_account:\n", "  "),
        ("### `digest`", "digest:\n", "  "),
        (RATE_LIMITS, "rate_limit:\n", "  "),
    ] {
        scenario.push_str(below);
        for row in rows(section(&page, heading)) {
            if let [default] = quoted(&row[2]).as_slice() {
                scenario.extend([indent, key(&row), ": ", default, "\n"]);
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 19, "defaults");
    let (parsed, default) = (Scenario::parse(&scenario).unwrap(), Scenario::default());
    assert!(parsed == default, "{scenario}");
    let limits = [default.rate_limit, default.group_list_rate_limit, default.org_rate_limit];
    let text = section(&page, "### Top level");
    for limit in limits {
        assert!(
            text.contains(&format!("| mapping | {} and {} |", limit.capacity, limit.refill_per_minute)),
            "{limit:?}"
        );
    }
}
