//! Validates every file with the tool of the program that reads it.

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
fn critical_alerts_go_to_the_pager_and_others_to_tickets() {
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
fn the_alertmanager_example_names_only_alerts_of_the_rules() {
    let example = read("prometheus/alertmanager.example.yaml");
    let words = example.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.starts_with("Atlas"));
    let names: Vec<_> = words.filter(|word| *word != "Atlas").collect();
    assert!(names.len() > 10, "too few alert names found");
    let alerts = alerts();
    for name in names {
        assert!(alerts.iter().any(|alert| alert.name() == name), "{name}");
    }
}

#[test]
fn every_rule_passes_its_promtool_tests() {
    let tests = files("prometheus/tests");
    accepts(Command::new("promtool").args(["test", "rules"]).args(&tests).current_dir(path("prometheus/tests")));
    let mut expected: Vec<_> = alerts().iter().map(|alert| format!("{}.yaml", alert.name())).collect();
    expected.push("records.yaml".to_owned());
    expected.sort();
    assert_eq!(tests, expected, "each alert has one test file");
}
