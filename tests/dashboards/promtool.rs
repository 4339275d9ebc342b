//! Evaluates queries on series that a test defines, with promtool.

use std::{fs, process::Command};

use crate::{
    dashboard::query,
    programs::{folder, missing},
};

/// The expectation that a query returns these samples after 15 minutes, ignoring the project name.
pub(crate) fn expectation(dashboard: &str, title: &str, letter: char, samples: &str) -> String {
    let expr = format!("max without (group_name) ({})", query(dashboard, title, letter).expr);
    format!("      - {{expr: {expr:?}, eval_time: 15m, exp_samples: [{samples}]}}\n")
}

/// Checks the expected results of queries on these series.
pub(crate) fn check(test: &str, series: &str, expected: &str) {
    let folder = folder(&format!("promtool-{test}"));
    let file = folder.join("test.yaml");
    let head = "rule_files: []\ntests:\n  - interval: 1m\n    input_series:\n";
    fs::write(&file, format!("{head}{series}    promql_expr_test:\n{expected}")).unwrap();
    let output = Command::new("promtool").args(["test", "rules"]).arg(&file).output();
    let output = output.unwrap_or_else(|error| missing("promtool", &error));
    fs::remove_dir_all(folder).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
