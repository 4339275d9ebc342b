//! Certificates and keys in PEM format.

use rustls::{
    crypto::KeyProvider,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    sign::CertifiedKey,
};
use x509_parser::parse_x509_certificate;

use super::files::{PemSources, TlsFiles};
use yaml_reader::ConfigFault;

/// A chain of certificates, the server's own first, and its key. A fault does not repeat the key.
pub(crate) fn certified_key(
    sources: &PemSources,
    files: &TlsFiles,
    keys: &dyn KeyProvider,
) -> Result<CertifiedKey, ConfigFault> {
    let PemSources { certificate, key, .. } = sources;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&files.certificate).collect();
    let chain = chain.map_err(|error| certificate.fault(message(&error, "contains no certificate")))?;
    let first = chain.first().ok_or_else(|| certificate.fault("contains no certificate"))?;
    let (_, parsed) =
        parse_x509_certificate(first).map_err(|_| certificate.fault("contains a certificate that cannot be parsed"))?;
    let private = PrivateKeyDer::from_pem_slice(&files.key)
        .map_err(|error| key.fault(message(&error, "contains no private key")))?;
    let private = keys.load_private_key(private).map_err(|_| {
        key.fault("contains a private key that rustls does not support; use RSA from 2048 bits, ECDSA or Ed25519")
    })?;
    // Not by `CertifiedKey`, which rejects certificates of X.509 version 1.
    if private.public_key().is_some_and(|public| public.as_ref() != parsed.public_key().raw) {
        return Err(key.fault("does not belong to the certificate"));
    }
    Ok(CertifiedKey::new(chain, private))
}

fn message(error: &pem::Error, none: &'static str) -> &'static str {
    match error {
        pem::Error::NoItemsFound => none,
        pem::Error::SectionTooLarge => "is too large",
        _ => "is not in PEM format",
    }
}
