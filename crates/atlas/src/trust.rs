//! The way to Atlas: the proxy that requests go through, and the authorities that may sign Atlas's certificate.

use std::{fmt, str::FromStr};

use reqwest::Certificate;
use url::Url;

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

/// The URL of a proxy. It may contain a password.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl(Url);

impl ProxyUrl {
    /// Whether the URL contains a password.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.0.password().is_some()
    }

    pub(crate) fn as_url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProxyUrl").field(&self.0.host_str()).finish()
    }
}

impl FromStr for ProxyUrl {
    type Err = InvalidProxy;

    fn from_str(text: &str) -> Result<Self, InvalidProxy> {
        let url = Url::parse(text).map_err(|_| InvalidProxy)?;
        let is_known = ["http", "https", "socks5", "socks5h"].contains(&url.scheme());
        if is_known && url.has_host() && ["", "/"].contains(&url.path()) { Ok(Self(url)) } else { Err(InvalidProxy) }
    }
}

/// The text is not the URL of a proxy. The message does not repeat the text, which may contain a password.
#[derive(Debug, thiserror::Error)]
#[error("a proxy is a URL such as `http://proxy.example:3128`; the schemes `https`, `socks5` and `socks5h` work too")]
pub struct InvalidProxy;
