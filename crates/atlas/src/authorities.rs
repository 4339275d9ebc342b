//! Who is trusted to sign Atlas's certificate.

use reqwest::Certificate;

/// Certificates of authorities; if there are none, those of the system are trusted.
#[derive(Clone, Debug, Default)]
pub struct Authorities {
    pub(crate) certificates: Vec<Certificate>,
    pem: String,
}

impl PartialEq for Authorities {
    fn eq(&self, other: &Self) -> bool {
        self.pem == other.pem
    }
}

/// The text holds no certificates, or none that can be used.
#[derive(Debug, thiserror::Error)]
#[error("is no list of certificates in the PEM format")]
pub struct InvalidAuthorities;

impl Authorities {
    /// Reads certificates in the PEM format, one after the other.
    ///
    /// # Errors
    /// There is none, or one cannot be used.
    pub fn parse(pem: &str) -> Result<Self, InvalidAuthorities> {
        let certificates = Certificate::from_pem_bundle(pem.as_bytes()).map_err(|_| InvalidAuthorities)?;
        // What is in a certificate is looked at only when a client is made of it.
        let trial = reqwest::Client::builder().tls_certs_only(certificates.clone()).build();
        if certificates.is_empty() || trial.is_err() {
            return Err(InvalidAuthorities);
        }
        Ok(Self { certificates, pem: pem.to_owned() })
    }
}
