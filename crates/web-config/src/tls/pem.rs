//! Certificates and keys in the PEM format.

use std::sync::Arc;

use rustls::{
    RootCertStore,
    crypto::KeyProvider,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    sign::CertifiedKey,
};
use x509_parser::parse_x509_certificate;

/// Which of the two is at fault, and how. The key is not repeated in a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    Certificate(String),
    Key(String),
}

/// A chain of certificates, the server's own first, and the key of the first.
pub(crate) fn certified(chain: &[u8], key: &[u8], keys: &dyn KeyProvider) -> Result<CertifiedKey, Unusable> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
    let chain = chain.map_err(|error| Unusable::Certificate(told(&error)))?;
    let Some(first) = chain.first() else { return Err(Unusable::Certificate("holds no certificate".to_owned())) };
    let Ok((_, parsed)) = parse_x509_certificate(first) else {
        return Err(Unusable::Certificate("holds a certificate that cannot be read".to_owned()));
    };
    let key = match PrivateKeyDer::from_pem_slice(key) {
        Ok(key) => key,
        Err(pem::Error::NoItemsFound) => return Err(Unusable::Key("holds no private key".to_owned())),
        Err(error) => return Err(Unusable::Key(told(&error))),
    };
    let refused = |_| {
        Unusable::Key(
            "holds a private key that rustls does not have: it has RSA from 2048 bits, ECDSA and Ed25519".to_owned(),
        )
    };
    let key = keys.load_private_key(key).map_err(refused)?;
    // Not left to `CertifiedKey`, which refuses certificates of X.509 version 1.
    if key.public_key().is_some_and(|public| public.as_ref() != parsed.public_key().raw) {
        return Err(Unusable::Key("is not the key of the certificate".to_owned()));
    }
    Ok(CertifiedKey::new(chain, key))
}

fn told(error: &pem::Error) -> String {
    match error {
        pem::Error::SectionTooLarge => "is too large".to_owned(),
        _ => "is not in the PEM format".to_owned(),
    }
}

/// The authorities that sign clients' certificates, and how many could not be used. As with the toolkit, what is no
/// certificate is passed over.
pub(crate) fn authorities(pem: &[u8]) -> (Authorities, usize) {
    let mut listed = Vec::new();
    let mut unusable = 0;
    for item in CertificateDer::pem_slice_iter(pem) {
        match item {
            Ok(certificate) => listed.push(certificate),
            Err(_) => {
                unusable += 1;
                break;
            }
        }
    }
    let mut roots = RootCertStore::empty();
    let (_, refused) = roots.add_parsable_certificates(listed.iter().cloned());
    (Authorities { roots: Arc::new(roots), listed }, unusable + refused)
}

/// Those of the system, for a file that wants clients' certificates verified and names nobody.
pub(crate) fn of_the_system() -> Authorities {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    Authorities { roots: Arc::new(roots), listed: Vec::new() }
}

/// Who signs clients' certificates.
pub(crate) struct Authorities {
    pub(crate) roots: Arc<RootCertStore>,
    /// A client whose own certificate is listed needs no other signature.
    pub(crate) listed: Vec<CertificateDer<'static>>,
}
