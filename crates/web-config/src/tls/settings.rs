//! The settings of a TLS server, and the rustls config that they make with the contents of the files.

use std::{path::Path, sync::Arc};

use file_reader::{READABLE_BY_OTHERS, is_readable_by_others};
use rustls::{
    ServerConfig,
    server::{NoServerSessionStorage, WebPkiClientVerifier},
    sign::SingleCertAndKey,
};

use super::{
    client_auth::{ClientAuth, ClientVerifier},
    client_cas::ClientCas,
    files::{PemSource, PemSources, TlsFiles},
    names::{TlsNames, TlsParameters},
    pem,
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

impl TlsSettings {
    /// Parses the section. `None` means that TLS is off, or that there are faults.
    pub(crate) fn parse(section: &mut Section<'_>, folder: &Path, http2: bool) -> Option<Self> {
        let certificate = PemSource::take(section, ["cert_file", "cert"], folder);
        let key = PemSource::take(section, ["key_file", "key"], folder);
        let client_cas = PemSource::take(section, ["client_ca_file", "client_ca"], folder);
        let client_auth_type = go_yaml::text(section, "client_auth_type");
        let names = TlsNames::take(section);
        let prefer_server_ciphers = go_yaml::boolean(section, "prefer_server_cipher_suites", true);
        let allowed_sans = go_yaml::list(section, "client_allowed_sans");
        section.finish();
        let missing = [certificate.is_none(), key.is_none()];
        // Any of these keys turns TLS on in the toolkit; the others alone have no effect.
        if missing == [true, true] && client_cas.is_none() && client_auth_type.is_none() {
            if !section.is_empty() {
                section.warn_here("has no effect: TLS is off without a certificate and a key, as in the toolkit");
            }
            return None;
        }
        let client_auth = client_auth(section, client_auth_type.as_deref(), client_cas.is_some());
        if let Some(sans) = &allowed_sans {
            warn_of_sans(section, sans, client_auth);
        }
        let parameters = names.parameters(section, http2);
        for (_, keys) in
            missing.into_iter().zip(["cert_file or cert", "key_file or key"]).filter(|(missing, _)| *missing)
        {
            section.fault_here(format!("{keys} is required"));
        }
        let protocols: &[&str] = if http2 { &["h2", "http/1.1"] } else { &["http/1.1"] };
        Some(Self {
            sources: PemSources { certificate: certificate?, key: key?, client_cas },
            parameters,
            prefer_server_ciphers,
            client_auth,
            allowed_sans,
            alpn_protocols: protocols.iter().map(|name| name.as_bytes().to_vec()).collect(),
        })
    }

    /// The rustls config with the contents of the files.
    pub(crate) fn server_config(&self, files: &TlsFiles) -> Result<ServerConfig, ConfigFault> {
        let certified_key = pem::certified_key(&self.sources, files, self.parameters.provider.key_provider)?;
        let builder = ServerConfig::builder_with_provider(self.parameters.provider.clone());
        let builder = builder.with_protocol_versions(&self.parameters.versions);
        let builder = builder.map_err(|error| self.sources.certificate.fault(error.to_string()))?;
        let verifier = match self.client_auth {
            ClientAuth::NoClientCert => WebPkiClientVerifier::no_client_auth(),
            _ => {
                let (sans, provider) = (self.allowed_sans.clone(), self.parameters.provider.clone());
                Arc::new(ClientVerifier::new(self.client_auth, sans, self.client_cas(files), provider))
            }
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

    fn client_cas(&self, files: &TlsFiles) -> ClientCas {
        match &files.client_cas {
            Some(pem) => ClientCas::from_pem(pem),
            None if self.client_auth.verifies() => ClientCas::of_system(),
            None => ClientCas::default(),
        }
    }

    /// Warns about a private key that others can read, and about client CAs that have no effect or an unexpected one.
    /// The toolkit does not report these.
    pub(crate) fn warn(&self, section: &Section<'_>, files: &TlsFiles) {
        if self.sources.key.path().is_some_and(is_readable_by_others) {
            section.warn(self.sources.key.key, READABLE_BY_OTHERS);
        }
        let cas = self.client_cas(files);
        let source = self.sources.client_cas.as_ref();
        let key = source.map_or("client_auth_type", |source| source.key);
        if source.is_some() && cas.unusable() > 0 {
            section.warn(key, format!("unusable certificates, which are ignored: {}", cas.unusable()));
        }
        if !self.client_auth.verifies() {
            return;
        }
        if source.is_some() && cas.not_signing() > 0 {
            let message = "CAs that may not sign client certificates because of their key usage or extended key usage";
            section.warn(key, format!("{message}: {}", cas.not_signing()));
        }
        if cas.is_empty() {
            section.warn(key, "no CA certificate was found, so every client certificate is rejected");
        } else if source.is_none() {
            section.warn(key, "without a client CA, every client with a certificate from a public CA is accepted");
        }
    }
}

fn client_auth(section: &Section<'_>, name: Option<&str>, has_client_cas: bool) -> ClientAuth {
    let parsed = name.map_or(Ok(ClientAuth::NoClientCert), str::parse);
    match parsed {
        Err(_) => section.fault(
            "client_auth_type",
            "must be `NoClientCert`, `RequestClientCert`, `RequireAnyClientCert`, `VerifyClientCertIfGiven` or \
             `RequireAndVerifyClientCert`",
        ),
        Ok(ClientAuth::NoClientCert) if has_client_cas => {
            section.fault("client_auth_type", "must request a client certificate if there is a client CA");
        }
        Ok(_) => {}
    }
    parsed.unwrap_or(ClientAuth::NoClientCert)
}

fn warn_of_sans(section: &Section<'_>, sans: &[String], client_auth: ClientAuth) {
    let message = match client_auth {
        ClientAuth::NoClientCert => "has no effect: `client_auth_type` requests no client certificate",
        ClientAuth::RequestClientCert | ClientAuth::RequireAnyClientCert => {
            "proves nothing: `client_auth_type` accepts self-signed client certificates"
        }
        _ if sans.is_empty() => "is empty, so every client is rejected, as in the toolkit",
        _ => return,
    };
    section.warn("client_allowed_sans", message);
}
