//! The page about logs against the sources.

use std::{fs, path::Path};

use crate::markdown::{path, quoted, read, rows};

/// But those of the simulated Atlas, whose lines are no part of the page.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("simulator") || path.ends_with("demo.rs") {
            continue;
        }
        if path.is_dir() {
            text += &sources(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text += &fs::read_to_string(path).unwrap();
        }
    }
    text
}

#[test]
fn every_message_and_every_field_is_in_the_sources() {
    let sources = sources(&path("src"));
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

/// What every line says.
fn messages(sources: &str) -> Vec<String> {
    let macros = ["info!(", "warn!(", "error!(", "log!(info,", "log!(warn,", "log!(error,"];
    let calls = macros.iter().flat_map(|call| sources.split(call).skip(1));
    let literals = calls.filter_map(|rest| rest.split('"').nth(1)).map(|text| text.replace("\\\n", ""));
    let lines = literals.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|text| text.contains(' ')).collect()
}

#[test]
fn every_line_that_the_exporter_logs_has_a_row() {
    let page = read("docs/logs.md");
    let rows = rows(&page);
    let messages = messages(&sources(&path("src")));
    assert!(messages.len() > 40, "{}", messages.len());
    // What is wrong with a file begins with the file's name; the simulator's address is the simulator's business.
    let elsewhere = ["{}: {", "{file}: {", "simulator listening on"];
    for message in messages.iter().filter(|message| !elsewhere.iter().any(|begins| message.starts_with(begins))) {
        let has_row = rows.iter().any(|row| message.contains(quoted(&row[0])[0]));
        assert!(has_row, "docs/logs.md has no row for `{message}`");
    }
}
