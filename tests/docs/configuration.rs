//! The pages about keys, flags and commands, and the example, against the parsers.

use std::{collections::BTreeSet, path::Path};

use clap::CommandFactory;
use mongodbatlas_peering_exporter::{
    cli::Args,
    config::{Config, Poll},
};
use serde_yaml::Value;

use crate::markdown::{key, keys, quoted, read, rows, section};

const LEVELS: [(&str, &str); 4] = [
    ("", "### Top level"),
    ("poll", "### `poll`"),
    ("accounts[0]", "### `accounts[]`"),
    ("accounts[0].groups[0]", "### `groups[]`"),
];

/// Another source for a value that the example shows; its comments name them.
const ALTERNATIVES: [&str; 3] = ["public_key_file", "public_key_env", "private_key_file"];

/// What the parser calls known where it meets a key that it does not know.
fn known_keys(level: &str) -> BTreeSet<String> {
    let text = "{x: 1, poll: {x: 1}, accounts: [{x: 1, groups: [{x: 1}]}]}";
    let error = Config::parse(text, Path::new(""), &|_| None).unwrap_err();
    let place = if level.is_empty() { "x".to_owned() } else { format!("{level}.x") };
    let fault = error.faults.iter().find(|fault| fault.path == place).unwrap();
    let known = fault.message.strip_prefix("unknown key; known here: ").unwrap();
    known.split(", ").map(str::to_owned).collect()
}

fn example() -> Value {
    serde_yaml::from_str(&read("config.example.yaml")).unwrap()
}

fn at<'a>(value: &'a Value, level: &str) -> &'a Value {
    match level {
        "" => value,
        "poll" => &value["poll"],
        "accounts[0]" => &value["accounts"][0],
        _ => &value["accounts"][0]["groups"][0],
    }
}

fn parse(text: &str) -> Config {
    Config::parse(text, Path::new(""), &|name| (name == "ATLAS_PRIVATE_KEY").then(|| "x".to_owned())).unwrap()
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
        let shown = at(&example, level).as_mapping().unwrap().keys().map(|key| key.as_str().unwrap().to_owned());
        let mut expected = known_keys(level);
        expected.retain(|key| !ALTERNATIVES.contains(&key.as_str()));
        assert_eq!(shown.collect::<BTreeSet<_>>(), expected, "{heading}");
    }
}

#[test]
fn the_example_loads_with_the_defaults() {
    let config = parse(&read("config.example.yaml"));
    assert_eq!(config.poll, Poll::default());
    let group = "5356823b3794dee37132bb7b";
    let least = parse(&format!(
        "accounts: [{{public_key: abcdefgh, private_key_env: ATLAS_PRIVATE_KEY, groups: [{{id: {group}}}]}}]"
    ));
    let (account, default) = (&config.accounts[0], &least.accounts[0]);
    assert_eq!((&account.base_url, account.api_version), (&default.base_url, default.api_version));
    assert_eq!(account.groups[0].providers, default.groups[0].providers);
    assert_eq!(default.name, "default");
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
    assert_eq!(compared, 10, "defaults");
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
