//! Parses the Markdown constructs that the documentation uses.

use std::{fs, path::PathBuf};

/// A fenced code block.
pub(crate) struct Block {
    /// The text of the HTML comment on the line before; may be empty.
    pub(crate) mark: String,
    /// The word after the opening fence.
    pub(crate) language: String,
    pub(crate) text: String,
}

pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

pub(crate) fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every document and its path.
pub(crate) fn documents() -> Vec<(String, String)> {
    let mut names: Vec<String> = Vec::new();
    for folder in ["", "docs/", "docs/runbooks/", "grafana/", "prometheus/"] {
        let files = fs::read_dir(path(folder)).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        names.extend(
            files
                .filter(|file| file.rsplit_once('.').is_some_and(|(_, kind)| kind == "md"))
                .map(|file| format!("{folder}{file}")),
        );
    }
    names.sort();
    names.into_iter().map(|name| (name.clone(), read(&name))).collect()
}

/// The text from a heading to the next one of the same or a higher level.
pub(crate) fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let start = text.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no heading `{heading}`"));
    let rest = &text[start + heading.len() + 2..];
    let level = heading.chars().take_while(|c| *c == '#').count();
    let ends = (1..=level).filter_map(|level| rest.find(&format!("\n{} ", "#".repeat(level))));
    &rest[..ends.min().unwrap_or(rest.len())]
}

/// The cells of all table rows, without header rows.
pub(crate) fn rows(text: &str) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for line in text.lines().filter(|line| line.starts_with('|')) {
        let cells = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned());
        let cells: Vec<String> = cells.collect();
        if cells.iter().all(|cell| cell == "---") {
            rows.pop();
        } else {
            rows.push(cells);
        }
    }
    rows
}

/// The texts between backticks.
pub(crate) fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The first text between backticks in the first cell of a row.
pub(crate) fn key(row: &[String]) -> &str {
    quoted(&row[0]).first().unwrap_or_else(|| panic!("row without a key: {row:?}"))
}

pub(crate) fn keys(text: &str) -> Vec<String> {
    rows(text).iter().map(|row| key(row).to_owned()).collect()
}

pub(crate) fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut before = "";
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, Some(language)) => {
                let mark = before.strip_prefix("<!-- ").and_then(|mark| mark.strip_suffix(" -->")).unwrap_or_default();
                open = Some(Block { mark: mark.to_owned(), language: language.to_owned(), text: String::new() });
            }
            (None, None) => {}
        }
        before = line;
    }
    assert!(open.is_none(), "unclosed code block");
    blocks
}
