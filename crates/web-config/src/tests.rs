use std::{fs, os::unix::fs::PermissionsExt};

use insta::assert_snapshot;
use proptest::prelude::*;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, KeyUsagePurpose};
use tempfile::TempDir;

use crate::*;

/// Web configs, each with what the toolkit does; `make check-web-config` runs the toolkit itself on them.
const CASES: &str = include_str!("../../../tests/toolkit/cases.txt");

/// A folder with `server.crt`, its key, the key of another certificate, and a CA that may not sign certificates.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    // Only the owner can read the key.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let [key, other] = [KeyPair::generate().unwrap(), KeyPair::generate().unwrap()];
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let files = [
        ("server.crt", certificate.pem()),
        ("server.key", key.serialize_pem()),
        ("other.key", other.serialize_pem()),
        ("not-signing.crt", ca.self_signed(&other).unwrap().pem()),
    ];
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn parse(text: &str, folder: &TempDir) -> Result<(WebConfig, Vec<ConfigFault>), ConfigError> {
    WebConfig::parse(&text.replace("{TLS", "{cert_file: server.crt, key_file: server.key"), folder.path())
}

/// Every fault, or every warning.
fn outcome(text: &str, folder: &TempDir) -> String {
    let text = match parse(text, folder) {
        Ok((_, warnings)) => ConfigError { faults: warnings }.to_string(),
        Err(error) => format!("refused:\n{error}"),
    };
    text.replace(folder.path().to_str().unwrap(), "FOLDER")
}

#[test]
fn a_web_config_is_accepted_if_and_only_if_the_toolkit_accepts_it() {
    let folder = folder();
    let cases: Vec<_> = format!("\n{CASES}").split("\n=== ").skip(1).map(str::to_owned).collect();
    assert!(cases.len() > 100, "cases were lost");
    for case in cases {
        let (expected, text) = case.split_once('\n').unwrap_or((&case, ""));
        let (toolkit, ours) = expected.split_once(", here ").unwrap_or((expected, expected));
        assert!(["accepted", "refused"].contains(&toolkit), "{case}");
        let parsed = parse(text, &folder);
        let faults = parsed.as_ref().err().map(ToString::to_string).unwrap_or_default();
        assert_eq!(parsed.is_ok(), ours.starts_with("accepted"), "{case}\n{faults}");
        assert!(parsed.is_ok() || !faults.is_empty(), "{case}");
    }
}

#[test]
fn all_faults_are_reported_at_once_with_their_paths() {
    let text = "
tls_server_config:
  cert_file: missing.crt
  key_file: other.key
  client_auth_type: ClientAuth
  client_ca_file: missing-ca.crt
  min_version: TLS14
  max_version: 13
  cipher_suites: [TLS_NULL, TLS_ECDHE_RSA_WITH_RC4_128_SHA]
  curve_preferences: CurveP256
  prefer_server_cipher_suites: perhaps
  client_allowed_sans: {a: b}
  certificate: x
http_server_config:
  http2: 2
  headers: {X-Frame-Options: never, Server: x, Content-Security-Policy: \"\\u0007\"}
  trailers: {}
basic_auth_users: {alice: secret, bob: $2y$99$0123456789012345678901uD6LR2m9Sk1ES6hHQXSh8sqgEuMnvOK}
rate_limit: {interval: soon, burst: many, per: client}
reload: true
";
    let faults = outcome(text, &folder());
    assert_snapshot!(faults, @"
    refused:
    http_server_config.http2: must be true or false, not a number
    http_server_config.headers.X-Frame-Options: must be `deny` or `sameorigin`
    http_server_config.headers.Server: cannot be set; allowed, in this spelling: Strict-Transport-Security, X-Content-Type-Options, X-Frame-Options, X-XSS-Protection, Content-Security-Policy
    http_server_config.headers.Content-Security-Policy: must not contain control characters
    http_server_config.trailers: unknown key; known here: http2, headers
    tls_server_config.min_version: must be `TLS10`, `TLS11`, `TLS12` or `TLS13`
    tls_server_config.max_version: must be `TLS10`, `TLS11`, `TLS12` or `TLS13`
    tls_server_config.cipher_suites: `TLS_NULL` is unknown; known here: TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
    tls_server_config.cipher_suites: `TLS_ECDHE_RSA_WITH_RC4_128_SHA` is unknown; known here: TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
    tls_server_config.curve_preferences: must be a list, not a string
    tls_server_config.prefer_server_cipher_suites: must be true or false, not a string
    tls_server_config.client_allowed_sans: must be a list, not a mapping
    tls_server_config.certificate: unknown key; known here: cert_file, cert, key_file, key, client_ca_file, client_ca, client_auth_type, min_version, max_version, cipher_suites, curve_preferences, prefer_server_cipher_suites, client_allowed_sans
    tls_server_config.client_auth_type: must be `NoClientCert`, `RequestClientCert`, `RequireAnyClientCert`, `VerifyClientCertIfGiven` or `RequireAndVerifyClientCert`
    tls_server_config.cert_file: the file `FOLDER/missing.crt` cannot be read: No such file or directory (os error 2)
    tls_server_config.client_ca_file: the file `FOLDER/missing-ca.crt` cannot be read: No such file or directory (os error 2)
    basic_auth_users.alice: is not a bcrypt hash: it is shorter than 59 bytes
    basic_auth_users.bob: is not a bcrypt hash: its cost is not from 4 to 31
    rate_limit.interval: must be a duration such as `1s`, `500ms` or `1m30s`
    rate_limit.burst: must be a number, not a string
    rate_limit.per: unknown key; known here: interval, burst
    reload: unknown key; known here: tls_server_config, http_server_config, basic_auth_users, rate_limit
    ");
    assert!(!faults.contains("secret") && !faults.contains("uD6LR2m9"), "no hash and no password is repeated");
}

#[test]
fn a_setting_without_effect_or_with_another_one_is_a_warning() {
    let folder = folder();
    let ca = "client_ca_file: server.crt";
    let outcomes = [
        "tls_server_config: {min_version: TLS13}".to_owned(),
        "tls_server_config: {TLS, cert: x, min_version: TLS10, curve_preferences: [CurveP521, X25519]}".to_owned(),
        "tls_server_config: {TLS, cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]}"
            .to_owned(),
        "tls_server_config: {TLS, client_allowed_sans: [a]}".to_owned(),
        "tls_server_config: {TLS, client_auth_type: RequireAnyClientCert, client_allowed_sans: [a]}".to_owned(),
        format!("tls_server_config: {{TLS, client_auth_type: RequireAndVerifyClientCert, {ca}, client_allowed_sans: []}}"),
        "tls_server_config: {TLS, client_auth_type: VerifyClientCertIfGiven, client_ca: none}".to_owned(),
        "tls_server_config: {TLS, client_auth_type: VerifyClientCertIfGiven, client_ca_file: not-signing.crt}".to_owned(),
        "basic_auth_users: {bob: $2y$10$!!!!56789012345678901uD6LR2m9Sk1ES6hHQXSh8sqgEuMnvOK!!!!}".to_owned(),
        "rate_limit: {interval: 1}".to_owned(),
        "rate_limit: {interval: 1, burst: 1}".to_owned(),
        "rate_limit: {interval: -1s}".to_owned(),
        "rate_limit: {burst: 5}".to_owned(),
    ]
    .map(|text| outcome(&text, &folder));
    assert_snapshot!(outcomes.join("\n"), @"
    tls_server_config: has no effect: TLS is off without a certificate and a key, as in the toolkit
    tls_server_config.cert: is not used: `cert_file` is set too
    tls_server_config.min_version: TLS 1.0 and 1.1 are not supported; the oldest version in use is TLS 1.2
    tls_server_config.curve_preferences: `CurveP521` is ignored: rustls does not support it
    tls_server_config.cipher_suites: `TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA` is ignored: rustls does not support it
    tls_server_config.client_allowed_sans: has no effect: `client_auth_type` requests no client certificate
    tls_server_config.client_allowed_sans: proves nothing: `client_auth_type` accepts self-signed client certificates
    tls_server_config.client_allowed_sans: is empty, so every client is rejected, as in the toolkit
    tls_server_config.client_ca: no CA certificate was found, so every client certificate is rejected
    tls_server_config.client_ca_file: CAs that may not sign client certificates because of their key usage or extended key usage: 1
    basic_auth_users.bob: is a damaged bcrypt hash: no password matches it
    rate_limit.burst: is not above zero, so every request is rejected, as in the toolkit
    rate_limit.interval: is below a millisecond; a number without a unit means nanoseconds
    rate_limit.interval: is below zero, so there is no limit, as in the toolkit
    rate_limit.interval: is zero or missing, so there is no limit, as in the toolkit
    ");
}

#[test]
fn a_plain_web_config_has_no_warnings() {
    let folder = folder();
    for text in [
        "",
        "tls_server_config: {TLS}",
        "tls_server_config: {TLS, client_auth_type: RequireAndVerifyClientCert, client_ca_file: server.crt}",
        "rate_limit: {interval: 1s, burst: 10}",
        "rate_limit: {interval: 0, burst: 0}",
    ] {
        assert_eq!(outcome(text, &folder), "", "{text}");
    }
}

#[test]
fn unsupported_settings_and_unusable_files_are_faults() {
    let folder = folder();
    fs::write(folder.path().join("empty"), "").unwrap();
    let outcomes = [
        "{TLS, max_version: TLS11}",
        "{TLS, min_version: TLS13, max_version: TLS12}",
        "{TLS, curve_preferences: [CurveP521]}",
        "{TLS, cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA]}",
        "{TLS, cipher_suites: [TLS_AES_128_GCM_SHA256], max_version: TLS12}",
        "{cert_file: server.crt, key_file: other.key}",
        "{cert_file: server.crt, key_file: empty}",
        "{cert_file: empty, key_file: server.key}",
    ]
    .map(|tls| outcome(&format!("{{tls_server_config: {tls}, http_server_config: {{http2: false}}}}"), &folder));
    assert_snapshot!(outcomes.join("\n"), @"
    refused:
    tls_server_config.max_version: must be `TLS12` or `TLS13`; older versions are not supported
    refused:
    tls_server_config.max_version: must not be below `min_version`
    refused:
    tls_server_config.curve_preferences: rustls supports none of CurveP521
    refused:
    tls_server_config.cipher_suites: rustls supports none of TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA in the enabled versions of TLS
    refused:
    tls_server_config.cipher_suites: rustls supports none of TLS_AES_128_GCM_SHA256 in the enabled versions of TLS
    refused:
    tls_server_config.key_file: does not belong to the certificate
    refused:
    tls_server_config.key_file: contains no private key
    refused:
    tls_server_config.cert_file: contains no certificate
    ");
}

#[tokio::test]
async fn http2_is_offered_unless_it_is_off() {
    let folder = folder();
    for (text, offered) in [("", 2), ("\nhttp_server_config:", 1), ("\nhttp_server_config: {http2: no}", 1)] {
        let (web, _) = parse(&format!("tls_server_config: {{TLS}}{text}"), &folder).unwrap();
        assert_eq!(web.server_config().await.unwrap().alpn_protocols.len(), offered, "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_causes_a_panic(
        key in prop::sample::select(vec![
            "tls_server_config", "http_server_config", "basic_auth_users", "rate_limit", "cert", "key", "client_ca",
            "client_auth_type", "min_version", "cipher_suites", "client_allowed_sans", "http2", "headers", "interval",
            "burst", "X-Frame-Options",
        ]),
        value in r#"(|~|-?[0-9.e]{1,20}|-?[0-9.]{0,9}(s|ms|m|h){0,3}|yes|\[[a-z, ]{0,9}\]|\{[a-z]{1,4}: x\}|"[^"\\]{0,9}"|\$2[aé]?\$[0-9x]{0,60})"#,
    ) {
        for text in [
            format!("{key}: {value}"),
            format!("tls_server_config: {{client_auth_type: x, {key}: {value}}}"),
            format!("http_server_config: {{{key}: {value}, headers: {{{key}: {value}}}}}"),
            format!("rate_limit: {{{key}: {value}}}"),
            format!("basic_auth_users: {{{key}: {value}}}"),
        ] {
            let _ = WebConfig::parse(&text, Path::new("/nowhere"));
        }
    }
}

#[test]
fn a_private_key_or_hashes_that_others_can_read_are_a_warning() {
    let folder = folder();
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    set(folder.path(), 0o755);
    let file = folder.path().join("web.yml");
    let key = fs::read_to_string(folder.path().join("server.key")).unwrap().replace('\n', "\n    ");
    let inline = format!("tls_server_config:\n  cert_file: server.crt\n  key: |\n    {key}");
    let in_file = "tls_server_config: {cert_file: server.crt, key_file: server.key}".to_owned();
    let users = format!("basic_auth_users: {{alice: {}}}", crate::hash::hashed("secret", 4));
    let warnings = |text: &str, mode, key_mode| {
        fs::write(&file, text).unwrap();
        set(&file, mode);
        set(&folder.path().join("server.key"), key_mode);
        let (_, warnings) = WebConfig::read(&file).unwrap();
        warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    for text in [&inline, &in_file, &users, &String::new()] {
        assert_eq!(warnings(text, 0o640, 0o640), "");
    }
    assert_eq!(warnings("http_server_config: {http2: false}", 0o644, 0o644), "");
    assert_eq!(warnings(&in_file, 0o644, 0o640), "", "it holds no secret itself");
    for text in [&inline, &users] {
        assert!(warnings(text, 0o644, 0o640).starts_with("contains password hashes or a private key and can be read"));
    }
    assert!(warnings(&in_file, 0o640, 0o644).starts_with("tls_server_config.key_file: can be read by every user"));
}
