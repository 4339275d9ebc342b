//! TLS of the server: certificates, their reload, versions and ciphers.

use std::fs;

use crate::{
    http::get,
    process::wait_for,
    prometheus::Prometheus,
    tls_atlas::authority_called,
    web::{Issue, SecuredExporter, curl, with_certificate},
};

#[test]
fn curl_and_prometheus_connect_over_tls() {
    let (folder, _authority) = with_certificate();
    let secured = SecuredExporter::start(folder, "tls_server_config: {TLS}");
    let page = secured.curl_at("/metrics", &[]);
    assert_eq!((page.exit, page.status.as_str(), page.version.as_str()), (0, "200", "2"), "{}", page.text);
    assert!(page.text.contains("mongodbatlas_peering_exporter_build_info"), "{}", page.text);
    let prometheus = Prometheus::scraping_with(&secured.target(), &secured.tls_config("ca.pem", None));
    wait_for("peerings", || {
        (prometheus.value("count(mongodbatlas_network_peering_status)").as_deref() == Some("6")).then_some(())
    });
    assert_eq!(prometheus.last_error(), "");
}

#[test]
fn a_server_certificate_of_another_ca_is_not_trusted() {
    let (folder, _authority) = with_certificate();
    fs::write(folder.path().join("other.pem"), authority_called("theirs").pem()).unwrap();
    let secured = SecuredExporter::start(folder, "tls_server_config: {TLS}");
    let response = curl(secured.folder.path(), &["--cacert", "other.pem", &secured.url("/metrics")]);
    assert_eq!(response.exit, 60, "{}", response.text);
    let error = Prometheus::error_of_scraping(&secured.target(), &secured.tls_config("other.pem", None));
    assert!(error.contains("certificate signed by unknown authority"), "{error}");
}

#[test]
fn an_expired_server_certificate_is_not_trusted() {
    let (folder, authority) = with_certificate();
    Issue { authority: &authority, name: "localhost", until: 2021 }.write(folder.path(), "server");
    let secured = SecuredExporter::start(folder, "tls_server_config: {TLS}");
    let response = secured.curl(&[]);
    assert!(response.exit == 60 && response.text.contains("expired"), "{response:?}");
    let error = Prometheus::error_of_scraping(&secured.target(), &secured.tls_config("ca.pem", None));
    assert!(error.contains("certificate has expired"), "{error}");
}

#[test]
fn http2_is_used_unless_it_is_off_and_never_without_tls() {
    let (folder, _authority) = with_certificate();
    let secured = SecuredExporter::start(folder, "tls_server_config: {TLS}\nhttp_server_config: {http2: false}");
    assert_eq!(secured.curl(&[]).version, "1.1");
    let (folder, _authority) = with_certificate();
    let secured = SecuredExporter::start(folder, "tls_server_config: {TLS}\nhttp_server_config: {http2: true}");
    assert_eq!(secured.curl(&[]).version, "2");
    assert_eq!(secured.curl(&["--http1.1"]).version, "1.1");
    let (folder, _authority) = with_certificate();
    let plain = SecuredExporter::start(folder, "http_server_config: {http2: true}");
    let url = format!("http://{}/-/healthy", plain.exporter.address);
    assert_eq!(curl(plain.folder.path(), &[&url]).version, "1.1");
    assert_ne!(curl(plain.folder.path(), &["--http2-prior-knowledge", &url]).exit, 0);
}

#[test]
fn versions_ciphers_and_curves_follow_the_file() {
    let (folder, _authority) = with_certificate();
    let secured =
        SecuredExporter::start(folder, "tls_server_config: {TLS, min_version: TLS13, curve_preferences: [CurveP384]}");
    assert_eq!(secured.curl(&["--tlsv1.3"]).status, "200");
    assert_eq!(secured.curl(&["--tls-max", "1.2"]).exit, 35);
    assert_eq!(secured.curl(&["--curves", "P-384"]).status, "200");
    assert_eq!(secured.curl(&["--curves", "P-256"]).exit, 35);
    let (folder, _authority) = with_certificate();
    let suites = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA";
    let web = format!("tls_server_config: {{TLS, max_version: TLS12, cipher_suites: [{suites}]}}");
    let secured = SecuredExporter::start(folder, &web);
    secured.exporter.process.wait_for_log("the cipher that rustls does not support", |log| {
        log.contains("cipher_suites: `TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA` is ignored").then_some(())
    });
    assert_eq!(secured.curl(&["--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256"]).status, "200");
    assert_eq!(secured.curl(&["--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384"]).exit, 35);
    assert_eq!(secured.curl(&["--tlsv1.3"]).exit, 35);
    let (folder, _authority) = with_certificate();
    let web = "tls_server_config: {TLS, min_version: TLS13, cipher_suites: [TLS_AES_256_GCM_SHA384]}";
    let secured = SecuredExporter::start(folder, web);
    assert_eq!(secured.curl(&["--tls13-ciphers", "TLS_AES_256_GCM_SHA384"]).status, "200");
    assert_eq!(secured.curl(&["--tls13-ciphers", "TLS_AES_128_GCM_SHA256"]).exit, 35);
}

#[test]
fn a_client_without_tls_gets_a_message() {
    let (folder, _authority) = with_certificate();
    let secured = SecuredExporter::start(folder, "tls_server_config: {TLS}");
    let answer = get(&secured.exporter.address, "/metrics");
    assert_eq!((answer.status, answer.text()), (400, "Client sent an HTTP request to an HTTPS server.\n"));
}

#[test]
fn a_replaced_certificate_is_served_and_a_bad_one_is_not() {
    let (folder, _authority) = with_certificate();
    let secured = SecuredExporter::start(folder, "tls_server_config: {TLS}");
    let at = |name: &str| secured.folder.path().join(name);
    let new = authority_called("a new authority");
    fs::write(at("new.pem"), new.pem()).unwrap();
    fs::write(at("both.pem"), format!("{}{}", fs::read_to_string(at("ca.pem")).unwrap(), new.pem())).unwrap();
    let trusting = |ca: &str| curl(secured.folder.path(), &["--cacert", ca, &secured.url("/-/healthy")]);
    assert_eq!((trusting("ca.pem").status.as_str(), trusting("new.pem").exit), ("200", 60));

    // Only the certificate, as between two copy commands.
    Issue { authority: &new, name: "localhost", until: 2090 }.write(secured.folder.path(), "new");
    fs::copy(at("new.crt"), at("server.crt")).unwrap();
    let warning = "new connections use the previous certificate: tls_server_config.key_file: does not belong to";
    wait_for("the warning", || {
        assert_eq!(trusting("ca.pem").status, "200", "the previous certificate stays");
        secured.exporter.process.wait_for_log("anything", |log| Some(log.contains(warning))).then_some(())
    });
    fs::remove_file(at("server.key")).unwrap();
    wait_for("another warning", || {
        assert_eq!(trusting("ca.pem").status, "200", "the previous certificate stays");
        let gone = "server.key` cannot be read: No such file";
        secured.exporter.process.wait_for_log("anything", |log| Some(log.contains(gone))).then_some(())
    });
    fs::copy(at("new.key"), at("server.key")).unwrap();
    wait_for("the new certificate", || {
        let response = trusting("both.pem");
        assert_eq!(response.status, "200", "there is always a certificate: {}", response.text);
        (trusting("new.pem").status == "200").then_some(())
    });
    assert_eq!(trusting("ca.pem").exit, 60);
    secured.exporter.process.wait_for_log("the change", |log| {
        assert_eq!(log.matches(warning).count(), 1, "logged once:\n{log}");
        log.contains("new connections use the new certificate").then_some(())
    });
}
