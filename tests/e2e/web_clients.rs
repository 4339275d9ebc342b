//! Certificates of clients.

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

use crate::{
    prometheus::Prometheus,
    tls_atlas::authority_called,
    web::{Curl, Guarded, Issue, exporter_says, with_certificate, write_pair},
};

/// An exporter that demands certificates, and clients `good`, `other` (of another authority), `expired`, `named` (a
/// name of its own) and `own` (signed by itself, as OpenSSL makes them: as an authority's).
fn demanding(settings: &str) -> Guarded {
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
    Guarded::start(folder, &format!("tls_server_config: {{TLS, {settings}}}"))
}

fn with(guarded: &Guarded, client: &str) -> Curl {
    guarded.curl(&["--cert", &format!("{client}.crt"), "--key", &format!("{client}.key")])
}

/// Which clients are let in; the empty one has no certificate.
fn let_in(guarded: &Guarded) -> Vec<&'static str> {
    let mut clients = vec!["", "good", "other", "expired", "named", "address", "own"];
    clients.retain(|client| {
        let asked = if client.is_empty() { guarded.curl(&[]) } else { with(guarded, client) };
        assert!(asked.status == "200" || asked.exit != 0, "{client}: {asked:?}");
        asked.status == "200"
    });
    clients
}

#[test]
fn a_certificate_of_an_authority_is_demanded() {
    let guarded = demanding("client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem");
    assert_eq!(let_in(&guarded), ["good", "named", "address"]);
    let target = guarded.target();
    Prometheus::scraping_with(&target, &guarded.tls_config("ca.pem", Some("good")));
    for (client, told) in [
        (None, "certificate required"),
        (Some("other"), "unknown certificate authority"),
        (Some("expired"), "expired certificate"),
    ] {
        let error = Prometheus::error_of_scraping(&target, &guarded.tls_config("ca.pem", client));
        assert!(error.contains(told), "{client:?}: {error}");
    }
}

#[test]
fn the_same_holds_for_tls_1_2() {
    let guarded = demanding("client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem, max_version: TLS12");
    assert_eq!(let_in(&guarded), ["good", "named", "address"]);
}

#[test]
fn names_of_clients_are_allowed_to_the_letter() {
    let verified = "client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem, client_allowed_sans";
    assert_eq!(let_in(&demanding(&format!("{verified}: [prometheus.example, 192.0.2.7]"))), ["named", "address"]);
    assert_eq!(let_in(&demanding(&format!("{verified}: ['*.example', Prometheus.example]"))), [""; 0]);
    let given = "client_auth_type: VerifyClientCertIfGiven, client_ca_file: ca.pem, client_allowed_sans: [localhost]";
    assert_eq!(let_in(&demanding(given)), ["good"], "none is no way around the names");
}

#[test]
fn a_certificate_may_be_wanted_and_not_needed_or_needed_and_not_verified() {
    let let_in = |settings: &str| let_in(&demanding(&format!("client_auth_type: {settings}")));
    let all = ["", "good", "other", "expired", "named", "address", "own"];
    assert_eq!(let_in("NoClientCert"), all);
    assert_eq!(let_in("RequestClientCert"), all);
    assert_eq!(let_in("RequireAnyClientCert"), all[1..]);
    assert_eq!(let_in("VerifyClientCertIfGiven, client_ca_file: ca.pem"), ["", "good", "named", "address"]);
    assert_eq!(let_in("VerifyClientCertIfGiven, client_ca: none"), [""]);
}

#[test]
fn a_certificate_that_is_listed_itself_needs_no_authority() {
    let guarded = demanding("client_auth_type: RequireAndVerifyClientCert, client_ca_file: own.crt");
    assert_eq!(let_in(&guarded), ["own"]);
    let guarded = demanding("client_auth_type: RequireAndVerifyClientCert, client_ca_file: expired.crt");
    assert_eq!(let_in(&guarded), [""; 0]);
}

#[test]
fn a_healthcheck_needs_no_certificate() {
    for version in ["TLS12", "TLS13"] {
        let settings = "client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem, min_version: TLS12";
        let guarded = demanding(&format!("{settings}, max_version: {version}"));
        let flag = format!("--web.listen-address={}", guarded.exporter.address);
        let ended = exporter_says(guarded.folder.path(), ["healthcheck", &flag]);
        assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{version}");
    }
}
