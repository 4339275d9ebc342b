//! The client CAs, and which client certificates they accept: those that Go's crypto/x509 accepts, or fewer.

use std::{sync::Arc, time::Duration};

use rustls::{
    CertificateError, DistinguishedName, OtherError,
    pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime, pem::PemObject},
};
use webpki::{
    EndEntityCert, Error, ExtendedKeyUsageValidator, KeyPurposeIdIter, KeyUsage, RequiredEkuNotFoundContext,
    VerifiedPath, anchor_from_trusted_cert,
};
use x509_parser::{
    oid_registry::OID_X509_EXT_SUBJECT_ALT_NAME,
    prelude::{FromDer, GeneralName, X509Certificate},
};

/// The maximum size of the CA names in a handshake, in bytes. TLS allows 65,535.
const MAX_SUBJECTS_SIZE: usize = 32 << 10;

/// The certificates of `client_ca_file`, or of the system.
#[derive(Debug, Default)]
pub(crate) struct ClientCas {
    /// A client certificate in this list needs no CA.
    listed: Vec<CertificateDer<'static>>,
    subjects: Vec<DistinguishedName>,
    /// The CAs that may sign, as webpki needs them.
    anchors: Vec<TrustAnchor<'static>>,
    /// The index in `listed` of each anchor. An anchor has no validity period and no path length.
    anchor_indexes: Vec<usize>,
    unusable: usize,
    not_signing: usize,
}

impl ClientCas {
    /// The certificates of a file. As in the toolkit, those that cannot be used are ignored.
    pub(crate) fn from_pem(pem: &[u8]) -> Self {
        let mut cas = Self::default();
        for item in CertificateDer::pem_slice_iter(pem) {
            let Ok(certificate) = item else {
                // The rest of a file is not read after text that is not PEM.
                cas.unusable += 1;
                break;
            };
            cas.add(certificate);
        }
        cas
    }

    /// The certificates of the system, for a web config that verifies client certificates without a client CA.
    pub(crate) fn of_system() -> Self {
        let mut cas = Self::default();
        rustls_native_certs::load_native_certs().certs.into_iter().for_each(|certificate| cas.add(certificate));
        cas
    }

    fn add(&mut self, certificate: CertificateDer<'static>) {
        let added = self.try_add(&certificate);
        match added {
            Ok(()) => self.listed.push(certificate),
            Err(_) => self.unusable += 1,
        }
    }

    /// An expired CA is added too: its validity is checked at each handshake.
    fn try_add(&mut self, certificate: &CertificateDer<'static>) -> Result<(), Error> {
        // Fails unless it is version 3 without an unsupported critical extension.
        EndEntityCert::try_from(certificate)?;
        let parsed = parse(certificate)?;
        if check_signs(&parsed).and_then(|()| check_every(&parsed)).is_ok() {
            self.anchors.push(anchor_from_trusted_cert(certificate)?.to_owned());
            self.anchor_indexes.push(self.listed.len());
        } else if parsed.is_ca() {
            self.not_signing += 1;
        }
        self.subjects.push(parsed.subject().as_raw().to_vec().into());
        Ok(())
    }

    /// Whether no certificate could be used.
    pub(crate) fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// The number of certificates that were ignored.
    pub(crate) fn unusable(&self) -> usize {
        self.unusable
    }

    /// The number of CAs that may not sign client certificates.
    pub(crate) fn not_signing(&self) -> usize {
        self.not_signing
    }

    /// The names of the certificates, by which a client chooses its own. Empty if they do not fit into a handshake.
    pub(crate) fn subjects(&self) -> &[DistinguishedName] {
        let size: usize = self.subjects.iter().map(|subject| 2 + subject.as_ref().len()).sum();
        if size > MAX_SUBJECTS_SIZE { &[] } else { &self.subjects }
    }

    /// Checks a client certificate at this time. A listed certificate is accepted, as in setups without a CA, and only
    /// a CA can sign others.
    pub(crate) fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        algorithms: &[&dyn SignatureVerificationAlgorithm],
    ) -> Result<(), CertificateError> {
        let result = if self.listed.contains(end_entity) {
            parse(end_entity).and_then(|parsed| check_validity(&parsed, now).and_then(|()| check_every(&parsed)))
        } else {
            let check_path = |path: &VerifiedPath<'_>| self.check_path(path, now);
            EndEntityCert::try_from(end_entity).and_then(|certificate| {
                let path = certificate.verify_for_usage(
                    algorithms,
                    &self.anchors,
                    intermediates,
                    now,
                    AnyPurpose,
                    None,
                    Some(&check_path),
                );
                path.map(drop)
            })
        };
        result.map_err(certificate_error)
    }

    /// Checks what webpki does not. webpki checks signatures and name constraints and, except for the CA, validity,
    /// basic constraints and path length.
    fn check_path(&self, path: &VerifiedPath<'_>, now: UnixTime) -> Result<(), Error> {
        let intermediates = path.intermediate_certificates().map(webpki::Cert::der);
        let chain: Vec<_> = std::iter::once(path.end_entity().der()).chain(intermediates).collect();
        let chain: Vec<_> = chain.iter().map(parse).collect::<Result<_, _>>()?;
        chain.iter().try_for_each(check_every)?;
        chain.iter().skip(1).try_for_each(check_signs)?;
        let indexes = self.anchor_indexes.iter().zip(&self.anchors);
        // A renewed CA and its predecessor may have the same name and key.
        let equal = indexes.filter(|(_, anchor)| *anchor == path.anchor());
        let mut result = Err(Error::UnknownIssuer);
        for (index, _) in equal {
            result = check_ca(&self.listed[*index], &chain, now);
            if result.is_ok() {
                break;
            }
        }
        result
    }
}

/// Checks the CA at the end of a chain, which starts with the client certificate.
fn check_ca(ca: &CertificateDer<'_>, chain: &[X509Certificate<'_>], now: UnixTime) -> Result<(), Error> {
    let ca = parse(ca)?;
    check_validity(&ca, now)?;
    let constraints = ca.basic_constraints().map_err(|_| Error::BadDer)?;
    let path_length = constraints.and_then(|constraints| constraints.value.path_len_constraint);
    if path_length.is_some_and(|length| chain.len() - 1 > length as usize) {
        return Err(Error::PathLenConstraintViolated);
    }
    // Go takes a certificate with the CA's name, key and alternative names for the CA itself, and rejects the chain.
    if chain.iter().any(|certificate| identity(certificate) == identity(&ca)) {
        return Err(Error::UnknownIssuer);
    }
    Ok(())
}

type Identity<'a> = (&'a [u8], &'a [u8], Option<&'a [u8]>);

fn identity<'a>(certificate: &'a X509Certificate<'_>) -> Identity<'a> {
    let names = certificate.get_extension_unique(&OID_X509_EXT_SUBJECT_ALT_NAME).ok().flatten();
    (certificate.subject().as_raw(), certificate.public_key().raw, names.map(|extension| extension.value))
}

/// Checks every certificate of a chain, including the CA: it is for clients, and has no constraint that nothing here
/// checks.
fn check_every(certificate: &X509Certificate<'_>) -> Result<(), Error> {
    let purposes = certificate.extended_key_usage().map_err(|_| Error::BadDer)?;
    if purposes.is_some_and(|purposes| !purposes.value.client_auth && !purposes.value.any) {
        let (required, present) = (KeyUsage::client_auth(), Vec::new());
        return Err(Error::RequiredEkuNotFoundContext(RequiredEkuNotFoundContext { required, present }));
    }
    if !matches!(certificate.policy_constraints(), Ok(None)) {
        return Err(Error::UnsupportedCriticalExtension);
    }
    match certificate.subject_alternative_name().map_err(|_| Error::BadDer)? {
        Some(names) => check_names(&names.value.general_names, names.critical),
        None => Ok(()),
    }
}

/// Checks that the alternative names can be parsed and, if they are critical, that at least one is supported.
fn check_names(names: &[GeneralName<'_>], critical: bool) -> Result<(), Error> {
    let mut known = false;
    for name in names {
        let is_valid = match name {
            GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => name.is_ascii(),
            GeneralName::IPAddress(bytes) => [4, 16].contains(&bytes.len()),
            GeneralName::Invalid(..) => false,
            _ => continue,
        };
        if !is_valid {
            return Err(Error::BadDer);
        }
        known = true;
    }
    if critical && !known { Err(Error::UnsupportedCriticalExtension) } else { Ok(()) }
}

/// Checks that a certificate may sign others.
fn check_signs(certificate: &X509Certificate<'_>) -> Result<(), Error> {
    let usage = certificate.key_usage().map_err(|_| Error::BadDer)?;
    let signs = certificate.is_ca() && usage.is_none_or(|usage| usage.value.key_cert_sign());
    if signs { Ok(()) } else { Err(Error::EndEntityUsedAsCa) }
}

fn check_validity(certificate: &X509Certificate<'_>, time: UnixTime) -> Result<(), Error> {
    let [not_before, not_after] = [certificate.validity().not_before, certificate.validity().not_after].map(|limit| {
        let seconds = u64::try_from(limit.timestamp()).unwrap_or(0);
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    });
    if time < not_before {
        return Err(Error::CertNotValidYet { time, not_before });
    }
    if time > not_after {
        return Err(Error::CertExpired { time, not_after });
    }
    Ok(())
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, Error> {
    X509Certificate::from_der(certificate).map(|(_, parsed)| parsed).map_err(|_| Error::BadDer)
}

/// Leaves the purposes to `check_every`: unlike Go, webpki does not know the purpose `anyExtendedKeyUsage`.
struct AnyPurpose;

impl ExtendedKeyUsageValidator for AnyPurpose {
    fn validate(&self, _: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        Ok(())
    }
}

/// Decides which alert the client gets.
fn certificate_error(error: Error) -> CertificateError {
    match error {
        Error::CertNotValidYet { time, not_before } => CertificateError::NotValidYetContext { time, not_before },
        Error::CertExpired { time, not_after } => CertificateError::ExpiredContext { time, not_after },
        Error::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        Error::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        Error::UnknownIssuer => CertificateError::UnknownIssuer,
        error => CertificateError::Other(OtherError(Arc::new(error))),
    }
}

#[cfg(test)]
mod tests;
