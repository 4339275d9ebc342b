//! Secrets never appear in any output.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::{
    http::get,
    process::{Ended, exporter, run},
    setup::{Atlas, Exporter, GROUP, SCENARIO, config, folder, yaml},
    web::USERS,
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

#[test]
fn a_key_in_any_place_of_a_config_or_the_command_line_is_not_repeated() {
    let folder = folder();
    let valid = "accounts: [{client_id: a, client_secret_file: secret}]";
    fs::write(folder.path().join("secret"), "a").unwrap();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n");
    let one_line = pem.replace('\n', "\\n");
    let secrets = [&pem, &one_line, &format!("mdb_sa_sk_{SECRET}"), &format!("$2y$10${SECRET}"), &SECRET.repeat(200)];
    let account = [
        "name",
        "base_url",
        "api_version",
        "public_key",
        "public_key_file",
        "public_key_env",
        "private_key_file",
        "private_key_env",
        "client_id",
        "client_id_file",
        "client_id_env",
        "client_secret_file",
        "client_secret_env",
        "credential_expires",
        "proxy_url",
        "proxy_url_file",
        "proxy_url_env",
        "ca_file",
        "groups",
        "allow_http",
        "discover",
        "discover.organization",
        "discover.interval",
        "discover.providers",
        "discover.include",
    ];
    let tls = [
        "cert_file",
        "cert",
        "key_file",
        "key",
        "client_auth_type",
        "client_ca_file",
        "client_ca",
        "client_allowed_sans",
        "min_version",
        "max_version",
        "cipher_suites",
        "curve_preferences",
    ];
    let check_files = |config: &str, web: &str| {
        fs::write(folder.path().join("config.yaml"), config).unwrap();
        fs::write(folder.path().join("web.yml"), web).unwrap();
        let ended = run(exporter(folder.path(), ["check-config", "--web.config.file=web.yml"]));
        check(&ended);
        assert!(ended.stderr.len() < 5000, "{}", ended.stderr);
    };
    for secret in secrets {
        let text = yaml(secret);
        for key in account {
            let (outer, inner) = key.split_once('.').map_or((key, None), |(outer, inner)| (outer, Some(inner)));
            for value in [text.clone(), format!("[{text}]"), format!("{{{text}: {text}}}"), format!("[{{id: {text}}}]")]
            {
                let value = inner.map_or_else(|| value.clone(), |inner| format!("{{{inner}: {value}}}"));
                check_files(&format!("accounts: [{{{outer}: {value}}}, {{{outer}: {value}}}]"), "");
            }
        }
        for key in tls {
            let others = [("key_file", "a"), ("cert_file", "b")].into_iter().filter(|(other, _)| *other != key);
            let others = others.map(|(other, value)| format!("{other}: {value}, ")).collect::<Vec<_>>().concat();
            for value in [text.clone(), format!("[{text}]")] {
                check_files(valid, &format!("tls_server_config: {{{others}{key}: {value}}}"));
            }
        }
        for web in ["basic_auth_users: {K: V}", "http_server_config: {headers: {K: V}}", "rate_limit: {K: V}", "K: V"] {
            check_files(valid, &web.replace('K', &text).replace('V', "a"));
            check_files(valid, &web.replace('K', "a").replace('V', &text));
        }
        check_files(&format!("{text}: 1"), "");
        check_files(valid, "");
        for (command, flag) in [
            ("check-config", "config.file"),
            ("check-config", "web.config.file"),
            ("check-config", "web.telemetry-path"),
            ("check-config", "log.level"),
            ("serve", "web.listen-address"),
            ("healthcheck", "web.listen-address"),
            ("simulate", "simulator.scenario"),
            ("simulate", "simulator.listen-address"),
        ] {
            let ended = run(exporter(folder.path(), [command, &format!("--{flag}={secret}")]));
            assert_ne!(ended.status, Some(0), "{command} --{flag}");
            check(&ended);
        }
    }
}

#[test]
fn a_running_exporter_leaves_no_core_dump_and_has_all_process_metrics() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    let exporter = Exporter::of(folder.path(), &atlas);
    let limits = exporter.process.proc_file("limits");
    let core: Vec<&str> = limits
        .lines()
        .filter_map(|line| line.strip_prefix("Max core file size"))
        .flat_map(str::split_whitespace)
        .collect();
    assert_eq!(core, ["0", "0", "bytes"]);
    assert!(exporter.exposition().contains("\nprocess_open_fds "));
}

#[test]
fn what_exposes_a_secret_is_a_warning_at_startup_and_in_check_config() {
    let folder = folder();
    let set = |name: &str, mode| {
        fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    set("", 0o755);
    let text = config("http://atlas.example", &[(GROUP, "payments")]);
    fs::write(folder.path().join("config.yaml"), text).unwrap();
    for (name, text) in [("key", "a"), ("web.yml", USERS)] {
        fs::write(folder.path().join(name), text).unwrap();
        set(name, 0o644);
    }
    let web = "--web.config.file=web.yml";
    let checked = run(exporter(folder.path(), ["check-config", web]));
    assert_eq!(checked.status, Some(0), "{}", checked.stderr);
    let serving = Exporter::start(folder.path(), [web]);
    let served = serving.process.terminate().stderr;
    for log in [checked.stderr, served] {
        for warning in [
            "WARN config.yaml: accounts[0].base_url: sends the credential and all data without encryption",
            "WARN config.yaml: accounts[0].private_key_file: can be read by every user of this machine",
            "WARN web.yml: contains password hashes or a private key and can be read by every user of this machine",
        ] {
            assert_eq!(log.matches(warning).count(), 1, "{warning}: {log}");
        }
    }
}
