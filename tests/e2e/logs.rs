//! Log formats and levels.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    http::ask,
    process::{exporter, run},
    setup::{Atlas, Exporter, GROUP, SCENARIO, config, folder, write_config},
};

/// Checks every line and returns the levels.
fn levels(log: &str) -> BTreeSet<String> {
    assert!(log.ends_with('\n'), "{log}");
    let level = |line: &str| {
        let Ok(Value::Object(fields)) = serde_json::from_str(line) else { panic!("not a JSON object: {line}") };
        for field in ["timestamp", "level", "message"] {
            let text = fields.get(field).and_then(Value::as_str);
            assert!(text.is_some_and(|text| !text.is_empty()), "`{field}`: {line}");
        }
        fields["level"].as_str().unwrap().to_owned()
    };
    log.lines().map(level).collect()
}

#[test]
fn every_line_of_a_json_log_is_an_object_with_timestamp_level_and_message() {
    let folder = folder();
    let flags = ["--log.format=json", "--log.level=debug"];
    let atlas = Atlas::start_with(folder.path(), SCENARIO, flags);
    write_config(folder.path(), &config(&atlas.url(), &[(GROUP, "payments"), ("5e57d85c854180642f78440f", "gone")]));
    let exporter = Exporter::start(folder.path(), flags);
    exporter.wait_until_ready();
    atlas
        .control(&format!("groups/{GROUP}/peers/64c0ffee00000000000000a1"), r#"{"status": "FAILED", "error": "a\nb"}"#);
    let path = format!("/simulator/groups/{GROUP}/peers/64c0ffee00000000000000b1");
    assert_eq!(ask(&atlas.address, "DELETE", &path, "").status, 200);
    for event in ["peering changed", "peering removed", "polls failing"] {
        exporter.process.wait_for_log(event, |log| log.contains(event).then_some(()));
    }
    let ended = exporter.process.terminate();
    assert_eq!(ended.status, Some(0));
    assert!(levels(&ended.stderr).is_superset(&["INFO", "WARN"].map(str::to_owned).into()), "{}", ended.stderr);
    levels(&atlas.process.terminate().stderr);
}

/// A line break, an escape sequence, a line separator, a change of direction, a joiner and a character of no width.
const HIDDEN: &str = "\n\u{1b}\u{2028}\u{202e}\u{200d}\u{feff}";

#[test]
fn hidden_characters_of_atlas_are_escaped_in_messages_and_fields() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    let body = serde_json::json!({ "error": 400, "errorCode": "X", "detail": format!("a{HIDDEN}z") }).to_string();
    let status = serde_json::json!({ "effect": { "status": { "code": 400, "body": body } } });
    write_config(folder.path(), &config(&atlas.url(), &[(GROUP, &format!("a{HIDDEN}z"))]));
    atlas.control("faults", &status.to_string());
    for format in ["text", "json"] {
        let ended = run(exporter(folder.path(), ["once", &format!("--log.format={format}")]));
        assert_eq!(ended.status, Some(1), "{}", ended.stderr);
        let lines: Vec<&str> = ended.stderr.lines().filter(|line| line.contains("polls failing")).collect();
        assert!(!lines.is_empty(), "{}", ended.stderr);
        let direction = if format == "json" { "\\u202e" } else { "\\u{202e}" };
        for line in lines {
            assert!(!line.contains(|c| HIDDEN.contains(c)), "{line}");
            assert_eq!(line.matches(direction).count(), 2, "in the message and in a field: {line}");
        }
    }
    let doctor = run(exporter(folder.path(), ["doctor"]));
    assert!(doctor.stdout.contains("\\u{202e}"), "{}", doctor.stdout);
    assert!(!doctor.stdout.contains(|c| c != '\n' && HIDDEN.contains(c)), "{}", doctor.stdout);
}

#[test]
fn config_faults_are_json_too() {
    let folder = folder();
    for config in ["accounts: []\nmore: 1\n", "a: [\n", "\n"] {
        write_config(folder.path(), config);
        let ended = run(exporter(folder.path(), ["check-config", "--log.format=json"]));
        assert_eq!(ended.status, Some(64));
        assert_eq!(levels(&ended.stderr), BTreeSet::from(["ERROR".to_owned()]));
    }
}

#[test]
fn a_log_level_hides_less_severe_lines() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    write_config(folder.path(), &config(&atlas.url(), &[(GROUP, "payments")]));
    let once = |level: &str| run(exporter(folder.path(), ["once", &format!("--log.level={level}")]));
    let [debug, info, warn] = ["debug", "info", "warn"].map(once);
    assert!(debug.stderr.contains("DEBUG request to Atlas") && info.stderr.contains(" INFO peering not available"));
    assert!(!info.stderr.contains("DEBUG"), "{}", info.stderr);
    assert_eq!((warn.status, warn.stderr.as_str()), (Some(0), ""), "nothing went wrong, so nothing is logged");
}
