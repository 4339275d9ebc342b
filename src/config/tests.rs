use std::{fs, os::unix::fs::PermissionsExt};

use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use atlas::CredentialKind;

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

/// A config with a credential and these settings only.
fn bare(settings: &str) -> String {
    format!("accounts: [{{client_id: mdb_sa_id_1, client_secret_env: KEY, {settings}}}]")
}

const GROUP: &str = "5e57d85c854180642f784401";

#[test]
fn an_empty_key_counts_as_unset() {
    let config = parse(&account("proxy_url: , client_id: , client_secret_file: ")).unwrap();
    assert_eq!(config.accounts[0].credential.kind, CredentialKind::ApiKey);
    assert!(config.accounts[0].proxy.is_none());
}

#[test]
fn a_byte_order_mark_is_ignored() {
    assert!(parse(&format!("\u{feff}---\n{}", account(""))).is_ok());
}

#[test]
fn a_minimal_config_gets_every_default() {
    let config = parse(&account("")).unwrap();
    assert_eq!(config.poll, PollConfig::default());
    let account = &config.accounts[0];
    assert_eq!((account.name.as_str(), account.base_url.as_str()), ("default", "https://cloud.mongodb.com/"));
    assert_eq!(account.api_version, ApiVersion::V2);
    assert_eq!(account.groups[0].providers, Provider::ALL);
    assert_eq!(account.groups[0].name, "");
    let account = &parse(&bare("")).unwrap().accounts[0];
    assert_eq!(account.credential.kind, CredentialKind::ServiceAccount);
    assert_eq!(account.credential.pair.id.expose(), "mdb_sa_id_1");
    assert_eq!((account.discover.as_ref(), account.groups.len()), (Some(&Discover::default()), 0));
}

#[test]
fn every_setting_is_parsed() {
    let config = parse(
        "poll: {interval: 5m, timeout: 20s, deadline: 2m, max_staleness: 1h, concurrency: 2, items_per_page: 7,
            containers: false}
accounts:
  - name: gov
    base_url: https://cloud.mongodbgov.com
    api_version: v1.0
    public_key_env: KEY
    private_key_env: KEY
    groups: [{id: 5E57D85C854180642F784401, name: 'a, \"b\"', providers: [Azure, gcp]}]
    discover: {organization: 5F0000000000000000000001, interval: 2h, providers: [gcp],
        include: [{name: 'a.*'}, {id: 5e57d85c854180642f784401}], exclude: [{tags: {env: test|dev}}]}",
    )
    .unwrap();
    let poll = &config.poll;
    assert_eq!((poll.interval.as_secs(), poll.timeout.as_secs(), poll.deadline.as_secs()), (300, 20, 120));
    assert_eq!((poll.max_staleness.as_secs(), poll.concurrency, poll.items_per_page), (3600, 2, 7));
    assert!(!poll.containers);
    let account = &config.accounts[0];
    assert_eq!((account.name.as_str(), account.api_version), ("gov", ApiVersion::V1));
    assert_eq!(account.credential.pair.id.expose(), "hunter2", "a trailing line feed is removed");
    assert_eq!((account.groups[0].id.as_str(), account.groups[0].name.as_str()), (GROUP, "a, \"b\""));
    assert_eq!(account.groups[0].providers, [Provider::Azure, Provider::Gcp]);
    let discover = account.discover.clone().unwrap();
    assert_eq!(discover.organization.unwrap().as_str(), "5f0000000000000000000001");
    assert_eq!((discover.interval.as_secs(), discover.providers), (7200, vec![Provider::Gcp]));
}

#[test]
fn defaults_adjust_to_the_interval() {
    let poll = parse(&format!("poll: {{interval: 8s}}\n{}", account(""))).unwrap().poll;
    assert_eq!((poll.deadline.as_secs(), poll.timeout.as_secs()), (6, 6));
    let poll = parse(&format!("poll: {{interval: 1h}}\n{}", account(""))).unwrap().poll;
    assert_eq!((poll.deadline.as_secs(), poll.max_staleness.as_secs()), (45, 3 * 3600));
}

#[test]
fn all_faults_are_reported_at_once_with_their_paths() {
    assert_snapshot!(faults(
        "poll: {interval: 10ms, timeout: 5, concurrency: 0, items_per_page: 501, intervall: 60s}
accounts:
  - name: a
    base_url: http://localhost
    api_version: v3
    public_key: p
    groups: [{id: 5e57d85c854180642f784401}]
  - name: a
    public_key: p
    public_key_env: KEY
    private_key_env: MISSING
    private_key: hunter2
    groups:
      - {id: xyz, providers: [AWS, aws, IBM]}
      - {name: no id, providers: []}
      - {id: 5e57d85c854180642f784401, colour: red}
      - 7
surplus: 1"
    ), @"
    poll.interval: must be a duration such as `60s` or `5m`, from 1s to 1day
    poll.timeout: must be a duration such as `60s` or `5m`, from 100ms to 45s
    poll.concurrency: must be a whole number from 1 to 64
    poll.items_per_page: must be a whole number from 1 to 500
    poll.intervall: unknown key; known here: interval, deadline, timeout, max_staleness, concurrency, items_per_page, containers
    accounts[0].base_url: must start with `https://`; for a simulator, set `allow_http: true`
    accounts[0].api_version: must be `v2` or `v1.0`
    accounts[0]: exactly one of private_key_file, private_key_env is required
    accounts[1].name: another account has the name `a`
    accounts[1]: exactly one of public_key, public_key_file, public_key_env is required
    accounts[1].private_key_env: the environment variable `MISSING` is not set
    accounts[1].groups[3]: must be a mapping of keys to values, not a number
    accounts[1].groups[0].id: `xyz`: an ID is 24 hexadecimal digits, as in the URL of the page in Atlas
    accounts[1].groups[0].providers: AWS is listed twice
    accounts[1].groups[0].providers: must be a list of `AWS`, `AZURE` and `GCP`
    accounts[1].groups[1].id: is required
    accounts[1].groups[1].providers: must have at least one entry; remove it for all three
    accounts[1].groups[2].id: the group is already in the config; its series would collide
    accounts[1].groups[2].colour: unknown key; known here: id, name, providers
    accounts[1].groups[3].id: is required
    accounts[1].private_key: unknown key; known here: name, allow_http, base_url, api_version, public_key, public_key_file, public_key_env, private_key_file, private_key_env, client_id, client_id_file, client_id_env, client_secret_file, client_secret_env, credential_expires, proxy_url, proxy_url_file, proxy_url_env, ca_file, discover, groups
    surplus: unknown key; known here: poll, accounts
    ");
}

#[test]
fn groups_can_be_listed_discovered_or_both() {
    let discovers = |settings: &str| parse(&bare(settings)).unwrap().accounts[0].discover.is_some();
    let groups = format!("groups: [{{id: {GROUP}}}]");
    assert!(!discovers(&groups));
    assert!(!discovers(&format!("discover: false, {groups}")));
    for switched_on in ["true", "", "{}", "{interval: 1h}"] {
        assert!(discovers(&format!("discover: {switched_on}, {groups}")), "{switched_on}");
        assert!(discovers(&format!("discover: {switched_on}")), "{switched_on}");
    }
}

#[test]
fn faults_in_a_discovery_are_reported() {
    let found = [
        "discover: 7",
        "discover: false",
        "groups: []",
        "groups:",
        "discover: {include: }",
        "discover: {organization: , providers: , include: [{name: a, tags: }]}",
        "groups: [{id: 5e57d85c854180642f784401, providers: }]",
        "discover: true, groups: []",
        "discover: {interval: 1ms, organization: acme, providers: []}",
        "discover: {include: [], exclude: [{}, {tags: {}}, {name: '['}, {tags: {env: 'a{9999}{9999}{9999}'}}, {tags: {env: 1}}]}",
        "discover: {include: [{id: x, color: red}], groups: all}",
    ]
    .map(|settings| faults(&bare(settings)));
    assert_snapshot!(found.join("\n"), @"
    accounts[0].discover: must be a mapping of keys to values, not a number
    accounts[0].groups: at least one group is required; `discover: true` finds all that the credential can see
    accounts[0].groups: at least one group is required; `discover: true` finds all that the credential can see
    found unexpected ':' at line 1 column 67, while scanning a plain scalar at line 1 column 61
    accounts[0].discover.include: must have at least one entry; otherwise remove it
    accounts[0].discover.organization: is empty; give it a value or remove it
    accounts[0].discover.providers: is empty; give it a value or remove it
    accounts[0].discover.include[0].tags: is empty; give it a value or remove it
    accounts[0].groups[0].providers: is empty; give it a value or remove it
    accounts[0].groups: at least one group is required; `discover: true` finds all that the credential can see
    accounts[0].discover.organization: `acme`: an ID is 24 hexadecimal digits, as in the URL of the page in Atlas
    accounts[0].discover.interval: must be a duration such as `60s` or `5m`, from 1s to 1day
    accounts[0].discover.providers: must have at least one entry; remove it for all three
    accounts[0].discover.include: must have at least one entry; otherwise remove it
    accounts[0].discover.exclude[0]: must have an `id`, a `name` or `tags`
    accounts[0].discover.exclude[1].tags: must have at least one entry
    accounts[0].discover.exclude[2].name: `[` is not a valid pattern: unclosed character class
    accounts[0].discover.exclude[3].tags.env: `a{9999}{9999}{9999}` is not a valid pattern: Compiled regex exceeds size limit of 1048576 bytes
    accounts[0].discover.exclude[4].tags.env: must be a string; put it in quotes
    accounts[0].discover.include[0].id: `x`: an ID is 24 hexadecimal digits, as in the URL of the page in Atlas
    accounts[0].discover.include[0].color: unknown key; known here: id, name, tags
    accounts[0].discover.groups: unknown key; known here: organization, interval, providers, include, exclude
    ");
}

#[test]
fn a_credential_is_an_api_key_or_a_service_account() {
    let found = [
        "",
        "public_key: p, private_key_env: KEY, client_id: c, client_secret_env: KEY",
        "public_key: p, client_secret_env: KEY",
        "client_id: c",
        "client_id: c, client_secret: hunter2",
        "client_secret_env: KEY, client_id_env: MISSING",
    ]
    .map(|settings| faults(&format!("accounts: [{{{settings}}}]")));
    assert_snapshot!(found.join("\n"), @"
    accounts[0]: a service account (client_id, client_secret_file or client_secret_env) or an API key (public_key, private_key_file or private_key_env) is required; found neither
    accounts[0]: a service account (client_id, client_secret_file or client_secret_env) or an API key (public_key, private_key_file or private_key_env) is required; found both
    accounts[0]: a service account (client_id, client_secret_file or client_secret_env) or an API key (public_key, private_key_file or private_key_env) is required; found both
    accounts[0]: exactly one of client_secret_file, client_secret_env is required
    accounts[0]: exactly one of client_secret_file, client_secret_env is required
    accounts[0].client_secret: unknown key; known here: name, allow_http, base_url, api_version, public_key, public_key_file, public_key_env, private_key_file, private_key_env, client_id, client_id_file, client_id_env, client_secret_file, client_secret_env, credential_expires, proxy_url, proxy_url_file, proxy_url_env, ca_file, discover, groups
    accounts[0].client_id_env: the environment variable `MISSING` is not set
    ");
    assert!(!found.concat().contains("hunter2"));
}

#[test]
fn a_proxy_url_in_the_config_must_not_contain_a_password() {
    let with = |settings: &str| parse(&bare(settings)).map(|config| config.accounts[0].proxy.clone());
    assert!(with("").unwrap().is_none());
    for proxy in ["http://proxy:3128", "https://proxy", "socks5h://[::1]:1080", "http://user@proxy:3128/"] {
        assert!(with(&format!("proxy_url: '{proxy}'")).unwrap().is_some(), "{proxy}");
    }
    let env = |name: &str| Some(if name == "PROXY" { "http://u:hunter2@proxy:3128" } else { "k" }.to_owned());
    let config = Config::parse(&bare("proxy_url_env: PROXY"), Path::new(""), &env).unwrap();
    assert!(config.accounts[0].proxy.as_ref().unwrap().has_password());
    assert!(!format!("{config:?}").contains("hunter2"));
    let found = [
        "proxy_url: 'http://u:hunter2@proxy:3128'",
        "proxy_url: 'hunter2'",
        "proxy_url: 'ftp://hunter2'",
        "proxy_url: 'http://proxy/hunter2'",
        "proxy_url: 'http://proxy', proxy_url_env: KEY",
        "proxy_url_env: KEY",
    ]
    .map(|settings| faults(&bare(settings)));
    assert_snapshot!(found.join("\n"), @"
    accounts[0].proxy_url: must not contain a password; use proxy_url_file or proxy_url_env
    accounts[0].proxy_url: a proxy is a URL such as `http://proxy.example:3128`; the schemes `https`, `socks5` and `socks5h` work too
    accounts[0].proxy_url: the scheme of a proxy is `http`, `https`, `socks5` or `socks5h`
    accounts[0].proxy_url: a proxy is a URL such as `http://proxy.example:3128`; the schemes `https`, `socks5` and `socks5h` work too
    accounts[0]: exactly one of proxy_url, proxy_url_file, proxy_url_env is required
    accounts[0].proxy_url_env: a proxy is a URL such as `http://proxy.example:3128`; the schemes `https`, `socks5` and `socks5h` work too
    ");
    assert!(!found.concat().contains("hunter2"));
}

#[test]
fn an_unusable_proxy_of_the_environment_is_a_fault_unless_every_account_has_its_own() {
    let with = |value: &'static str, settings: &str| {
        let env = move |name: &str| match name {
            "KEY" => Some("k".to_owned()),
            "https_proxy" => Some(value.to_owned()),
            _ => None,
        };
        Config::parse(&bare(settings), Path::new(""), &env)
    };
    let fault = with("\"http://u:hunter2@proxy:3128\"", "").unwrap_err().to_string();
    assert_snapshot!(fault, @"the environment variable `https_proxy` is not valid: remove the quotation marks; `docker run --env-file` keeps those of its file");
    assert!(with("\"http://proxy:3128\"", "proxy_url: 'http://other'").is_ok());
    let proxy = |settings: &str| with("http://u:hunter2@proxy:3128", settings).unwrap().accounts[0].proxy.clone();
    assert!(proxy("").unwrap().has_password());
    assert!(!proxy("proxy_url: 'http://other'").unwrap().has_password());
    assert!(proxy("base_url: 'http://127.0.0.1:1', allow_http: true").is_none());
}

#[test]
fn certificate_authorities_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = rcgen::generate_simple_self_signed(["atlas.example".to_owned()]).unwrap().cert.pem();
    fs::write(folder.path().join("ca.pem"), &certificate).unwrap();
    fs::write(folder.path().join("text.pem"), "hello").unwrap();
    fs::write(folder.path().join("bad.pem"), certificate.replace("MII", "MIX")).unwrap();
    let with = |file: &str| Config::parse(&bare(&format!("ca_file: {file}")), folder.path(), &env);
    assert!(with("ca.pem").is_ok());
    let found = ["text.pem", "bad.pem", "missing.pem"].map(|file| with(file).unwrap_err().to_string());
    assert_snapshot!(found.join("\n"), @"
    accounts[0].ca_file: is not a list of certificates in PEM format
    accounts[0].ca_file: is not a list of certificates in PEM format
    accounts[0].ca_file: the file `missing.pem` cannot be read: No such file or directory (os error 2)
    ");
}

#[test]
fn a_yaml_syntax_error_is_reported_with_its_position_or_a_hint() {
    assert_snapshot!(faults("poll:\n  interval: 60s\n bad: [\n"), @"did not find expected key at line 3 column 2, while parsing a block mapping");
    assert_snapshot!(faults("poll: {}\npoll: {}"), @r#"duplicate entry with key "poll""#);
    assert_snapshot!(faults("- a"), @"
    must be a mapping of keys to values, not a list
    accounts: at least one account is required
    ");
    assert_snapshot!(faults(""), @"accounts: at least one account is required");
    let text = account("").replace(GROUP, "535682331237943713270001");
    assert_snapshot!(faults(&text), @"has a number with too many digits at line 1 column 64; put an id that is all digits in quotes");
}

#[test]
fn accounts_patterns_and_faults_are_bounded() {
    let with = |count: usize| parse(&bare(&format!("discover: {{include: [{}]}}", "{name: a},".repeat(count))));
    assert!(with(200).is_ok());
    let costly = format!("discover: {{include: [{}]}}", "{tags: {a: b}},".repeat(5000));
    let found = faults(&bare(&costly));
    assert!(found.starts_with("accounts[0].discover.include[200].tags.a: exceeds the limit of 200 patterns"));
    assert!(found.ends_with("\nand 4700 more"), "{}", &found[found.len() - 200..]);
    assert_eq!(found.lines().count(), 101);
    let unknown: String = (0..3000).map(|n| format!("k{n}: 1\n")).collect::<Vec<_>>().concat();
    assert!(faults(&unknown).ends_with("\nand 2901 more"), "the accounts are missing too");
    let accounts = |count: usize| {
        let account = |n| format!("- {{name: a{n}, client_id: c, client_secret_env: KEY}}\n");
        parse(&format!("accounts:\n{}", (0..count).map(account).collect::<Vec<_>>().concat()))
    };
    assert_eq!(accounts(1000).unwrap().accounts.len(), 1000);
    assert_eq!(accounts(1001).unwrap_err().to_string(), "accounts: must have at most 1000 accounts");
}

#[test]
fn http_to_another_machine_is_a_warning() {
    for (base_url, warns) in [
        ("http://127.0.0.1:1", false),
        ("http://127.8.9.1", false),
        ("http://[::1]:1", false),
        ("http://[::ffff:127.0.0.1]", false),
        ("http://localhost:1", false),
        ("http://LOCALHOST", false),
        ("https://atlas.example", false),
        ("http://atlas.example", true),
        ("http://localhost.example", true),
        ("http://10.0.0.1", true),
        ("http://0.0.0.0", true),
        ("http://[fd00::1]", true),
    ] {
        let warnings = parse(&account(&format!("base_url: '{base_url}', allow_http: true"))).unwrap().warnings;
        let paths: Vec<&str> = warnings.iter().map(|warning| warning.path.as_str()).collect();
        assert_eq!(paths, if warns { vec!["accounts[0].base_url"] } else { Vec::new() }, "{base_url}");
    }
}

#[test]
fn a_secret_file_that_others_can_read_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    set(folder.path(), 0o755);
    fs::write(folder.path().join("file"), "http://p").unwrap();
    for (credential, warned) in [
        ("client_id: c, client_secret_file: file", Some("client_secret_file")),
        ("public_key: p, private_key_file: file", Some("private_key_file")),
        ("public_key_file: file, private_key_env: KEY", None),
        ("client_id_file: file, client_secret_env: KEY", None),
        ("client_id: c, client_secret_env: KEY, proxy_url_file: file", Some("proxy_url_file")),
    ] {
        let text = format!("accounts: [{{{credential}}}]");
        let warnings = |mode| {
            set(&folder.path().join("file"), mode);
            let warnings = Config::parse(&text, folder.path(), &env).unwrap().warnings;
            warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let expected = warned.map(|key| format!("accounts[0].{key}: can be read by every user of this machine; restrict it to the exporter, for example with `chmod 640`"));
        assert_eq!(warnings(0o644), Vec::from_iter(expected), "{credential}");
        assert!(warnings(0o640).is_empty() && warnings(0o440).is_empty(), "{credential}");
    }
}

#[test]
fn invalid_base_urls_are_rejected_without_repeating_their_passwords() {
    let with_path = ["https://x/?q", "https://x/#f", "https://x/api/atlas/v2"];
    for url in ["http://x", "ftp://x", "x", "https://", "https://u:hunter2@x"].into_iter().chain(with_path) {
        let faults = faults(&account(&format!("base_url: '{url}'")));
        assert!(faults.starts_with("accounts[0].base_url: must "), "{url}: {faults}");
        assert!(!faults.contains("hunter2"));
    }
    assert!(parse(&account("base_url: 'http://[::1]:8080', allow_http: true")).is_ok());
    assert!(parse(&account("base_url: 'https://proxy.example/atlas'")).is_ok());
}

#[test]
fn paths_of_secrets_are_relative_to_the_config() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("key"), "hunter2\r\n").unwrap();
    fs::write(folder.join("empty"), "\n").unwrap();
    fs::write(folder.join("lines"), "a\nb\n").unwrap();
    fs::write(folder.join("large"), "x".repeat(5000)).unwrap();
    let with = |file: &str| {
        let text = account("").replace("private_key_env: KEY", &format!("private_key_file: {file}"));
        Config::parse(&text, folder, &env)
    };
    assert_eq!(with("key").unwrap().accounts[0].credential.pair.secret.expose(), "hunter2");
    let found: Vec<String> =
        ["missing", "empty", "lines", "large"].iter().map(|file| with(file).unwrap_err().to_string()).collect();
    assert_snapshot!(found.join("\n"), @"
    accounts[0].private_key_file: the file cannot be read: No such file or directory (os error 2)
    accounts[0].private_key_file: is empty
    accounts[0].private_key_file: must be one line without control characters; only one line break at its end is ignored
    accounts[0].private_key_file: the file cannot be read: it is larger than 4096 bytes
    ");
}

#[test]
fn neither_faults_nor_debug_output_contain_a_secret() {
    assert!(!format!("{:?}", parse(&account("")).unwrap()).contains("hunter2"));
    for source in ["private_key_env", "private_key_file"] {
        let text = account("").replace("private_key_env: KEY", &format!("{source}: 1b2c-hunter2"));
        let faults = faults(&text);
        assert!(faults.starts_with(&format!("accounts[0].{source}: the ")), "{faults}");
        assert!(!faults.contains("hunter2"), "{faults}");
    }
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
            "public_key", "private_key_file", "allow_http", "api_version", "discover", "include", "exclude", "tags",
            "organization", "client_id", "client_secret_env", "proxy_url", "ca_file", "containers",
        ]),
        value in r#"(|~|-?[0-9]{1,20}|[0-9]{0,9}(s|m|days)|true|\[[a-z, ]{0,9}\]|\{[a-z]{1,4}: x\}|"[^"\\]{0,9}"|!t x)"#,
    ) {
        let _ = parse(&format!("{key}: {value}"));
        let _ = parse(&format!("poll: {{{key}: {value}}}"));
        let _ = parse(&format!("accounts: [{{{key}: {value}}}]"));
        let _ = parse(&format!("accounts: [{{groups: [{{{key}: {value}}}]}}]"));
        let _ = parse(&format!("accounts: [{{discover: {{{key}: {value}}}}}]"));
        let _ = parse(&format!("accounts: [{{discover: {{include: [{{{key}: {value}}}]}}}}]"));
    }
}

#[test]
fn a_credential_can_have_an_expiration_date() {
    let config = parse(&account("credential_expires: 2027-01-31")).unwrap();
    let ends = config.accounts[0].credential_expires.unwrap();
    assert_eq!(ends.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs(), 1_801_353_600);
    assert_eq!(parse(&account("")).unwrap().accounts[0].credential_expires, None);
    for bad in ["2027-02-30", "2027-1-31", "31.01.2027", "'2027-01-31 12:00'", "2027-01-31T00:00:00Z", "soon"] {
        let found = faults(&account(&format!("credential_expires: {bad}")));
        assert!(
            found.contains("accounts[0].credential_expires") && found.contains("must be a date such as"),
            "{found}"
        );
    }
    assert!(faults(&account("credential_expires: 20270131")).contains("must be a string, not a number"));
}

#[test]
fn more_listings_than_permits_allow_need_more_permits() {
    let poll = PollConfig::default();
    // 8 permits for a minute are 480 s, and a poll takes 0.2 s.
    assert_eq!(poll.missing_permits(2400), None);
    assert_eq!(poll.missing_permits(2401), Some(9));
    assert_eq!(PollConfig { interval: Duration::from_secs(1), ..poll }.missing_permits(750), Some(150));
}
