//! The page about logs against the sources.

use std::{fs, path::Path};

use crate::markdown::{path, quoted, read, rows};

fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
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
