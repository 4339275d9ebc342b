//! `tls_server_config`: what becomes of it for rustls.

pub(crate) mod client_auth;
pub(crate) mod files;
pub(crate) mod names;
pub(crate) mod pem;
pub(crate) mod reload;

use std::{path::Path, sync::Arc};

use rustls::{
    ServerConfig,
    crypto::CryptoProvider,
    server::{NoServerSessionStorage, WebPkiClientVerifier},
    sign::SingleCertAndKey,
};

use crate::{
    go_yaml,
    tls::client_auth::{ClientAuth, Verifier},
    tls::files::{Source, Sources, TlsFiles},
    tls::names::Names,
    tls::pem::{Authorities, Unusable},
    tls::reload::CertReloader,
};
use yaml_reader::{ConfigFault, ConfigFaults, Section};

/// What stays while certificates come and go.
pub(crate) struct Settings {
    pub(crate) sources: Sources,
    provider: Arc<CryptoProvider>,
    versions: Vec<&'static rustls::SupportedProtocolVersion>,
    prefer_own_order: bool,
    demand: ClientAuth,
    sans: Option<Vec<String>>,
    protocols: Vec<Vec<u8>>,
}

/// What the section says.
struct Said {
    certificate: Option<Source>,
    key: Option<Source>,
    authorities: Option<Source>,
    auth_type: Option<String>,
    names: Names,
    prefer_own_order: bool,
    sans: Option<Vec<String>>,
}

/// Parses the section. `None` means that TLS is off, or that there are faults.
pub(crate) fn parse(
    mut section: Section<'_>,
    folder: &Path,
    http2: bool,
    warnings: &ConfigFaults,
) -> Option<CertReloader> {
    let is_empty = section.is_empty();
    let said = Said::take(&mut section, folder, warnings);
    section.end();
    if said.has_tls() {
        let settings = said.settle(&section, http2, warnings)?;
        let renewal = settings.sources.read().and_then(|material| {
            settings.warn(&material, warnings);
            CertReloader::new(settings, &material)
        });
        return section.take_over(renewal);
    }
    if !is_empty {
        let message = "has no effect: no certificate and no key is named, so TLS is off, as with the toolkit";
        warnings.note(section.path(), message);
    }
    None
}

impl Said {
    fn take(section: &mut Section<'_>, folder: &Path, warnings: &ConfigFaults) -> Self {
        Self {
            certificate: Source::take(section, ["cert_file", "cert"], folder, warnings),
            key: Source::take(section, ["key_file", "key"], folder, warnings),
            authorities: Source::take(section, ["client_ca_file", "client_ca"], folder, warnings),
            auth_type: go_yaml::text(section, "client_auth_type"),
            names: Names::take(section),
            prefer_own_order: go_yaml::flag(section, "prefer_server_cipher_suites", true),
            sans: go_yaml::list(section, "client_allowed_sans"),
        }
    }

    /// With the toolkit, one of these turns TLS on, and any other key does nothing without.
    fn has_tls(&self) -> bool {
        self.certificate.is_some() || self.key.is_some() || self.authorities.is_some() || self.auth_type.is_some()
    }

    fn settle(self, section: &Section<'_>, http2: bool, warnings: &ConfigFaults) -> Option<Settings> {
        let demand = demand(section, self.auth_type.as_deref().unwrap_or_default(), self.authorities.is_some());
        if let Some(sans) = &self.sans {
            warn_of_sans(section, sans, demand, warnings);
        }
        let speech = self.names.speech(section, http2, warnings);
        for (source, keys) in [(&self.certificate, "cert_file or cert"), (&self.key, "key_file or key")] {
            if source.is_none() {
                section.fault_here(format!("{keys} is needed"));
            }
        }
        let protocols: &[&str] = if http2 { &["h2", "http/1.1"] } else { &["http/1.1"] };
        Some(Settings {
            sources: Sources { certificate: self.certificate?, key: self.key?, authorities: self.authorities },
            provider: Arc::new(speech.provider),
            versions: speech.versions,
            prefer_own_order: self.prefer_own_order,
            demand,
            sans: self.sans,
            protocols: protocols.iter().map(|name| name.as_bytes().to_vec()).collect(),
        })
    }
}

fn demand(section: &Section<'_>, name: &str, has_authorities: bool) -> ClientAuth {
    let Some(demand) = ClientAuth::parse(name) else {
        section.fault(
            "client_auth_type",
            "must be `NoClientCert`, `RequestClientCert`, `RequireAnyClientCert`, `VerifyClientCertIfGiven` or \
             `RequireAndVerifyClientCert`",
        );
        return ClientAuth::Nothing;
    };
    if demand == ClientAuth::Nothing && has_authorities {
        section.fault("client_auth_type", "must demand a certificate of clients where there is a client CA");
    }
    demand
}

fn warn_of_sans(section: &Section<'_>, sans: &[String], demand: ClientAuth, warnings: &ConfigFaults) {
    let path = section.path_of("client_allowed_sans");
    match demand {
        ClientAuth::Nothing => {
            warnings.note(path, "has no effect: `client_auth_type` demands no certificate of clients")
        }
        ClientAuth::Request | ClientAuth::RequireAny => {
            warnings.note(path, "proves nothing: `client_auth_type` lets clients sign their certificates themselves");
        }
        _ if sans.is_empty() => warnings.note(path, "is empty, so every client is refused, as with the toolkit"),
        _ => {}
    }
}

impl Settings {
    /// A server with what the files hold.
    pub(crate) fn server(&self, material: &TlsFiles) -> Result<ServerConfig, ConfigFault> {
        let keys = self.provider.key_provider;
        let certified = pem::certified(&material.certificate, &material.key, keys).map_err(|error| match error {
            Unusable::Certificate(message) => self.sources.certificate.fault(message),
            Unusable::Key(message) => self.sources.key.fault(message),
        })?;
        let builder = ServerConfig::builder_with_provider(self.provider.clone());
        let builder = builder.with_protocol_versions(&self.versions);
        let builder = builder.map_err(|error| self.sources.certificate.fault(error.to_string()))?;
        let verifier = match self.demand {
            ClientAuth::Nothing => WebPkiClientVerifier::no_client_auth(),
            _ => Arc::new(self.verifier(material)),
        };
        let builder = builder.with_client_cert_verifier(verifier);
        let mut server = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        server.alpn_protocols.clone_from(&self.protocols);
        server.ignore_client_order = self.prefer_own_order;
        // Each handshake is a whole one, so that nobody outlives a certificate. Scrapers keep their connections.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        Ok(server)
    }

    fn verifier(&self, material: &TlsFiles) -> Verifier {
        let (authorities, _) = self.authorities(material);
        Verifier::new(self.demand, self.sans.clone(), authorities, self.provider.clone())
    }

    fn authorities(&self, material: &TlsFiles) -> (Authorities, usize) {
        match &material.authorities {
            Some(pem) => pem::authorities(pem),
            None if self.demand.verifies() => (pem::of_the_system(), 0),
            None => pem::authorities(b""),
        }
    }

    /// What the toolkit says nothing about.
    fn warn(&self, material: &TlsFiles, warnings: &ConfigFaults) {
        let (authorities, unusable) = self.authorities(material);
        let path =
            self.sources.authorities.as_ref().map_or("tls_server_config.client_auth_type", |source| &source.path);
        if unusable > 0 {
            warnings.note(path.to_owned(), format!("{unusable} certificates cannot be used and are left out"));
        }
        if !self.demand.verifies() {
            return;
        }
        if authorities.roots.is_empty() {
            warnings.note(path.to_owned(), "there is no authority, so no certificate of a client is accepted");
        } else if self.sources.authorities.is_none() {
            let message = "without a client CA, whoever has a certificate of a public authority is let in";
            warnings.note(path.to_owned(), message);
        }
    }
}
