//! The pages about keys, flags and commands, and the example, against the parsers.

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

/// Another source for a value that the example shows, or what it does without; its comments name them.
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

/// What the parser calls known where it meets a key that it does not know.
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

/// The mapping at a level. What selectors can say is spread over all of them.
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
            let said = selectors("include").chain(selectors("exclude")).flat_map(|one| one.as_mapping().unwrap());
            Value::Mapping(said.map(|(key, value)| (key.clone(), value.clone())).collect())
        }
    }
}

fn parse(text: &str) -> Config {
    Config::parse(text, Path::new(""), &|name| (name == "ATLAS_CLIENT_SECRET").then(|| "x".to_owned())).unwrap()
}

/// As the documentation writes it.
fn written(value: &Value) -> String {
    match value {
        Value::Sequence(items) => format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(", ")),
        Value::String(text) => text.clone(),
        other => serde_yaml::to_string(other).unwrap().trim().to_owned(),
    }
}

#[test]
fn every_key_of_the_config_is_documented_and_no_other() {
    let page = read("docs/configuration.md");
    for (level, heading) in LEVELS {
        let documented = keys(section(&page, heading));
        assert_eq!(documented.len(), known_keys(level).len(), "a key of {heading} is there twice or missing");
        assert_eq!(BTreeSet::from_iter(documented), known_keys(level), "{heading}");
    }
}

#[test]
fn the_example_shows_every_key_or_names_it_in_a_comment() {
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
fn the_example_loads_with_the_defaults() {
    let config = parse(&read("config.example.yaml"));
    assert_eq!(config.poll, PollConfig::default());
    let least = "client_id: mdb_sa_id_0123456789abcdef01234567, client_secret_env: ATLAS_CLIENT_SECRET";
    let least = parse(&format!("accounts: [{{{least}}}]"));
    let (account, default) = (&config.accounts[0], &least.accounts[0]);
    assert_eq!((&account.base_url, account.api_version), (&default.base_url, default.api_version));
    assert_eq!(account.credential.kind, default.credential.kind);
    let (discover, by_default) = (account.discover.as_ref().unwrap(), default.discover.as_ref().unwrap());
    assert_eq!((discover.interval, &discover.providers), (by_default.interval, &by_default.providers));
    assert_eq!(account.groups[0].providers, account.groups[1].providers);
    assert_eq!((default.name.as_str(), by_default.organization.as_ref()), ("default", None));
}

/// A credential and nothing else is how most will begin, so the page must not call more than that needed.
#[test]
fn only_accounts_are_called_needed_beside_the_credential() {
    let page = read("docs/configuration.md");
    let mut needed = Vec::new();
    for (_, heading) in LEVELS {
        let rows = rows(section(&page, heading));
        needed.extend(rows.iter().filter(|row| row[2] == "needed").map(|row| format!("{heading} {}", key(row))));
    }
    assert_eq!(needed, ["### Top level accounts", "### `groups[]` id"]);
}

#[test]
fn the_defaults_that_are_documented_are_those_of_the_example() {
    let page = read("docs/configuration.md");
    let example = example();
    let mut compared = 0;
    for (level, heading) in LEVELS {
        for row in rows(section(&page, heading)) {
            // The example's account has a name of its own.
            if let ([default], false) = (quoted(&row[2]).as_slice(), key(&row) == "name") {
                assert_eq!(*default, written(&at(&example, level)[key(&row)]), "{heading} {}", key(&row));
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 13, "defaults");
}

#[test]
fn every_flag_is_documented_with_its_default_and_no_other() {
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
fn every_command_is_documented_and_no_other() {
    let page = read("docs/configuration.md");
    let command = <Args as CommandFactory>::command();
    let known: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    assert_eq!(keys(section(&page, "## Commands")), known);
}
