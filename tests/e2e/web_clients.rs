//! Client certificates.

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

use crate::{
    prometheus::Prometheus,
    tls_atlas::authority_called,
    web::{Curl, Issue, SecuredExporter, run_exporter, with_certificate, write_pair},
};

/// An exporter that checks client certificates, and the certificates `good`, `other` (of another CA), `expired`, `named`
/// and `address` (with other names), and `own` (self-signed and marked as a CA, as OpenSSL does by default).
fn checking_clients(settings: &str) -> SecuredExporter {
    let (folder, ours) = with_certificate();
    let theirs = authority_called("theirs");
    for (authority, file, name, until) in [
        (&ours, "good", "localhost", 2090),
        (&theirs, "other", "localhost", 2090),
        (&ours, "expired", "localhost", 2021),
        (&ours, "named", "prometheus.example", 2090),
        (&ours, "address", "192.0.2.7", 2090),
    ] {
        Issue { authority, name, until }.write(folder.path(), file);
    }
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["own.example".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    write_pair(folder.path(), "own", &params.self_signed(&key).unwrap().pem(), &key);
    SecuredExporter::start(folder, &format!("tls_server_config: {{TLS, {settings}}}"))
}

fn with(secured: &SecuredExporter, client: &str) -> Curl {
    secured.curl(&["--cert", &format!("{client}.crt"), "--key", &format!("{client}.key")])
}

/// The clients that get a response; the empty one has no certificate.
fn accepted(secured: &SecuredExporter) -> Vec<&'static str> {
    let mut clients = vec!["", "good", "other", "expired", "named", "address", "own"];
    clients.retain(|client| {
        let response = if client.is_empty() { secured.curl(&[]) } else { with(secured, client) };
        assert!(response.status == "200" || response.exit != 0, "{client}: {response:?}");
        response.status == "200"
    });
    clients
}

#[test]
fn a_client_needs_a_certificate_of_the_ca() {
    let secured = checking_clients("client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem");
    assert_eq!(accepted(&secured), ["good", "named", "address"]);
    let target = secured.target();
    Prometheus::scraping_with(&target, &secured.tls_config("ca.pem", Some("good")));
    for (client, expected) in [
        (None, "certificate required"),
        (Some("other"), "unknown certificate authority"),
        (Some("expired"), "expired certificate"),
    ] {
        let error = Prometheus::error_of_scraping(&target, &secured.tls_config("ca.pem", client));
        assert!(error.contains(expected), "{client:?}: {error}");
    }
}

#[test]
fn a_client_needs_a_certificate_of_the_ca_with_tls_1_2() {
    let secured =
        checking_clients("client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem, max_version: TLS12");
    assert_eq!(accepted(&secured), ["good", "named", "address"]);
}

#[test]
fn allowed_names_of_clients_are_case_sensitive() {
    let verified = "client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem, client_allowed_sans";
    assert_eq!(
        accepted(&checking_clients(&format!("{verified}: [prometheus.example, 192.0.2.7]"))),
        ["named", "address"]
    );
    assert_eq!(accepted(&checking_clients(&format!("{verified}: ['*.example', Prometheus.example]"))), [""; 0]);
    let given = "client_auth_type: VerifyClientCertIfGiven, client_ca_file: ca.pem, client_allowed_sans: [localhost]";
    assert_eq!(accepted(&checking_clients(given)), ["good"], "the names require a certificate");
}

#[test]
fn each_client_auth_type_accepts_the_clients_that_it_should() {
    let accepted = |settings: &str| accepted(&checking_clients(&format!("client_auth_type: {settings}")));
    let all = ["", "good", "other", "expired", "named", "address", "own"];
    assert_eq!(accepted("NoClientCert"), all);
    assert_eq!(accepted("RequestClientCert"), all);
    assert_eq!(accepted("RequireAnyClientCert"), all[1..]);
    assert_eq!(accepted("VerifyClientCertIfGiven, client_ca_file: ca.pem"), ["", "good", "named", "address"]);
    assert_eq!(accepted("VerifyClientCertIfGiven, client_ca: none"), [""]);
}

#[test]
fn a_certificate_in_the_list_of_cas_needs_no_ca() {
    let secured = checking_clients("client_auth_type: RequireAndVerifyClientCert, client_ca_file: own.crt");
    assert_eq!(accepted(&secured), ["own"]);
    let secured = checking_clients("client_auth_type: RequireAndVerifyClientCert, client_ca_file: expired.crt");
    assert_eq!(accepted(&secured), [""; 0]);
}

#[test]
fn the_health_check_needs_no_certificate() {
    for version in ["TLS12", "TLS13"] {
        let settings = "client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem, min_version: TLS12";
        let secured = checking_clients(&format!("{settings}, max_version: {version}"));
        let flag = format!("--web.listen-address={}", secured.exporter.address);
        let ended = run_exporter(secured.folder.path(), ["healthcheck", &flag]);
        assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{version}");
    }
}
