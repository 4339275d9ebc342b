use insta::assert_snapshot;
use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::*;

fn env(name: &str) -> Option<String> {
    (name == "KEY").then(|| "hunter2\n".to_owned())
}

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/nowhere"), &env)
}

fn faults(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

/// A config with the settings of its only account.
fn account(settings: &str) -> String {
    format!("accounts: [{{public_key: p, private_key_env: KEY, groups: [{{id: {GROUP}}}], {settings}}}]")
}

const GROUP: &str = "5e57d85c854180642f784401";

#[test]
fn the_least_config_gets_every_default() {
    let config = parse(&account("")).unwrap();
    assert_eq!(config.poll, Poll::default());
    let account = &config.accounts[0];
    assert_eq!((account.name.as_str(), account.base_url.as_str()), ("default", "https://cloud.mongodb.com/"));
    assert_eq!(account.api_version, ApiVersion::V2);
    assert_eq!(account.groups[0].providers, Provider::ALL);
    assert_eq!(account.groups[0].name, "");
}

#[test]
fn every_setting_is_taken() {
    let config = parse(
        "poll: {interval: 5m, timeout: 20s, deadline: 2m, max_staleness: 1h, concurrency: 2, items_per_page: 7}
accounts:
  - name: gov
    base_url: https://cloud.mongodbgov.com
    api_version: v1.0
    public_key_env: KEY
    private_key_env: KEY
    groups: [{id: 5E57D85C854180642F784401, name: 'a, \"b\"', providers: [Azure, gcp]}]",
    )
    .unwrap();
    let poll = &config.poll;
    assert_eq!((poll.interval.as_secs(), poll.timeout.as_secs(), poll.deadline.as_secs()), (300, 20, 120));
    assert_eq!((poll.max_staleness.as_secs(), poll.concurrency, poll.items_per_page), (3600, 2, 7));
    let account = &config.accounts[0];
    assert_eq!((account.name.as_str(), account.api_version), ("gov", ApiVersion::V1));
    assert_eq!(account.public_key, "hunter2", "a line feed at the end is not part of a key");
    assert_eq!((account.groups[0].id.as_str(), account.groups[0].name.as_str()), (GROUP, "a, \"b\""));
    assert_eq!(account.groups[0].providers, [Provider::Azure, Provider::Gcp]);
}

#[test]
fn defaults_follow_a_short_interval() {
    let poll = parse(&format!("poll: {{interval: 8s}}\n{}", account(""))).unwrap().poll;
    assert_eq!((poll.deadline.as_secs(), poll.timeout.as_secs()), (6, 6));
    let poll = parse(&format!("poll: {{interval: 1h}}\n{}", account(""))).unwrap().poll;
    assert_eq!((poll.deadline.as_secs(), poll.max_staleness.as_secs()), (45, 3 * 3600));
}

#[test]
fn all_faults_are_told_at_once_with_their_places() {
    assert_snapshot!(faults(
        "poll: {interval: 10ms, timeout: 5, concurrency: 0, items_per_page: 501, intervall: 60s}
accounts:
  - name: a
    base_url: http://localhost
    api_version: v3
    public_key: p
    groups: []
  - name: a
    public_key: p
    public_key_env: KEY
    private_key_env: MISSING
    private_key: hunter2
    groups:
      - {id: xyz, providers: [AWS, aws, IBM]}
      - {name: no id, providers: []}
      - {id: 5e57d85c854180642f784401, colour: red}
      - {id: 5e57d85c854180642f784401}
      - 7
surplus: 1"
    ), @"
    poll.interval: must be a duration such as `60s` or `5m`, from 1s to 1day
    poll.timeout: must be a duration such as `60s` or `5m`, from 100ms to 45s
    poll.concurrency: must be a whole number from 1 to 64
    poll.items_per_page: must be a whole number from 1 to 500
    poll.intervall: unknown key; known here: interval, deadline, timeout, max_staleness, concurrency, items_per_page
    accounts[0].base_url: must begin with `https://`; for a simulator, set `allow_http: true`
    accounts[0].api_version: must be `v2` or `v1.0`
    accounts[0]: exactly one of private_key_file, private_key_env is needed
    accounts[0].groups: at least one group is needed
    accounts[1].name: another account is named `a` too
    accounts[1]: exactly one of public_key, public_key_file, public_key_env is needed
    accounts[1].private_key_env: the environment variable `MISSING` is not set
    accounts[1].groups[4]: must be a mapping of keys to values, not a number
    accounts[1].groups[0].id: `xyz`: a group id is 24 hexadecimal digits, as in the address of the group's page in Atlas
    accounts[1].groups[0].providers: AWS is there twice
    accounts[1].groups[0].providers: must be a list of `AWS`, `AZURE` and `GCP`
    accounts[1].groups[1].id: is needed
    accounts[1].groups[1].providers: must name at least one; leave it out for all three
    accounts[1].groups[2].colour: unknown key; known here: id, name, providers
    accounts[1].groups[3].id: the group is in the config already; its series would collide
    accounts[1].groups[4].id: is needed
    accounts[1].private_key: unknown key; known here: name, allow_http, base_url, api_version, public_key, public_key_file, public_key_env, private_key_file, private_key_env, groups
    surplus: unknown key; known here: poll, accounts
    ");
}

#[test]
fn a_text_that_is_no_yaml_is_told_with_its_line() {
    assert_snapshot!(faults("poll:\n  interval: 60s\n bad: [\n"), @"did not find expected key at line 3 column 2, while parsing a block mapping");
    assert_snapshot!(faults("poll: {}\npoll: {}"), @r#"duplicate entry with key "poll""#);
    assert_snapshot!(faults("- a"), @"
    must be a mapping of keys to values, not a list
    accounts: at least one account is needed
    ");
    assert_snapshot!(faults(""), @"accounts: at least one account is needed");
}

#[test]
fn bad_addresses_are_refused_and_their_passwords_not_repeated() {
    for url in [
        "http://x",
        "ftp://x",
        "x",
        "https://",
        "https://u:hunter2@x",
        "https://x/?q",
        "https://x/#f",
        "https://x/api/atlas/v2",
    ] {
        let faults = faults(&account(&format!("base_url: '{url}'")));
        assert!(faults.starts_with("accounts[0].base_url: must "), "{url}: {faults}");
        assert!(!faults.contains("hunter2"));
    }
    assert!(parse(&account("base_url: 'http://[::1]:8080', allow_http: true")).is_ok());
    assert!(parse(&account("base_url: 'https://proxy.example/atlas'")).is_ok());
}

#[test]
fn ids_that_yaml_takes_for_numbers_are_told_to_be_quoted() {
    let text = account("").replace(GROUP, "535682331237943713270001");
    assert_snapshot!(faults(&text), @"accounts[0].groups[0].id: invalid type: integer `535682331237943713270001` as u128, expected any YAML value at line 1 column 64; an id that is all digits must be in quotes");
}

#[test]
fn a_group_of_two_accounts_is_refused() {
    let text = format!(
        "accounts:
  - {{name: a, public_key: p, private_key_env: KEY, groups: [{{id: {GROUP}}}]}}
  - {{name: b, public_key: p, private_key_env: KEY, groups: [{{id: {GROUP}}}]}}"
    );
    assert_snapshot!(faults(&text), @"accounts[1].groups[0].id: the group is in the config already; its series would collide");
}

#[test]
fn secrets_come_from_files_beside_the_config() {
    let folder = std::env::temp_dir().join(format!("peering-exporter-config-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("key"), "hunter2\r\n").unwrap();
    fs::write(folder.join("empty"), "\n").unwrap();
    fs::write(folder.join("lines"), "a\nb\n").unwrap();
    fs::write(folder.join("large"), "x".repeat(5000)).unwrap();
    let with = |file: &str| {
        let text = account("").replace("private_key_env: KEY", &format!("private_key_file: {file}"));
        Config::parse(&text, &folder, &env)
    };
    assert_eq!(with("key").unwrap().accounts[0].private_key.expose_secret(), "hunter2");
    let told: Vec<String> =
        ["missing", "empty", "lines", "large"].iter().map(|file| with(file).unwrap_err().to_string()).collect();
    fs::remove_dir_all(&folder).unwrap();
    assert_snapshot!(told.join("\n"), @"
    accounts[0].private_key_file: the file cannot be read: No such file or directory (os error 2)
    accounts[0].private_key_file: is empty
    accounts[0].private_key_file: must be one line without control characters
    accounts[0].private_key_file: the file cannot be read: it is larger than 4096 bytes
    ");
}

#[test]
fn a_key_in_place_of_a_name_is_not_repeated() {
    for source in ["private_key_env", "private_key_file"] {
        let text = account("").replace("private_key_env: KEY", &format!("{source}: 1b2c-hunter2"));
        let faults = faults(&text);
        assert!(faults.starts_with(&format!("accounts[0].{source}: the ")), "{faults}");
        assert!(!faults.contains("hunter2"), "{faults}");
    }
}

#[test]
fn a_private_key_is_not_in_debug_output() {
    assert!(!format!("{:?}", parse(&account("")).unwrap()).contains("hunter2"));
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text: String, yaml in r"[a-z\[\]{}:,\-#&*!|>'0-9 \n]{0,200}") {
        let _ = (parse(&text), parse(&yaml));
    }

    #[test]
    fn no_value_makes_the_parser_panic(
        key in prop::sample::select(vec![
            "accounts", "poll", "interval", "concurrency", "name", "base_url", "groups", "id", "providers",
            "public_key", "private_key_file", "allow_http", "api_version",
        ]),
        value in r#"(|~|-?[0-9]{1,20}|[0-9]{0,9}(s|m|days)|true|\[[a-z, ]{0,9}\]|\{[a-z]{1,4}: x\}|"[^"\\]{0,9}"|!t x)"#,
    ) {
        let _ = parse(&format!("{key}: {value}"));
        let _ = parse(&format!("poll: {{{key}: {value}}}"));
        let _ = parse(&format!("accounts: [{{{key}: {value}}}]"));
        let _ = parse(&format!("accounts: [{{groups: [{{{key}: {value}}}]}}]"));
    }
}
