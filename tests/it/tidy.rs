//! The sources keep to their rooms: who may use whom, and which file may name which library.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// What a room may use of ours. `lib` and `main` hold them together and may use all.
const MAY_USE: [(&str, &[&str]); 21] = [
    ("atlas", &["atlas"]),
    ("cli", &["shard"]),
    ("config", &["atlas", "config", "section"]),
    ("demo", &["config", "run", "shard", "simulator", "web"]),
    ("doctor", &["atlas", "config"]),
    ("healthcheck", &[]),
    ("journal", &["atlas", "scheduler", "state"]),
    ("logging", &["cli"]),
    ("metrics", &["atlas", "metrics", "state"]),
    ("process", &[]),
    ("roster", &["atlas", "config", "journal", "scheduler", "shard", "state"]),
    ("scheduler", &["atlas", "scheduler", "state"]),
    ("section", &[]),
    ("server", &["server", "web"]),
    ("shard", &[]),
    ("simulator", &["simulator"]),
    ("state", &["atlas", "state"]),
    ("status", &["atlas", "server", "state", "status"]),
    ("systemd", &[]),
    ("telemetry", &["metrics", "server", "state"]),
    ("web", &["section", "web"]),
];

/// Where a library may be named; a folder stands for all its files.
const MAY_NAME: [(&str, &[&str]); 43] = [
    (
        "anyhow",
        &[
            "lib.rs",
            "main.rs",
            "demo.rs",
            "doctor/mod.rs",
            "roster.rs",
            "healthcheck.rs",
            "server/routes.rs",
            "status",
            "telemetry.rs",
        ],
    ),
    ("backon", &["atlas/pages.rs"]),
    ("base64", &["simulator/proof.rs", "web/users.rs"]),
    ("bcrypt", &["web/hash.rs"]),
    ("bytes", &["server", "simulator", "status/mod.rs"]),
    ("clap", &["cli.rs", "main.rs"]),
    ("comfy_table", &["doctor/diagnosis.rs"]),
    ("crc32fast", &["server/document.rs"]),
    ("digest_auth", &["atlas/digest.rs"]),
    ("diqwest", &["atlas/digest.rs"]),
    ("fastrand", &["atlas/brake.rs", "scheduler", "simulator", "web/users.rs"]),
    ("flate2", &["server/document.rs", "simulator"]),
    ("futures_util", &["doctor", "roster.rs"]),
    ("gethostname", &["main.rs"]),
    ("http_body_util", &["server", "simulator"]),
    ("humantime", &["atlas/error.rs", "demo.rs", "journal.rs", "section/mod.rs", "simulator", "status/time.rs"]),
    ("hyper", &["atlas/error.rs", "server", "simulator", "web/guard.rs", "web/headers.rs"]),
    ("hyper_util", &["server/connection.rs", "server/tls_tests.rs", "simulator"]),
    ("jiff", &["atlas/header.rs"]),
    ("listenfd", &["systemd.rs"]),
    ("maud", &["status/html.rs", "status/tables.rs"]),
    ("md5", &["simulator"]),
    ("prometheus", &["process.rs"]),
    ("regex", &["config/discover.rs"]),
    ("reqwest", &["atlas"]),
    ("rustls", &["atlas/error.rs", "healthcheck.rs", "server/tls_tests.rs", "web"]),
    ("rustls_native_certs", &["web/pem.rs"]),
    ("sd_notify", &["systemd.rs"]),
    ("secrecy", &["atlas"]),
    ("serde", &["atlas", "simulator", "status"]),
    ("serde_json", &["atlas", "simulator", "status/mod.rs"]),
    ("serde_yaml", &["config", "section", "simulator", "web"]),
    ("sha2", &["shard.rs", "simulator", "web/source.rs", "web/users.rs"]),
    ("thiserror", &["atlas", "server", "shard.rs", "simulator", "systemd.rs"]),
    (
        "tokio",
        &[
            "lib.rs",
            "main.rs",
            "atlas",
            "demo.rs",
            "journal.rs",
            "roster.rs",
            "scheduler",
            "server",
            "simulator",
            "status",
            "systemd.rs",
            "telemetry.rs",
            "web",
        ],
    ),
    ("tokio_io_timeout", &["server/connection.rs"]),
    ("tokio_rustls", &["server/connection.rs", "server/tls_tests.rs"]),
    ("tokio_util", &["lib.rs", "main.rs", "demo.rs", "server"]),
    (
        "tracing",
        &[
            "lib.rs",
            "main.rs",
            "demo.rs",
            "journal.rs",
            "logging.rs",
            "scheduler",
            "server",
            "simulator",
            "systemd.rs",
            "web/renewal.rs",
        ],
    ),
    ("tracing_appender", &["logging.rs"]),
    ("tracing_subscriber", &["logging.rs"]),
    ("url", &["atlas", "config", "simulator", "status/search.rs"]),
    ("x509_parser", &["web/client.rs", "web/pem.rs"]),
];

#[test]
fn every_room_uses_only_what_it_may() {
    let may_use = BTreeMap::from(MAY_USE);
    for (path, text) in sources() {
        let room = room(&path);
        if ["lib", "main"].contains(&room.as_str()) {
            continue;
        }
        let allowed = may_use.get(room.as_str()).unwrap_or_else(|| panic!("{room} is a new room: say what it may use"));
        for used in used_rooms(&text) {
            assert!(allowed.contains(&used.as_str()), "{} must not use `crate::{used}`", path.display());
        }
    }
}

#[test]
fn every_library_is_named_only_where_it_may_be() {
    let mut seen = BTreeSet::new();
    for (path, text) in sources() {
        for (library, places) in MAY_NAME {
            if names(&text, library) {
                seen.insert(library);
                let allowed = places.iter().any(|place| path.starts_with(place));
                assert!(allowed, "{} must not name `{library}`", path.display());
            }
        }
    }
    let dependencies = dependencies();
    assert_eq!(seen.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), dependencies, "of Cargo.toml");
}

#[test]
fn no_file_is_a_drawer_for_everything() {
    for (path, _) in sources() {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        assert!(
            !["utils", "util", "helpers", "common", "types", "manager", "misc"].contains(&stem),
            "{}",
            path.display()
        );
    }
}

#[test]
fn metric_names_are_in_one_file_only() {
    for (path, text) in sources() {
        let is_theirs = path == Path::new("metrics/family.rs") || path == Path::new("metrics/tests.rs");
        let code = text.replace("mongodbatlas_peering_exporter", "");
        assert!(is_theirs || !code.contains("mongodbatlas_"), "{} names a metric", path.display());
    }
}

/// Every source by its path below `src`.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                sources.push((path.strip_prefix(&root).unwrap().to_owned(), text));
            }
        }
    }
    assert!(sources.len() > 20, "the sources are there");
    sources
}

fn room(path: &Path) -> String {
    let first = path.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// The first word after each `crate::`, and each first word in the braces after it.
fn used_rooms(text: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (place, _) in text.match_indices("crate::").filter(|(place, _)| !text[..*place].ends_with('$')) {
        let after = &text[place + "crate::".len()..];
        match after.strip_prefix('{') {
            Some(list) => rooms.extend(top_words(list)),
            None => rooms.push(word(after)),
        }
    }
    rooms
}

fn top_words(list: &str) -> Vec<String> {
    let mut depth = 0;
    let mut words = vec![word(list.trim_start())];
    for (place, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => words.push(word(list[place + 1..].trim_start())),
            _ => {}
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Whether the text has `library::`, not as the end of a longer word and not in a comment.
fn names(text: &str, library: &str) -> bool {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let path = format!("{library}::");
    code.match_indices(&path).any(|(place, _)| {
        let before = code[..place].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':')
    })
}

/// The libraries of Cargo.toml as the code names them.
fn dependencies() -> BTreeSet<String> {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let (_, after) = manifest.split_once("[dependencies]\n").unwrap();
    let section = after.split("\n[").next().unwrap();
    let names = section.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name.replace('-', "_"));
    names.map(|name| if name == "md_5" { "md5".to_owned() } else { name }).collect()
}
