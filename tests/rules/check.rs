//! Every file by the tool of the program that reads it.

use std::process::Command;

use crate::shipped::{alerts, files, path, read, run};

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
fn what_is_critical_goes_to_the_pager_and_everything_else_becomes_a_ticket() {
    for alert in alerts() {
        let severity = alert.text("labels", "severity");
        let mut command = Command::new("amtool");
        command.args(["config", "routes", "test", "--config.file"]).arg(path("prometheus/alertmanager.example.yaml"));
        let output = run(command.arg(format!("severity={severity}")).arg(format!("alertname={}", alert.name())));
        let receiver = if severity == "critical" { "pager" } else { "tickets" };
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), receiver, "{}", alert.name());
    }
}

#[test]
fn every_alert_that_the_example_names_is_one_of_the_rules() {
    let example = read("prometheus/alertmanager.example.yaml");
    let words = example.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.starts_with("Atlas"));
    let named: Vec<_> = words.filter(|word| *word != "Atlas").collect();
    assert!(named.len() > 10, "names were lost");
    let alerts = alerts();
    for name in named {
        assert!(alerts.iter().any(|alert| alert.name() == name), "{name}");
    }
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
