//! Secrets never appear in any output.

use std::{fs, path::Path};

use crate::{
    http::get,
    process::{Ended, exporter, run},
    setup::{Atlas, Exporter, GROUP, SCENARIO, config, folder},
};

const SECRET: &str = "hunter2-very-secret";
/// A part of the secret, the secret in base64, and the start of a token.
const TRACES: [&str; 3] = ["hunter2", "aHVudGVyMi12ZXJ5LXNlY3Jld", TOKEN];
/// The start of every access token: its JSON header in base64.
const TOKEN: &str = "eyJ";
const FORMATS: [&str; 2] = ["--log.format=text", "--log.format=json"];

fn assert_no_secret(what: &str, text: &str) {
    for trace in TRACES {
        assert!(!text.contains(trace), "{what} shows the secret:\n{text}");
    }
}

fn check(ended: &Ended) {
    assert_no_secret("standard output", &ended.stdout);
    assert_no_secret("standard error", &ended.stderr);
}

fn write_config(folder: &Path, atlas: &Atlas) {
    fs::write(folder.join("key"), SECRET).unwrap();
    fs::write(folder.join("config.yaml"), config(&atlas.url(), &[(GROUP, "payments")])).unwrap();
}

/// Runs every command with the config, and returns the exit status of `once`.
fn run_all(folder: &Path, format: &str) -> Option<i32> {
    let debug = "--log.level=debug";
    let ended = run(exporter(folder, ["check-config", debug, format]));
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    check(&ended);
    let once = run(exporter(folder, ["once", debug, format]));
    check(&once);
    check(&run(exporter(folder, ["doctor", debug, format])));
    let serving = Exporter::start(folder, [debug, format]);
    serving.wait_until_ready();
    for path in ["/metrics", "/", "/api/v1/peerings", "/api/v1/targets", "/-/ready", "/config", "/debug"] {
        assert_no_secret(path, get(&serving.address, path).text());
    }
    check(&serving.process.terminate());
    once.status
}

#[test]
fn no_output_contains_a_valid_private_key() {
    let folder = folder();
    let scenario = format!("credentials: {{public_key: demo, private_key: {SECRET}}}\n{SCENARIO}");
    let atlas = Atlas::start_with(folder.path(), &scenario, ["--log.level=debug"]);
    write_config(folder.path(), &atlas);
    for format in FORMATS {
        assert_eq!(run_all(folder.path(), format), Some(0), "the key is accepted");
    }
    check(&atlas.process.terminate());
}

#[test]
fn no_output_contains_a_private_key_that_atlas_refuses() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    write_config(folder.path(), &atlas);
    for format in FORMATS {
        assert_eq!(run_all(folder.path(), format), Some(1), "the key is not accepted");
    }
    check(&atlas.process.terminate());
}

#[test]
fn no_output_contains_the_client_secret_or_a_token() {
    for (secret, status) in [(SECRET, Some(0)), ("another", Some(1))] {
        let folder = folder();
        let account = format!("service_account: {{client_id: mdb_sa_id_1, client_secret: {secret}}}");
        let atlas = Atlas::start_with(folder.path(), &format!("{account}\n{SCENARIO}"), ["--log.level=debug"]);
        fs::write(folder.path().join("key"), SECRET).unwrap();
        let text = config(&atlas.url(), &[(GROUP, "payments")]);
        let text = text.replace("public_key: demo", "client_id: mdb_sa_id_1").replace("private_key", "client_secret");
        fs::write(folder.path().join("config.yaml"), text).unwrap();
        for format in FORMATS {
            assert_eq!(run_all(folder.path(), format), status);
        }
        check(&atlas.process.terminate());
    }
}

#[test]
fn a_misplaced_private_key_in_the_config_is_not_repeated() {
    let folder = folder();
    let file = folder.path().join("config.yaml");
    for account in [
        format!("private_key: {SECRET}"),
        format!("private_key_env: [{SECRET}]"),
        format!("private_key_file: {{path: {SECRET}}}"),
        format!("base_url: https://demo:{SECRET}@cloud.mongodb.com"),
        format!("base_url: https://cloud.mongodb.com/?key={SECRET}"),
        format!("base_url: {SECRET}"),
        format!("api_version: {SECRET}"),
        format!("private_key: {SECRET}: {SECRET}"),
        format!("private_key: \"{SECRET}"),
        format!("private_key: !{SECRET}"),
        format!("private_key: *{SECRET}"),
        format!("groups: {SECRET}"),
        format!("allow_http: {SECRET}"),
    ] {
        fs::write(&file, format!("accounts:\n  - public_key: demo\n    {account}\n")).unwrap();
        for format in FORMATS {
            let ended = run(exporter(folder.path(), ["check-config", "--log.level=debug", format]));
            assert_eq!(ended.status, Some(64), "{account}: {}", ended.stderr);
            check(&ended);
        }
    }
}
