//! The server's side of TLS: who is trusted, versions, and certificates that change.

use std::fs;

use crate::{
    http::get,
    process::wait_for,
    prometheus::Prometheus,
    tls_atlas::authority_called,
    web::{Guarded, Issue, curl, with_certificate},
};

#[test]
fn curl_and_prometheus_come_in_over_tls() {
    let (folder, _authority) = with_certificate();
    let guarded = Guarded::start(folder, "tls_server_config: {TLS}");
    let page = guarded.curl_at("/metrics", &[]);
    assert_eq!((page.exit, page.status.as_str(), page.version.as_str()), (0, "200", "2"), "{}", page.text);
    assert!(page.text.contains("mongodbatlas_peering_exporter_build_info"), "{}", page.text);
    let prometheus = Prometheus::scraping_with(&guarded.target(), &guarded.tls_config("ca.pem", None));
    wait_for("peerings", || {
        (prometheus.value("count(mongodbatlas_network_peering_status)").as_deref() == Some("6")).then_some(())
    });
    assert_eq!(prometheus.last_error(), "");
}

#[test]
fn a_server_of_another_authority_is_not_trusted() {
    let (folder, _authority) = with_certificate();
    fs::write(folder.path().join("other.pem"), authority_called("theirs").pem()).unwrap();
    let guarded = Guarded::start(folder, "tls_server_config: {TLS}");
    let asked = curl(guarded.folder.path(), &["--cacert", "other.pem", &guarded.url("/metrics")]);
    assert_eq!(asked.exit, 60, "{}", asked.text);
    let error = Prometheus::error_of_scraping(&guarded.target(), &guarded.tls_config("other.pem", None));
    assert!(error.contains("certificate signed by unknown authority"), "{error}");
}

#[test]
fn a_server_whose_certificate_has_expired_is_not_trusted() {
    let (folder, authority) = with_certificate();
    Issue { authority: &authority, name: "localhost", until: 2021 }.write(folder.path(), "server");
    let guarded = Guarded::start(folder, "tls_server_config: {TLS}");
    let asked = guarded.curl(&[]);
    assert!(asked.exit == 60 && asked.text.contains("expired"), "{asked:?}");
    let error = Prometheus::error_of_scraping(&guarded.target(), &guarded.tls_config("ca.pem", None));
    assert!(error.contains("certificate has expired"), "{error}");
}

#[test]
fn http_2_is_spoken_unless_it_is_off_and_never_without_tls() {
    let (folder, _authority) = with_certificate();
    let guarded = Guarded::start(folder, "tls_server_config: {TLS}\nhttp_server_config: {http2: false}");
    assert_eq!(guarded.curl(&[]).version, "1.1");
    let (folder, _authority) = with_certificate();
    let guarded = Guarded::start(folder, "tls_server_config: {TLS}\nhttp_server_config: {http2: true}");
    assert_eq!(guarded.curl(&[]).version, "2");
    assert_eq!(guarded.curl(&["--http1.1"]).version, "1.1");
    let (folder, _authority) = with_certificate();
    let plain = Guarded::start(folder, "http_server_config: {http2: true}");
    let url = format!("http://{}/-/healthy", plain.exporter.address);
    assert_eq!(curl(plain.folder.path(), &[&url]).version, "1.1");
    assert_ne!(curl(plain.folder.path(), &["--http2-prior-knowledge", &url]).exit, 0);
}

#[test]
fn versions_and_ciphers_are_those_of_the_file() {
    let (folder, _authority) = with_certificate();
    let guarded =
        Guarded::start(folder, "tls_server_config: {TLS, min_version: TLS13, curve_preferences: [CurveP384]}");
    assert_eq!(guarded.curl(&["--tlsv1.3"]).status, "200");
    assert_eq!(guarded.curl(&["--tls-max", "1.2"]).exit, 35);
    assert_eq!(guarded.curl(&["--curves", "P-384"]).status, "200");
    assert_eq!(guarded.curl(&["--curves", "P-256"]).exit, 35);
    let (folder, _authority) = with_certificate();
    let suites = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA";
    let web = format!("tls_server_config: {{TLS, max_version: TLS12, cipher_suites: [{suites}]}}");
    let guarded = Guarded::start(folder, &web);
    guarded.exporter.process.wait_for_log("the cipher that rustls does not have", |log| {
        log.contains("cipher_suites: `TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA` is ignored").then_some(())
    });
    assert_eq!(guarded.curl(&["--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256"]).status, "200");
    assert_eq!(guarded.curl(&["--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384"]).exit, 35);
    assert_eq!(guarded.curl(&["--tlsv1.3"]).exit, 35);
    let (folder, _authority) = with_certificate();
    let web = "tls_server_config: {TLS, min_version: TLS13, cipher_suites: [TLS_AES_256_GCM_SHA384]}";
    let guarded = Guarded::start(folder, web);
    assert_eq!(guarded.curl(&["--tls13-ciphers", "TLS_AES_256_GCM_SHA384"]).status, "200");
    assert_eq!(guarded.curl(&["--tls13-ciphers", "TLS_AES_128_GCM_SHA256"]).exit, 35);
}

#[test]
fn a_client_that_speaks_no_tls_is_told_so() {
    let (folder, _authority) = with_certificate();
    let guarded = Guarded::start(folder, "tls_server_config: {TLS}");
    let answer = get(&guarded.exporter.address, "/metrics");
    assert_eq!((answer.status, answer.text()), (400, "Client sent an HTTP request to an HTTPS server.\n"));
}

#[test]
fn a_certificate_that_is_replaced_is_served_and_a_bad_one_is_not() {
    let (folder, _authority) = with_certificate();
    let guarded = Guarded::start(folder, "tls_server_config: {TLS}");
    let at = |name: &str| guarded.folder.path().join(name);
    let new = authority_called("a new authority");
    fs::write(at("new.pem"), new.pem()).unwrap();
    fs::write(at("both.pem"), format!("{}{}", fs::read_to_string(at("ca.pem")).unwrap(), new.pem())).unwrap();
    let trusting = |ca: &str| curl(guarded.folder.path(), &["--cacert", ca, &guarded.url("/-/healthy")]);
    assert_eq!((trusting("ca.pem").status.as_str(), trusting("new.pem").exit), ("200", 60));

    // Half of it, as where somebody copies one file after the other.
    Issue { authority: &new, name: "localhost", until: 2090 }.write(guarded.folder.path(), "new");
    fs::copy(at("new.crt"), at("server.crt")).unwrap();
    let complaint = "new connections use the previous certificate: tls_server_config.key_file: does not belong to";
    wait_for("the warning", || {
        assert_eq!(trusting("ca.pem").status, "200", "the old one stays");
        guarded.exporter.process.wait_for_log("anything", |log| Some(log.contains(complaint))).then_some(())
    });
    fs::remove_file(at("server.key")).unwrap();
    wait_for("another warning", || {
        assert_eq!(trusting("ca.pem").status, "200", "the old one stays");
        let gone = "server.key` cannot be read: No such file";
        guarded.exporter.process.wait_for_log("anything", |log| Some(log.contains(gone))).then_some(())
    });
    fs::copy(at("new.key"), at("server.key")).unwrap();
    wait_for("the new certificate", || {
        let asked = trusting("both.pem");
        assert_eq!(asked.status, "200", "there is never none: {}", asked.text);
        (trusting("new.pem").status == "200").then_some(())
    });
    assert_eq!(trusting("ca.pem").exit, 60);
    guarded.exporter.process.wait_for_log("the change", |log| {
        assert_eq!(log.matches(complaint).count(), 1, "told once:\n{log}");
        log.contains("new connections use the new certificate").then_some(())
    });
}
