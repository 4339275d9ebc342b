//! The authorities that may sign Atlas's certificate.

use reqwest::Certificate;

/// Certificates of certificate authorities. Without any, the authorities of the system are trusted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Authorities {
    pem: String,
}

/// The text has no certificates, or one that is not usable.
#[derive(Debug, thiserror::Error)]
#[error("is not a list of certificates in PEM format")]
pub struct InvalidAuthorities;

impl Authorities {
    /// Parses one or more certificates in PEM format. Fails if there is none, or one is not usable.
    pub fn parse(pem: &str) -> Result<Self, InvalidAuthorities> {
        // With a byte order mark, the first certificate would silently be missing.
        let pem = pem.trim_start_matches('\u{feff}');
        let certificates = Certificate::from_pem_bundle(pem.as_bytes()).map_err(|_| InvalidAuthorities)?;
        // Only building a client parses the content of the certificates.
        let is_empty = certificates.is_empty();
        if is_empty || reqwest::Client::builder().tls_certs_only(certificates).build().is_err() {
            return Err(InvalidAuthorities);
        }
        Ok(Self { pem: pem.to_owned() })
    }

    pub(crate) fn certificates(&self) -> Result<Vec<Certificate>, reqwest::Error> {
        Certificate::from_pem_bundle(self.pem.as_bytes())
    }
}
