//! Every file by the tool of the program that reads it.

use std::process::Command;

use crate::shipped::{alerts, files, path, run};

fn accepts(command: &mut Command) {
    let output = run(command);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
}

#[test]
fn prometheus_accepts_the_rules() {
    accepts(
        Command::new("promtool")
            .args(["check", "rules", "--lint=all", "--lint-fatal"])
            .arg(path("prometheus/rules.yaml")),
    );
}

#[test]
fn prometheus_accepts_the_example() {
    accepts(Command::new("promtool").args(["check", "config"]).arg(path("prometheus/prometheus.example.yaml")));
}

#[test]
fn alertmanager_accepts_the_example() {
    accepts(Command::new("amtool").arg("check-config").arg(path("prometheus/alertmanager.example.yaml")));
}

#[test]
fn every_rule_fires_when_it_must_and_only_then() {
    let tests = files("prometheus/tests");
    accepts(Command::new("promtool").args(["test", "rules"]).args(&tests).current_dir(path("prometheus/tests")));
    let mut expected: Vec<_> = alerts().iter().map(|alert| format!("{}.yaml", alert.name())).collect();
    expected.push("records.yaml".to_owned());
    expected.sort();
    assert_eq!(tests, expected, "one file of tests for each alert");
}
