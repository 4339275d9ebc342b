//! The map in ARCHITECTURE.md has every file.

use std::{fs, path::Path};

use crate::markdown::read;

#[test]
fn every_file_is_in_the_map() {
    let text = read("ARCHITECTURE.md");
    let client = text.split("### The client of Atlas").nth(1).unwrap().split("\n## ").next().unwrap();
    for (folder, map, prefix) in
        [("src", text.as_str(), "src/"), ("crates/atlas/src", client, ""), ("crates", &text, "crates/")]
    {
        let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
        let names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        assert!(names.len() >= 5, "{folder}");
        for name in names.iter().filter(|name| *name != "lib.rs") {
            let is_there = ["", "/"].iter().any(|end| map.contains(&format!("`{prefix}{name}{end}`")));
            assert!(is_there, "{folder}/{name} is missing");
        }
    }
}
