//! The settings of a TLS server, and the rustls config that they make with the contents of the files.

use std::{path::Path, sync::Arc};

use rustls::{
    ServerConfig,
    server::{NoServerSessionStorage, WebPkiClientVerifier},
    sign::SingleCertAndKey,
};

use super::{
    client_auth::{ClientAuth, ClientVerifier},
    files::{PemSource, PemSources, TlsFiles},
    names::{TlsNames, TlsParameters},
    pem::{self, ClientCas},
};
use crate::go_yaml;
use yaml_reader::{ConfigFault, Section};

/// What stays the same when the files change.
pub(crate) struct TlsSettings {
    pub(crate) sources: PemSources,
    parameters: TlsParameters,
    prefer_server_ciphers: bool,
    client_auth: ClientAuth,
    allowed_sans: Option<Vec<String>>,
    alpn_protocols: Vec<Vec<u8>>,
}

/// The keys of the section, before they are checked against each other.
pub(crate) struct RawTls {
    certificate: Option<PemSource>,
    key: Option<PemSource>,
    client_cas: Option<PemSource>,
    client_auth_type: Option<String>,
    names: TlsNames,
    prefer_server_ciphers: bool,
    allowed_sans: Option<Vec<String>>,
}

impl RawTls {
    pub(crate) fn take(section: &mut Section<'_>, folder: &Path) -> Self {
        Self {
            certificate: PemSource::take(section, ["cert_file", "cert"], folder),
            key: PemSource::take(section, ["key_file", "key"], folder),
            client_cas: PemSource::take(section, ["client_ca_file", "client_ca"], folder),
            client_auth_type: go_yaml::text(section, "client_auth_type"),
            names: TlsNames::take(section),
            prefer_server_ciphers: go_yaml::boolean(section, "prefer_server_cipher_suites", true),
            allowed_sans: go_yaml::list(section, "client_allowed_sans"),
        }
    }

    /// Any of these keys turns TLS on in the toolkit; the others alone have no effect.
    pub(crate) fn enables_tls(&self) -> bool {
        let sources = [&self.certificate, &self.key, &self.client_cas];
        sources.iter().any(|source| source.is_some()) || self.client_auth_type.is_some()
    }

    pub(crate) fn resolve(self, section: &Section<'_>, http2: bool) -> Option<TlsSettings> {
        let client_auth = self.client_auth(section);
        if let Some(sans) = &self.allowed_sans {
            warn_of_sans(section, sans, client_auth);
        }
        let parameters = self.names.parameters(section, http2);
        for (source, keys) in [(&self.certificate, "cert_file or cert"), (&self.key, "key_file or key")] {
            if source.is_none() {
                section.fault_here(format!("{keys} is required"));
            }
        }
        let protocols: &[&str] = if http2 { &["h2", "http/1.1"] } else { &["http/1.1"] };
        Some(TlsSettings {
            sources: PemSources { certificate: self.certificate?, key: self.key?, client_cas: self.client_cas },
            parameters,
            prefer_server_ciphers: self.prefer_server_ciphers,
            client_auth,
            allowed_sans: self.allowed_sans,
            alpn_protocols: protocols.iter().map(|name| name.as_bytes().to_vec()).collect(),
        })
    }

    fn client_auth(&self, section: &Section<'_>) -> ClientAuth {
        let parsed = ClientAuth::parse(self.client_auth_type.as_deref().unwrap_or_default());
        match parsed {
            None => section.fault(
                "client_auth_type",
                "must be `NoClientCert`, `RequestClientCert`, `RequireAnyClientCert`, `VerifyClientCertIfGiven` or \
                 `RequireAndVerifyClientCert`",
            ),
            Some(ClientAuth::Off) if self.client_cas.is_some() => {
                section.fault("client_auth_type", "must request a client certificate if there is a client CA");
            }
            Some(_) => {}
        }
        parsed.unwrap_or(ClientAuth::Off)
    }
}

fn warn_of_sans(section: &Section<'_>, sans: &[String], client_auth: ClientAuth) {
    let message = match client_auth {
        ClientAuth::Off => "has no effect: `client_auth_type` requests no client certificate",
        ClientAuth::Request | ClientAuth::RequireAny => {
            "proves nothing: `client_auth_type` accepts self-signed client certificates"
        }
        _ if sans.is_empty() => "is empty, so every client is rejected, as in the toolkit",
        _ => return,
    };
    section.warn("client_allowed_sans", message);
}

impl TlsSettings {
    /// The rustls config with the contents of the files.
    pub(crate) fn server_config(&self, files: &TlsFiles) -> Result<ServerConfig, ConfigFault> {
        let certified_key = pem::certified_key(&self.sources, files, self.parameters.provider.key_provider)?;
        let builder = ServerConfig::builder_with_provider(self.parameters.provider.clone());
        let builder = builder.with_protocol_versions(&self.parameters.versions);
        let builder = builder.map_err(|error| self.sources.certificate.fault(error.to_string()))?;
        let verifier = match self.client_auth {
            ClientAuth::Off => WebPkiClientVerifier::no_client_auth(),
            _ => Arc::new(self.verifier(files)),
        };
        let builder = builder.with_client_cert_verifier(verifier);
        let mut server = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified_key)));
        server.alpn_protocols.clone_from(&self.alpn_protocols);
        server.ignore_client_order = self.prefer_server_ciphers;
        // Without resumption, so that each new connection checks the certificates. Scrapers keep their connections.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        Ok(server)
    }

    fn verifier(&self, files: &TlsFiles) -> ClientVerifier {
        let (cas, _) = self.client_cas(files);
        ClientVerifier::new(self.client_auth, self.allowed_sans.clone(), cas, self.parameters.provider.clone())
    }

    fn client_cas(&self, files: &TlsFiles) -> (ClientCas, usize) {
        match &files.client_cas {
            Some(pem) => pem::client_cas(pem),
            None if self.client_auth.verifies() => (pem::system_cas(), 0),
            None => pem::client_cas(b""),
        }
    }

    /// Warns of client CAs that have no effect or another one than expected, which the toolkit does not report.
    pub(crate) fn warn(&self, section: &Section<'_>, files: &TlsFiles) {
        let (cas, unusable) = self.client_cas(files);
        let key = self.sources.client_cas.as_ref().map_or("client_auth_type", |source| source.key);
        if unusable > 0 {
            section.warn(key, format!("{unusable} certificates cannot be used and are ignored"));
        }
        if !self.client_auth.verifies() {
            return;
        }
        if cas.roots.is_empty() {
            section.warn(key, "no CA certificate was found, so every client certificate is rejected");
        } else if self.sources.client_cas.is_none() {
            section.warn(key, "without a client CA, every client with a certificate from a public CA is accepted");
        }
    }
}
