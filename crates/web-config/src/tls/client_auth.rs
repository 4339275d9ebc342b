//! What is demanded of a client's certificate.

use std::{net::IpAddr, sync::Arc};

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, UnixTime},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use x509_parser::prelude::{ASN1Time, FromDer, GeneralName, X509Certificate};

use crate::tls::pem::Authorities;

/// `client_auth_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientAuth {
    /// It is not asked for.
    Nothing,
    /// It is asked for. Whether there is one, and whose, is all the same.
    Request,
    /// There must be one, whoever signed it.
    RequireAny,
    /// If there is one, it must be signed by an authority.
    VerifyIfGiven,
    /// There must be one, signed by an authority.
    RequireAndVerify,
}

impl ClientAuth {
    /// `None` for a name that does not exist.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "" | "NoClientCert" => Some(Self::Nothing),
            "RequestClientCert" => Some(Self::Request),
            // The second is an old name for it.
            "RequireAnyClientCert" | "RequireClientCert" => Some(Self::RequireAny),
            "VerifyClientCertIfGiven" => Some(Self::VerifyIfGiven),
            "RequireAndVerifyClientCert" => Some(Self::RequireAndVerify),
            _ => None,
        }
    }

    pub(crate) fn verifies(self) -> bool {
        matches!(self, Self::VerifyIfGiven | Self::RequireAndVerify)
    }

    fn requires(self) -> bool {
        matches!(self, Self::RequireAny | Self::RequireAndVerify)
    }
}

/// Looks at clients' certificates.
#[derive(Debug)]
pub(crate) struct Verifier {
    demand: ClientAuth,
    /// Names of which a certificate must have one.
    sans: Option<Vec<String>>,
    provider: Arc<CryptoProvider>,
    /// Checks who signed; none where nobody could have.
    chains: Option<Arc<dyn ClientCertVerifier>>,
    listed: Vec<CertificateDer<'static>>,
    hints: Vec<DistinguishedName>,
}

impl Verifier {
    pub(crate) fn new(
        demand: ClientAuth,
        sans: Option<Vec<String>>,
        authorities: Authorities,
        provider: Arc<CryptoProvider>,
    ) -> Self {
        let Authorities { roots, listed } = authorities;
        let hints = roots.subjects();
        // It fails where there are no authorities; then none can have signed.
        let chains = WebPkiClientVerifier::builder_with_provider(roots, provider.clone()).build().ok();
        Self { demand, sans, provider, chains, listed, hints }
    }

    fn verify_chain(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let Some(chains) = &self.chains else { return Err(CertificateError::UnknownIssuer.into()) };
        match chains.verify_client_cert(end_entity, intermediates, now) {
            Err(_) if self.listed.contains(end_entity) => verify_listed(end_entity, now),
            verified => verified.map(drop),
        }
    }
}

/// A certificate that is listed itself, as operators with one client and no authority of their own do, is trusted
/// while it is valid and for clients. rustls would take it for an authority's, and refuse it.
fn verify_listed(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let now = i64::try_from(now.as_secs()).ok().and_then(|now| ASN1Time::from_timestamp(now).ok());
    let validity = parsed.validity();
    match now {
        Some(now) if now < validity.not_before => return Err(CertificateError::NotValidYet.into()),
        Some(now) if now <= validity.not_after => {}
        _ => return Err(CertificateError::Expired.into()),
    }
    match parsed.extended_key_usage() {
        Ok(Some(usage)) if !usage.value.client_auth && !usage.value.any => Err(CertificateError::InvalidPurpose.into()),
        Ok(_) => Ok(()),
        Err(_) => Err(CertificateError::BadEncoding.into()),
    }
}

/// Whether a certificate has one of the names: a DNS name, an e-mail address, an IP address or a URI, to the letter.
fn has_one(certificate: &CertificateDer<'_>, allowed: &[String]) -> bool {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return false };
    let Ok(Some(names)) = parsed.subject_alternative_name() else { return false };
    let is_allowed = |name: &str| allowed.iter().any(|allowed| allowed == name);
    names.value.general_names.iter().any(|name| match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => is_allowed(name),
        GeneralName::IPAddress(bytes) => address(bytes).is_some_and(|address| is_allowed(&address.to_string())),
        _ => false,
    })
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let sixteen = || <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    // As Go writes it, an IPv4 address within an IPv6 one is an IPv4 address.
    four.or_else(|_| sixteen()).ok().map(|address| address.to_canonical())
}

impl ClientCertVerifier for Verifier {
    /// With names that are allowed, there must be a certificate to have one of them.
    fn client_auth_mandatory(&self) -> bool {
        self.demand.requires() || self.sans.is_some()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if self.demand.verifies() {
            self.verify_chain(end_entity, intermediates, now)?;
        }
        if self.sans.as_ref().is_some_and(|sans| !has_one(end_entity, sans)) {
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
