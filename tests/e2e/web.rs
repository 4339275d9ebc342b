//! An exporter with a web config, the certificates for it, and curl as its client.

use std::{fs, path::Path, process::Command};

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};
use tempfile::TempDir;

use crate::{
    process::{Ended, exporter, run},
    setup::{Atlas, Exporter, GROUP, SCENARIO, config, folder, write_config},
    tls_atlas::{Authority, authority},
};

/// bcrypt of `secret`.
pub(crate) const USERS: &str =
    "basic_auth_users: {alice: $2y$05$upTwOesjMmkdqKrxYFB4BeRr4Z8pRnPPOc.GZkjHC7y/uAJIj6lSi}";

/// Seconds until curl gives up.
const CURL_MAX_TIME: &str = "20";

/// An exporter with a web config, its simulator and its files.
pub(crate) struct SecuredExporter {
    pub(crate) folder: TempDir,
    pub(crate) exporter: Exporter,
    _atlas: Atlas,
}

/// A certificate to issue.
pub(crate) struct Issue<'a> {
    pub(crate) authority: &'a Authority,
    pub(crate) name: &'a str,
    pub(crate) until: i32,
}

impl Issue<'_> {
    /// Writes `NAME.crt` and `NAME.key`.
    pub(crate) fn write(&self, folder: &Path, name: &str) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([self.name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(self.until, 1, 1);
        let certificate = params.signed_by(&key, self.authority).unwrap();
        write_pair(folder, name, &certificate.pem(), &key);
    }
}

pub(crate) fn write_pair(folder: &Path, name: &str, certificate: &str, key: &KeyPair) {
    fs::write(folder.join(format!("{name}.crt")), certificate).unwrap();
    fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
}

/// A folder with `server.crt`, its key, and `ca.pem` of its CA.
pub(crate) fn with_certificate() -> (TempDir, Authority) {
    let (folder, authority) = (folder(), authority());
    Issue { authority: &authority, name: "localhost", until: 2090 }.write(folder.path(), "server");
    fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
    (folder, authority)
}

impl SecuredExporter {
    /// Starts an exporter with a web config, in which `{TLS` stands for `{` with the certificate and key of `server`.
    pub(crate) fn start(folder: TempDir, web: &str) -> SecuredExporter {
        let atlas = Atlas::start(folder.path(), SCENARIO);
        write_config(folder.path(), &config(&atlas.url(), &[(GROUP, "payments")]));
        write_web(folder.path(), web);
        let exporter = Exporter::start(folder.path(), ["--web.config.file=web.yml"]);
        SecuredExporter { folder, exporter, _atlas: atlas }
    }

    pub(crate) fn port(&self) -> &str {
        self.exporter.address.rsplit_once(':').unwrap().1
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port())
    }

    /// The target for Prometheus, by the name in the certificate.
    pub(crate) fn target(&self) -> String {
        format!("localhost:{}", self.port())
    }

    /// The TLS settings of a scrape config, with a client certificate if there is one.
    pub(crate) fn tls_config(&self, ca: &str, client: Option<&str>) -> String {
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        let client = client.map(|name| {
            format!(", cert_file: {}, key_file: {}", file(&format!("{name}.crt")), file(&format!("{name}.key")))
        });
        format!("scheme: https, tls_config: {{ca_file: {}{}}}", file(ca), client.unwrap_or_default())
    }

    /// Requests `/-/healthy` over TLS, trusting `ca.pem`.
    pub(crate) fn curl(&self, arguments: &[&str]) -> Curl {
        self.curl_at("/-/healthy", arguments)
    }

    pub(crate) fn curl_at(&self, path: &str, arguments: &[&str]) -> Curl {
        let url = self.url(path);
        let all: Vec<&str> =
            ["--cacert", "ca.pem"].into_iter().chain(arguments.iter().copied()).chain([&*url]).collect();
        curl(self.folder.path(), &all)
    }
}

pub(crate) fn write_web(folder: &Path, web: &str) {
    fs::write(folder.join("web.yml"), web.replace("{TLS", "{cert_file: server.crt, key_file: server.key")).unwrap();
}

/// The result of a request by curl.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Curl {
    /// Zero if there was a response; 60 if the server is not trusted.
    pub(crate) exit: i32,
    pub(crate) status: String,
    pub(crate) version: String,
    /// The headers and the body, or the error of curl.
    pub(crate) text: String,
}

pub(crate) fn curl(folder: &Path, arguments: &[&str]) -> Curl {
    let mut command = Command::new("curl");
    command.current_dir(folder).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
        .args(["-q", "-sS", "-i", "--max-time", CURL_MAX_TIME, "-w", "\n%{http_code} %{http_version}"])
        .args(arguments);
    let ended = run(command);
    let (text, end) = ended.stdout.rsplit_once('\n').unwrap_or(("", &ended.stdout));
    let (status, version) = end.split_once(' ').unwrap_or_default();
    let text = if ended.status == Some(0) { text.to_owned() } else { ended.stderr.clone() };
    Curl { exit: ended.status.unwrap(), status: status.to_owned(), version: version.to_owned(), text }
}

/// Runs a command of the exporter in a folder.
pub(crate) fn run_exporter<const N: usize>(folder: &Path, arguments: [&str; N]) -> Ended {
    run(exporter(folder, arguments))
}
