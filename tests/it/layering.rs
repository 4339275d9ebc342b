//! Rules that Cargo cannot enforce: metric names in one file, unique names of public types, no catch-all files.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

#[test]
fn metric_names_are_in_one_file_only() {
    for (path, text) in sources() {
        let may_name = path.ends_with("src/metrics/family.rs") || path.ends_with("src/metrics/tests.rs");
        let code = text.replace("mongodbatlas_peering_exporter", "");
        assert!(may_name || !code.contains("mongodbatlas_"), "{} names a metric", path.display());
    }
}

#[test]
fn no_two_public_types_have_one_name() {
    let mut seen = BTreeMap::<String, PathBuf>::new();
    for (path, text) in sources() {
        for name in text.lines().filter_map(public_type) {
            if let Some(other) = seen.insert(name.to_owned(), path.clone()) {
                panic!("`{name}` is a public type in {} and in {}", other.display(), path.display());
            }
        }
    }
    assert!(seen.len() > 100, "only {} types found", seen.len());
}

#[test]
fn no_file_has_a_catch_all_name() {
    for (path, _) in sources() {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let names = ["utils", "util", "helpers", "common", "types", "manager", "misc"];
        assert!(!names.contains(&stem), "{}", path.display());
    }
}

/// The name that a line declares, if it declares a type that other modules may use.
fn public_type(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("pub ")?;
    let rest = ["struct ", "enum ", "trait ", "type "].iter().find_map(|kind| rest.strip_prefix(kind))?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

/// Every source of the workspace.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src"), root.join("crates")];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                sources.push((path, text));
            }
        }
    }
    assert!(sources.len() > 100, "only {} sources found", sources.len());
    sources
}
