//! Examples in the documentation work when copied.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use atlas_simulator::Scenario;
use mongodbatlas_peering_exporter::config::Config;
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;
use web_config::WebConfig;

use crate::markdown::{Block, blocks, documents, read};

/// Every block in a language, with the name of its page.
fn all(language: &str) -> Vec<(String, Block)> {
    let of_page = |(name, text): (String, String)| blocks(&text).into_iter().map(move |block| (name.clone(), block));
    documents().into_iter().flat_map(of_page).filter(|(_, block)| block.language == language).collect()
}

/// Checks a Prometheus file with promtool, in a folder with the files that it names.
fn promtool(check: &str, text: &str) -> Result<(), String> {
    let folder = folder_for(text, "x\n");
    let path = folder.path().join("docs.yaml");
    fs::write(&path, text).unwrap();
    let output = Command::new("promtool").args(["check", check]).arg(&path).output();
    let output = output.unwrap_or_else(|error| panic!("promtool: {error}; `make setup` installs it"));
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// A folder with every file that a key names, which others cannot enter.
fn folder_for(text: &str, content: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    for line in text.lines() {
        if let Some((_, file)) = line.split_once("_file: ") {
            fs::write(folder.path().join(file), content).unwrap();
        }
    }
    folder
}

fn check(block: &Block) -> Result<(), String> {
    match block.mark.as_str() {
        "config" => config(&block.text),
        "web" => web(&block.text),
        "scenario" => Scenario::parse(&block.text).map(drop).map_err(|error| format!("{error:?}")),
        "prometheus" => promtool("config", &block.text),
        other => Err(format!("the comment before it must say what it is, but says `{other}`")),
    }
}

/// Parses a config with every variable set and every file present.
fn config(text: &str) -> Result<(), String> {
    let parsed = Config::parse(text, folder_for(text, "x\n").path(), &|_| Some("x".to_owned()));
    parsed.map(drop).map_err(|error| error.to_string())
}

/// Parses a web config, which must have no warnings either.
fn web(text: &str) -> Result<(), String> {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let folder = folder_for(text, &format!("{}{}", certificate.pem(), key.serialize_pem()));
    let (_, warnings) = WebConfig::parse(text, folder.path()).map_err(|error| error.to_string())?;
    if warnings.is_empty() { Ok(()) } else { Err(format!("{warnings:?}")) }
}

#[test]
fn every_yaml_block_is_valid() {
    let blocks = all("yaml");
    assert!(blocks.len() >= 6, "too few blocks found");
    for (name, block) in blocks {
        check(&block).unwrap_or_else(|error| panic!("{name}: {error}\n{}", block.text));
    }
}

#[test]
fn every_query_is_valid() {
    let queries = all("promql");
    assert!(queries.len() >= 8, "too few queries found");
    for (name, block) in queries {
        let rules =
            serde_json::json!({"groups": [{"name": "docs", "rules": [{"record": "docs", "expr": block.text}]}]});
        promtool("rules", &rules.to_string()).unwrap_or_else(|error| panic!("{name}: {error}\n{}", block.text));
    }
}

#[test]
fn the_demo_has_the_peering_that_the_readme_breaks_and_does_not_change_it() {
    let readme = read("README.md");
    let path = readme.split("/simulator/groups/").nth(1).unwrap().split(' ').next().unwrap();
    let (group, peering) = path.split_once("/peers/").unwrap();
    let demo = Scenario::demo();
    let of_group = demo.groups.iter().find(|known| known.id == group).unwrap();
    assert_eq!(of_group.peerings.len(), 1, "the readme calls it the only one");
    assert_eq!(of_group.peerings[0].name.as_deref(), Some(peering));
    assert!(demo.timeline.iter().all(|entry| entry.group != group));
}

#[test]
fn every_documented_make_target_exists() {
    let makefile = read("Makefile");
    let mut found = 0;
    for (name, text) in documents() {
        for (place, _) in text.match_indices("make ") {
            let opens = text[..place].chars().next_back();
            if matches!(opens, Some('`' | '\n')) {
                let target = text[place + 5..].split(|c: char| !c.is_ascii_lowercase() && c != '-').next().unwrap();
                assert!(makefile.lines().any(|line| line.starts_with(&format!("{target}:"))), "{name}: make {target}");
                found += 1;
            }
        }
    }
    assert!(found >= 5, "too few targets found");
}
