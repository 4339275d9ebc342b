//! docs/logs.md against the sources.

use std::{fs, path::Path};

use crate::markdown::{path, quoted, read, rows};

/// The sources of every line that the page lists: not those of the simulated Atlas.
fn sources() -> String {
    read_below(&path("src")) + &read_below(&path("crates"))
}

fn read_below(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("atlas-simulator") || path.ends_with("demo.rs") {
            continue;
        }
        if path.is_dir() {
            text += &read_below(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text += &fs::read_to_string(path).unwrap();
        }
    }
    text
}

#[test]
fn every_message_and_every_field_is_in_the_sources() {
    let sources = sources();
    let page = read("docs/logs.md");
    let rows = rows(&page);
    assert!(rows.len() > 30, "{}", rows.len());
    for row in &rows {
        let [message] = quoted(&row[0])[..] else { panic!("one message a row: {row:?}") };
        assert!(sources.contains(message), "no line says `{message}`");
        assert!(["info", "warn", "error"].contains(&row[1].as_str()), "{row:?}");
        for field in quoted(&row[2]) {
            assert!(sources.contains(field), "{message}: no field `{field}`");
        }
    }
}

/// The message of every line.
fn messages(sources: &str) -> Vec<String> {
    let levels = ["info", "warn", "error"];
    let macros = levels.map(|level| [format!("{level}!("), format!("log!({level},"), format!("log_if!({level},")]);
    let calls = macros.iter().flatten().flat_map(|call| sources.split(call.as_str()).skip(1));
    let literals = calls.filter_map(|rest| rest.split('"').nth(1)).map(|text| text.replace("\\\n", ""));
    let lines = literals.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|text| text.contains(' ')).collect()
}

#[test]
fn every_line_that_the_exporter_logs_has_a_row() {
    let page = read("docs/logs.md");
    let rows = rows(&page);
    let messages = messages(&sources());
    assert!(messages.len() > 40, "{}", messages.len());
    // Faults begin with the name of a file; the page does not list the lines about the simulator.
    let elsewhere = ["{}: {", "{file}: {", "simulator listening on"];
    for message in messages.iter().filter(|message| !elsewhere.iter().any(|begins| message.starts_with(begins))) {
        let has_row = rows.iter().any(|row| message.contains(quoted(&row[0])[0]));
        assert!(has_row, "docs/logs.md has no row for `{message}`");
    }
}
