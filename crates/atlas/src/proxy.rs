//! The proxy that requests go out through.

use std::{fmt, str::FromStr};

use url::Url;

/// The address of a proxy, which may have a password in it.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl(Url);

impl ProxyUrl {
    /// Whether the address has a password in it.
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

/// The text is no address of a proxy. It is not repeated: it may hold a password.
#[derive(Debug, thiserror::Error)]
#[error("a proxy is an address such as `http://proxy.example:3128`; `https`, `socks5` and `socks5h` will do too")]
pub struct InvalidProxy;
