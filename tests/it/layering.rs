//! What Cargo cannot enforce: metric names in one file, one public type of each name, no file that uses a file which
//! uses it.

use std::{
    collections::{BTreeMap, BTreeSet},
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
    assert!(seen.len() > 100, "the types are found: {}", seen.len());
}

#[test]
fn no_constant_of_one_name_has_two_values() {
    let mut seen = BTreeMap::<String, (String, PathBuf)>::new();
    for (path, text) in sources() {
        let code = text.split("#[cfg(test)]").next().unwrap();
        for (name, value) in code.lines().filter_map(constant) {
            let (known, other) = seen.entry(name.to_owned()).or_insert_with(|| (value.to_owned(), path.clone()));
            assert_eq!(known, value, "`{name}` in {} and in {}", other.display(), path.display());
        }
    }
    assert!(seen.len() > 100, "the constants are found: {}", seen.len());
}

#[test]
fn no_file_is_for_everything() {
    for (path, _) in sources() {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let names = ["utils", "util", "helpers", "common", "types", "manager", "misc"];
        assert!(!names.contains(&stem), "{}", path.display());
    }
}

#[test]
fn no_file_uses_a_file_that_uses_it() {
    for (krate, files) in crates() {
        let graph = uses(&files);
        assert!(files.len() < 5 || !graph.is_empty(), "the uses in {} are found", krate.display());
        for file in graph.keys() {
            let mut path = vec![file.as_str()];
            assert!(!reaches(&graph, file, file, &mut path), "in {}: {}", krate.display(), path.join(" -> "));
        }
    }
}

#[test]
fn the_modules_of_the_exporter_use_each_other_in_one_direction() {
    let forbidden: [(&str, &[&str]); 5] = [
        ("config", &["collector", "commands", "http", "metrics", "state"]),
        ("state", &["collector", "commands", "config", "http", "metrics"]),
        ("metrics", &["collector", "commands", "config", "http"]),
        ("collector", &["commands", "http", "metrics"]),
        ("http", &["collector", "commands", "config"]),
    ];
    let crates = crates();
    let (_, modules) = crates.iter().find(|(_, modules)| modules.contains_key("collector")).unwrap();
    for (module, others) in forbidden {
        for (file, code) in modules.iter().filter(|(file, _)| is_within(file, module)) {
            let used = used_paths(file, code);
            let bad = used.iter().find(|path| others.iter().any(|other| is_within(path, other)));
            assert_eq!(bad, None, "used in {file}");
        }
    }
}

/// The modules of a crate by their paths, such as `http::router`, with their sources but for their tests. Those of the
/// root have an empty path.
type Modules = BTreeMap<String, String>;

fn crates() -> BTreeMap<PathBuf, Modules> {
    let mut crates = BTreeMap::<PathBuf, Modules>::new();
    for (path, text) in sources() {
        let root = path.ancestors().find(|folder| folder.ends_with("src")).unwrap().to_owned();
        let module = path.strip_prefix(&root).unwrap().with_extension("").to_str().unwrap().replace('/', "::");
        let module = module.trim_end_matches("mod").trim_end_matches("::");
        let module = if ["lib", "main"].contains(&module) { "" } else { module };
        let is_test = module.split("::").any(|part| part.contains("tests"));
        if !is_test && !path.ends_with("src/main.rs") {
            let code = text.split("#[cfg(test)]").next().unwrap();
            crates.entry(root).or_default().insert(module.to_owned(), code.to_owned());
        }
    }
    crates
}

/// Which modules each module uses, other than those it is in or contains: a parent exports what its children define.
fn uses(modules: &Modules) -> BTreeMap<String, BTreeSet<String>> {
    let mut graph = BTreeMap::<String, BTreeSet<String>>::new();
    for (module, code) in modules {
        for path in used_paths(module, code) {
            let used = defining_module(modules, &path);
            let is_family = is_within(&used, module) || is_within(module, &used);
            if !is_family {
                graph.entry(module.clone()).or_default().insert(used);
            }
        }
    }
    graph
}

/// Whether a module is the other one or in it.
fn is_within(module: &str, other: &str) -> bool {
    other.is_empty() || module == other || module.starts_with(&format!("{other}::"))
}

/// The paths in a module's `use` items, from the root of the crate.
fn used_paths(module: &str, code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for item in code.split("use ").skip(1).filter_map(|rest| rest.split_once(';')).map(|(item, _)| item) {
        let parent = module.rsplit_once("::").map_or("", |(parent, _)| parent);
        for path in expand(&item.split_whitespace().collect::<String>()) {
            let (first, rest) = path.split_once("::").unwrap_or((&path, ""));
            match first {
                "crate" => paths.push(rest.to_owned()),
                "super" => paths.push(join(parent, rest)),
                "self" => paths.push(join(module, rest)),
                _ => {}
            }
        }
    }
    paths
}

/// `a::{b, c::d}` as `a::b` and `a::c::d`.
fn expand(item: &str) -> Vec<String> {
    let Some((prefix, list)) = item.split_once('{') else { return vec![item.to_owned()] };
    let (mut depth, mut start, mut paths) = (0, 0, Vec::new());
    for (place, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                // Nothing follows a trailing comma.
                if start < place {
                    paths.extend(expand(&list[start..place]).into_iter().map(|rest| format!("{prefix}{rest}")));
                }
                start = place + 1;
            }
            _ => {}
        }
    }
    paths
}

fn join(module: &str, rest: &str) -> String {
    format!("{module}::{rest}").trim_matches(':').to_owned()
}

/// The module that a path leads to, through what modules export of their children.
fn defining_module(modules: &Modules, path: &str) -> String {
    let mut module = String::new();
    let mut rest = path.split("::").peekable();
    while let Some(inner) = rest.peek().map(|part| join(&module, part)).filter(|inner| modules.contains_key(inner)) {
        module = inner;
        rest.next();
    }
    let Some(name) = rest.next() else { return module };
    let exports = modules[&module].lines().collect::<Vec<_>>().join(" ");
    for export in exports.split("pub use ").skip(1).filter_map(|rest| rest.split_once(';')) {
        for path in expand(&export.0.split_whitespace().collect::<String>()) {
            let path = path.trim_start_matches("self::");
            if path.rsplit("::").next() == Some(name) && path.contains("::") {
                return defining_module(modules, &join(&module, path));
            }
        }
    }
    module
}

/// Whether a use leads from `from` to `to`, and by which modules.
fn reaches<'a>(graph: &'a BTreeMap<String, BTreeSet<String>>, from: &str, to: &str, path: &mut Vec<&'a str>) -> bool {
    for next in graph.get(from).into_iter().flatten() {
        if next == to {
            path.push(next);
            return true;
        }
        if !path.contains(&next.as_str()) {
            path.push(next);
            if reaches(graph, next, to, path) {
                return true;
            }
            path.pop();
        }
    }
    false
}

/// The name that a line declares, if it declares a type that other modules may use.
fn public_type(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("pub ")?;
    let rest = ["struct ", "enum ", "trait ", "type "].iter().find_map(|kind| rest.strip_prefix(kind))?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

/// The name and the value of a constant that a line declares outside of any block.
fn constant(line: &str) -> Option<(&str, &str)> {
    let declaration = line.strip_prefix("pub(crate) ").or_else(|| line.strip_prefix("pub ")).unwrap_or(line);
    let (name, rest) = declaration.strip_prefix("const ")?.split_once(": ")?;
    Some((name, rest.split_once(" = ")?.1))
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
    assert!(sources.len() > 100, "the sources are found: {}", sources.len());
    sources
}
