//! Words that do not belong in anything that people read: archaic English, and terms that mean something else in the
//! field.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Each with what to write instead.
const WORDS: [(&str, &str); 13] = [
    ("told", "reported, logged"),
    ("anew", "again"),
    ("whoever", "anyone who"),
    ("no more", "no longer"),
    ("any more", "any longer"),
    ("at hand", "available"),
    ("so many", "the number"),
    ("for ever", "forever, or how long"),
    ("as a rule", "usually"),
    ("looks after", "runs"),
    ("looked after", "running"),
    ("in vain", "without success"),
    ("nothing behind it", "empty"),
];

/// Where the words mean something else.
const ALLOWED: [&str; 3] = ["no more than", "no more often", "so many that"];

#[test]
fn the_texts_are_in_plain_english() {
    let files = files();
    assert!(files.len() > 200, "the files are found: {}", files.len());
    let mut found = Vec::new();
    for file in files {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        for (number, line) in text.lines().enumerate() {
            let line = words(line);
            for (word, instead) in WORDS {
                if line.contains(&format!(" {word} ")) {
                    found.push(format!("{}:{}: `{word}`; write: {instead}", file.display(), number + 1));
                }
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Every file of the project but for what others wrote or a program did.
fn files() -> Vec<PathBuf> {
    let left_out = [".git", "target", "dist", "LICENSE", "Cargo.lock", "go.sum", "words.rs"];
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if left_out.iter().any(|name| path.ends_with(name)) {
                continue;
            }
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}

/// The words of a line in lower case between single blanks, identifiers in their parts.
fn words(line: &str) -> String {
    let line: String = line.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    let mut line = format!(" {} ", line.split_whitespace().collect::<Vec<_>>().join(" "));
    for allowed in ALLOWED {
        line = line.replace(allowed, "");
    }
    line
}
