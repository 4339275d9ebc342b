//! Compares docs/configuration.md and config.example.yaml with the parsers.

use std::{collections::BTreeSet, path::Path};

use clap::CommandFactory;
use mongodbatlas_peering_exporter::{
    cli::Args,
    config::{Config, PollConfig},
};
use serde_yaml::Value;

use crate::markdown::{key, keys, quoted, read, rows, section};

const LEVELS: [(&str, &str); 7] = [
    ("", "### Top level"),
    ("poll", "### `poll`"),
    ("accounts[0]", "### `accounts[]`"),
    ("accounts[0].discover", "### `discover`"),
    ("accounts[0].discover.include[0]", SELECTORS),
    ("accounts[0].discover.exclude[0]", SELECTORS),
    ("accounts[0].groups[0]", "### `groups[]`"),
];

const SELECTORS: &str = "### `include[]` and `exclude[]`";

/// Keys that the example has only in comments: alternatives to the keys it has, and keys without a default.
const ALTERNATIVES: [&str; 12] = [
    "client_id_file",
    "client_id_env",
    "client_secret_file",
    "public_key",
    "public_key_file",
    "public_key_env",
    "private_key_file",
    "private_key_env",
    "proxy_url",
    "proxy_url_file",
    "proxy_url_env",
    "ca_file",
];

/// The keys that the parser lists when it meets an unknown one.
fn known_keys(level: &str) -> BTreeSet<String> {
    let discover = "{x: 1, include: [{x: 1}], exclude: [{x: 1}]}";
    let text = format!("{{x: 1, poll: {{x: 1}}, accounts: [{{x: 1, discover: {discover}, groups: [{{x: 1}}]}}]}}");
    let error = Config::parse(&text, Path::new(""), &|_| None).unwrap_err();
    let place = if level.is_empty() { "x".to_owned() } else { format!("{level}.x") };
    let fault = error.faults.iter().find(|fault| fault.path == place).unwrap();
    let known = fault.message.strip_prefix("unknown key; known here: ").unwrap();
    known.split(", ").map(str::to_owned).collect()
}

fn example() -> Value {
    serde_yaml::from_str(&read("config.example.yaml")).unwrap()
}

/// The mapping at a level. For selectors, the keys of all of them together.
fn at(value: &Value, level: &str) -> Value {
    let account = &value["accounts"][0];
    let selectors = |kind: &str| account["discover"][kind].as_sequence().unwrap().iter();
    match level {
        "" => value.clone(),
        "poll" => value["poll"].clone(),
        "accounts[0]" => account.clone(),
        "accounts[0].discover" => account["discover"].clone(),
        "accounts[0].groups[0]" => account["groups"][0].clone(),
        _ => {
            let entries = selectors("include").chain(selectors("exclude")).flat_map(|one| one.as_mapping().unwrap());
            Value::Mapping(entries.map(|(key, value)| (key.clone(), value.clone())).collect())
        }
    }
}

fn parse(text: &str) -> Config {
    Config::parse(text, Path::new(""), &|name| (name == "ATLAS_CLIENT_SECRET").then(|| "x".to_owned())).unwrap()
}

/// A value in the notation of the documentation.
fn written(value: &Value) -> String {
    match value {
        Value::Sequence(items) => format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(", ")),
        Value::String(text) => text.clone(),
        other => serde_yaml::to_string(other).unwrap().trim().to_owned(),
    }
}

#[test]
fn exactly_the_keys_of_the_config_are_documented() {
    let page = read("docs/configuration.md");
    for (level, heading) in LEVELS {
        let documented = keys(section(&page, heading));
        assert_eq!(documented.len(), known_keys(level).len(), "a key of {heading} is missing or duplicate");
        assert_eq!(BTreeSet::from_iter(documented), known_keys(level), "{heading}");
    }
}

#[test]
fn the_example_has_every_key_or_names_it_in_a_comment() {
    let example = example();
    let text = read("config.example.yaml");
    let comments: String = text.lines().filter(|line| line.trim().starts_with('#')).collect();
    for name in ALTERNATIVES {
        assert!(comments.contains(name), "{name}");
    }
    for (level, heading) in LEVELS {
        let shown = at(&example, level);
        let shown = shown.as_mapping().unwrap().keys().map(|key| key.as_str().unwrap().to_owned());
        let mut expected = known_keys(level);
        expected.retain(|key| !ALTERNATIVES.contains(&key.as_str()));
        assert_eq!(shown.collect::<BTreeSet<_>>(), expected, "{heading}");
    }
}

#[test]
fn the_example_has_the_default_values() {
    let config = parse(&read("config.example.yaml"));
    assert_eq!(config.poll, PollConfig::default());
    let minimal = "client_id: mdb_sa_id_0123456789abcdef01234567, client_secret_env: ATLAS_CLIENT_SECRET";
    let minimal = parse(&format!("accounts: [{{{minimal}}}]"));
    let (account, default) = (&config.accounts[0], &minimal.accounts[0]);
    assert_eq!((&account.base_url, account.api_version), (&default.base_url, default.api_version));
    assert_eq!(account.credential.kind, default.credential.kind);
    let (discover, by_default) = (account.discover.as_ref().unwrap(), default.discover.as_ref().unwrap());
    assert_eq!((discover.interval, &discover.providers), (by_default.interval, &by_default.providers));
    assert_eq!(account.groups[0].providers, account.groups[1].providers);
    assert_eq!((default.name.as_str(), by_default.organization.as_ref()), ("default", None));
}

/// Most installations need only a credential, so no other key may be called required.
#[test]
fn only_accounts_and_group_ids_are_called_required() {
    let page = read("docs/configuration.md");
    let mut required = Vec::new();
    for (_, heading) in LEVELS {
        let rows = rows(section(&page, heading));
        required.extend(rows.iter().filter(|row| row[2] == "required").map(|row| format!("{heading} {}", key(row))));
    }
    assert_eq!(required, ["### Top level accounts", "### `groups[]` id"]);
}

#[test]
fn the_documented_defaults_are_those_of_the_example() {
    let page = read("docs/configuration.md");
    let example = example();
    let mut compared = 0;
    for (level, heading) in LEVELS {
        for row in rows(section(&page, heading)) {
            // The name in the example is not the default.
            if let ([default], false) = (quoted(&row[2]).as_slice(), key(&row) == "name") {
                assert_eq!(*default, written(&at(&example, level)[key(&row)]), "{heading} {}", key(&row));
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 13, "defaults");
}

#[test]
fn exactly_the_flags_are_documented_with_their_defaults() {
    let page = read("docs/configuration.md");
    let rows = rows(section(&page, "## Flags"));
    let command = <Args as CommandFactory>::command();
    for flag in command.get_arguments() {
        let name = format!("--{}", flag.get_long().unwrap());
        let row = rows.iter().find(|row| key(row) == name).unwrap_or_else(|| panic!("{name} has no row"));
        let defaults: Vec<&str> = flag.get_default_values().iter().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(quoted(&row[1]), defaults, "{name}");
    }
    assert_eq!(rows.len(), command.get_arguments().count());
}

#[test]
fn exactly_the_commands_are_documented() {
    let page = read("docs/configuration.md");
    let command = <Args as CommandFactory>::command();
    let known: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    assert_eq!(keys(section(&page, "## Commands")), known);
}
