//! Checks clients' certificates.

use std::{net::IpAddr, sync::Arc};

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::client_cas::ClientCas;

/// `client_auth_type`, by its names in Go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString)]
pub(crate) enum ClientAuth {
    /// No certificate is requested.
    NoClientCert,
    /// A certificate is requested, but neither required nor checked.
    RequestClientCert,
    /// A certificate is required, signed by anyone. The second is its former name.
    #[strum(serialize = "RequireAnyClientCert", serialize = "RequireClientCert")]
    RequireAnyClientCert,
    /// A certificate is optional, but must be signed by a CA.
    VerifyClientCertIfGiven,
    /// A certificate is required, signed by a CA.
    RequireAndVerifyClientCert,
}

impl ClientAuth {
    pub(crate) fn verifies(self) -> bool {
        matches!(self, Self::VerifyClientCertIfGiven | Self::RequireAndVerifyClientCert)
    }

    fn requires(self) -> bool {
        matches!(self, Self::RequireAnyClientCert | Self::RequireAndVerifyClientCert)
    }
}

#[derive(Debug)]
pub(crate) struct ClientVerifier {
    client_auth: ClientAuth,
    /// A certificate must have one of these names.
    allowed_sans: Option<Vec<String>>,
    cas: ClientCas,
    provider: Arc<CryptoProvider>,
}

impl ClientVerifier {
    pub(crate) fn new(
        client_auth: ClientAuth,
        allowed_sans: Option<Vec<String>>,
        cas: ClientCas,
        provider: Arc<CryptoProvider>,
    ) -> Self {
        Self { client_auth, allowed_sans, cas, provider }
    }
}

/// Whether a certificate has one of the names as a DNS name, an email address, an IP address or a URI. Case matters.
fn has_one(certificate: &CertificateDer<'_>, allowed: &[String]) -> bool {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return false };
    let Ok(Some(names)) = parsed.subject_alternative_name() else { return false };
    let is_allowed = |name: &str| allowed.iter().any(|allowed| allowed == name);
    names.value.general_names.iter().any(|name| match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) => is_allowed(name),
        GeneralName::URI(uri) => is_allowed(&with_lower_scheme(uri)),
        GeneralName::IPAddress(bytes) => address(bytes).is_some_and(|address| is_allowed(&address.to_string())),
        _ => false,
    })
}

/// A URI as Go formats it.
fn with_lower_scheme(uri: &str) -> String {
    let scheme = uri.find(':').unwrap_or(0);
    uri[..scheme].to_ascii_lowercase() + &uri[scheme..]
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    // Go writes an IPv4-mapped IPv6 address as an IPv4 address.
    v4.or_else(|_| v6()).ok().map(|address| address.to_canonical())
}

impl ClientCertVerifier for ClientVerifier {
    /// A list of allowed names requires a certificate in each mode.
    fn client_auth_mandatory(&self) -> bool {
        self.client_auth.requires() || self.allowed_sans.is_some()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.cas.subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if self.client_auth.verifies() {
            let algorithms = self.provider.signature_verification_algorithms.all;
            self.cas.verify(end_entity, intermediates, now, algorithms)?;
        }
        if self.allowed_sans.as_ref().is_some_and(|sans| !has_one(end_entity, sans)) {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
