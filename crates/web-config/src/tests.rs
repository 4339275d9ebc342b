use insta::assert_snapshot;
use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use crate::*;

/// What the toolkit itself does with each is checked by `make check-web-config`.
const CASES: &str = include_str!("../../../tests/toolkit/cases.txt");

/// A folder with `server.crt`, its key, and the key of another.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let [key, other] = [KeyPair::generate().unwrap(), KeyPair::generate().unwrap()];
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let files =
        [("server.crt", certificate.pem()), ("server.key", key.serialize_pem()), ("other.key", other.serialize_pem())];
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn parse(text: &str, folder: &TempDir) -> Result<(WebConfig, Vec<ConfigFault>), ConfigError> {
    WebConfig::parse(&text.replace("{TLS", "{cert_file: server.crt, key_file: server.key"), folder.path())
}

/// Every fault, or every warning.
fn told(text: &str, folder: &TempDir) -> String {
    let told = match parse(text, folder) {
        Ok((_, warnings)) => ConfigError { faults: warnings }.to_string(),
        Err(error) => format!("refused:\n{error}"),
    };
    told.replace(folder.path().to_str().unwrap(), "FOLDER")
}

#[test]
fn what_the_toolkit_accepts_is_accepted_and_what_it_refuses_is_refused() {
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
fn all_faults_are_told_at_once_with_their_places() {
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
    let told = told(text, &folder());
    assert_snapshot!(told, @"
    refused:
    http_server_config.http2: must be true or false, not a number
    http_server_config.headers.X-Frame-Options: must be `deny` or `sameorigin`
    http_server_config.headers.Server: cannot be set; what can, in this spelling: Strict-Transport-Security, X-Content-Type-Options, X-Frame-Options, X-XSS-Protection, Content-Security-Policy
    http_server_config.headers.Content-Security-Policy: must have no control characters
    http_server_config.trailers: unknown key; known here: http2, headers
    tls_server_config.min_version: must be `TLS10`, `TLS11`, `TLS12` or `TLS13`
    tls_server_config.max_version: must be `TLS10`, `TLS11`, `TLS12` or `TLS13`
    tls_server_config.cipher_suites: `TLS_NULL` is unknown; known here: TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
    tls_server_config.cipher_suites: `TLS_ECDHE_RSA_WITH_RC4_128_SHA` is unknown; known here: TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
    tls_server_config.curve_preferences: must be a list, not a text
    tls_server_config.prefer_server_cipher_suites: must be true or false, not a text
    tls_server_config.client_allowed_sans: must be a list, not a mapping
    tls_server_config.certificate: unknown key; known here: cert_file, cert, key_file, key, client_ca_file, client_ca, client_auth_type, min_version, max_version, cipher_suites, curve_preferences, prefer_server_cipher_suites, client_allowed_sans
    tls_server_config.client_auth_type: must be `NoClientCert`, `RequestClientCert`, `RequireAnyClientCert`, `VerifyClientCertIfGiven` or `RequireAndVerifyClientCert`
    tls_server_config.cert_file: the file `FOLDER/missing.crt` cannot be read: No such file or directory (os error 2)
    tls_server_config.client_ca_file: the file `FOLDER/missing-ca.crt` cannot be read: No such file or directory (os error 2)
    basic_auth_users.alice: is no bcrypt hash: it is shorter than 59 bytes
    basic_auth_users.bob: is no bcrypt hash: its cost is not from 4 to 31
    rate_limit.interval: must be a duration such as `1s`, `500ms` or `1m30s`
    rate_limit.burst: must be a number, not a text
    rate_limit.per: unknown key; known here: interval, burst
    reload: unknown key; known here: tls_server_config, http_server_config, basic_auth_users, rate_limit
    ");
    assert!(!told.contains("secret") && !told.contains("uD6LR2m9"), "no hash and no password");
}

#[test]
fn what_has_no_effect_or_another_one_is_warned_of() {
    let folder = folder();
    let ca = "client_ca_file: server.crt";
    let told = [
        "tls_server_config: {min_version: TLS13}".to_owned(),
        "tls_server_config: {TLS, cert: x, min_version: TLS10, curve_preferences: [CurveP521, X25519]}".to_owned(),
        "tls_server_config: {TLS, cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]}"
            .to_owned(),
        "tls_server_config: {TLS, client_allowed_sans: [a]}".to_owned(),
        "tls_server_config: {TLS, client_auth_type: RequireAnyClientCert, client_allowed_sans: [a]}".to_owned(),
        format!("tls_server_config: {{TLS, client_auth_type: RequireAndVerifyClientCert, {ca}, client_allowed_sans: []}}"),
        "tls_server_config: {TLS, client_auth_type: VerifyClientCertIfGiven, client_ca: none}".to_owned(),
        "basic_auth_users: {bob: $2y$10$!!!!56789012345678901uD6LR2m9Sk1ES6hHQXSh8sqgEuMnvOK!!!!}".to_owned(),
        "rate_limit: {interval: 1}".to_owned(),
        "rate_limit: {interval: 1, burst: 1}".to_owned(),
        "rate_limit: {interval: -1s}".to_owned(),
        "rate_limit: {burst: 5}".to_owned(),
    ]
    .map(|text| told(&text, &folder));
    assert_snapshot!(told.join("\n"), @"
    tls_server_config: has no effect: no certificate and no key is named, so TLS is off, as with the toolkit
    tls_server_config.cert: is not used: `cert_file` is there too
    tls_server_config.min_version: TLS 1.0 and 1.1 are left out: nothing older than TLS 1.2 is spoken here
    tls_server_config.curve_preferences: `CurveP521` is left out: rustls does not have it
    tls_server_config.cipher_suites: `TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA` is left out: rustls does not have it
    tls_server_config.client_allowed_sans: has no effect: `client_auth_type` demands no certificate of clients
    tls_server_config.client_allowed_sans: proves nothing: `client_auth_type` lets clients sign their certificates themselves
    tls_server_config.client_allowed_sans: is empty, so every client is refused, as with the toolkit
    tls_server_config.client_ca: there is no authority, so no certificate of a client is accepted
    basic_auth_users.bob: is a damaged bcrypt hash: no password matches it
    rate_limit.burst: is not above zero, so every request is refused, as with the toolkit
    rate_limit.interval: is below a millisecond: a number without a unit is nanoseconds
    rate_limit.interval: is below zero, so there is no limit, as with the toolkit
    rate_limit.interval: is zero or missing, so there is no limit, as with the toolkit
    ");
}

#[test]
fn nothing_is_warned_of_where_all_is_plain() {
    let folder = folder();
    for text in [
        "",
        "tls_server_config: {TLS}",
        "tls_server_config: {TLS, client_auth_type: RequireAndVerifyClientCert, client_ca_file: server.crt}",
        "rate_limit: {interval: 1s, burst: 10}",
        "rate_limit: {interval: 0, burst: 0}",
    ] {
        assert_eq!(told(text, &folder), "", "{text}");
    }
}

#[test]
fn what_rustls_cannot_do_is_told() {
    let folder = folder();
    let told = [
        "max_version: TLS11",
        "min_version: TLS13, max_version: TLS12",
        "curve_preferences: [CurveP521]",
        "cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA]",
        "cipher_suites: [TLS_AES_128_GCM_SHA256], max_version: TLS12",
    ]
    .map(|text| {
        told(&format!("{{tls_server_config: {{TLS, {text}}}, http_server_config: {{http2: false}}}}"), &folder)
    });
    assert_snapshot!(told.join("\n"), @"
    refused:
    tls_server_config.max_version: nothing older than TLS 1.2 is spoken here; must be `TLS12` or `TLS13`
    refused:
    tls_server_config.max_version: must not be below `min_version`
    refused:
    tls_server_config.curve_preferences: nothing is left: rustls has none of CurveP521
    refused:
    tls_server_config.cipher_suites: nothing is left: rustls has none of TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA for the versions of TLS that are spoken
    refused:
    tls_server_config.cipher_suites: nothing is left: rustls has none of TLS_AES_128_GCM_SHA256 for the versions of TLS that are spoken
    ");
}

#[test]
fn a_key_and_a_certificate_that_do_not_belong_together_are_told() {
    let folder = folder();
    let told = ["other.key", "server.crt", "empty"].map(|key| {
        fs::write(folder.path().join("empty"), "").unwrap();
        let pair = |certificate: &str| {
            told(&format!("tls_server_config: {{cert_file: {certificate}, key_file: {key}}}"), &folder)
        };
        format!("{}\n{}", pair("server.crt"), pair("empty"))
    });
    assert_snapshot!(told.join("\n"), @"
    refused:
    tls_server_config.key_file: is not the key of the certificate
    refused:
    tls_server_config.cert_file: holds no certificate
    refused:
    tls_server_config.key_file: holds no private key
    refused:
    tls_server_config.cert_file: holds no certificate
    refused:
    tls_server_config.key_file: holds no private key
    refused:
    tls_server_config.cert_file: holds no certificate
    ");
}

#[tokio::test]
async fn without_a_file_nothing_is_guarded() {
    let web = WebConfig::default();
    assert!(!web.has_tls() && web.tls().await.is_none());
    assert!(web.guard().admit(None).await.is_ok());
}

#[tokio::test]
async fn http_2_is_offered_unless_it_is_off() {
    let folder = folder();
    for (text, offered) in [("", 2), ("\nhttp_server_config:", 1), ("\nhttp_server_config: {http2: no}", 1)] {
        let (web, _) = parse(&format!("tls_server_config: {{TLS}}{text}"), &folder).unwrap();
        assert_eq!(web.tls().await.unwrap().alpn_protocols.len(), offered, "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(
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
