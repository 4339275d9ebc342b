//! The rules and other files of the repository.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_yaml::Value;

/// A recording or an alerting rule.
#[derive(Clone, Debug)]
pub(crate) struct Rule(pub(crate) Value);

impl Rule {
    pub(crate) fn is_alert(&self) -> bool {
        self.0.get("alert").is_some()
    }

    /// The name of the alert or record.
    pub(crate) fn name(&self) -> &str {
        self.0.get("alert").or(self.0.get("record")).and_then(Value::as_str).unwrap()
    }

    pub(crate) fn expr(&self) -> &str {
        self.0["expr"].as_str().unwrap()
    }

    /// A value of a mapping such as `annotations`; empty if absent.
    pub(crate) fn text(&self, mapping: &str, key: &str) -> &str {
        self.0.get(mapping).and_then(|mapping| mapping.get(key)).and_then(Value::as_str).unwrap_or_default()
    }
}

pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

pub(crate) fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The names of the files in a directory, sorted.
pub(crate) fn files(folder: &str) -> Vec<String> {
    let files = fs::read_dir(path(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// All rules, in order.
pub(crate) fn rules() -> Vec<Rule> {
    let file: Value = serde_yaml::from_str(&read("prometheus/rules.yaml")).unwrap();
    let groups = file["groups"].as_sequence().unwrap();
    groups.iter().flat_map(|group| group["rules"].as_sequence().unwrap()).cloned().map(Rule).collect()
}

pub(crate) fn alerts() -> Vec<Rule> {
    rules().into_iter().filter(Rule::is_alert).collect()
}

/// Runs a program to its end. Fails if it is not installed.
pub(crate) fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| missing(&command.get_program().to_string_lossy(), &error))
}

/// Fails with the command that installs the program.
pub(crate) fn missing(name: &str, error: &std::io::Error) -> ! {
    panic!("start {name}: {error}; `make setup` installs it")
}
