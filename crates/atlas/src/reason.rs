//! Why a request or a listing failed, and what to do about it.

use strum::{IntoStaticStr, VariantArray};

/// Why something failed: the label `reason`, a closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Reason {
    /// No complete response in time.
    Timeout,
    /// The host name has no address.
    Dns,
    /// No connection, or a broken one.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// Atlas does not accept the credential.
    Unauthorized,
    /// Atlas accepts the credential, but it lacks a role, or the organization is suspended.
    Forbidden,
    /// The address of this machine is not on the credential's access list.
    IpAccessList,
    /// Atlas says that the group does not exist.
    NotFound,
    /// Too many requests.
    RateLimited,
    /// Atlas failed.
    Server,
    /// A status that a working setup never returns, such as a redirect, the 404 of a proxy or the end of an API version.
    UnexpectedStatus,
    /// A response that cannot be parsed.
    Decode,
    /// A body or a listing larger than any real one.
    TooLarge,
    /// A listing without an end.
    Pagination,
}

impl Reason {
    /// Every reason.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The value of the label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// What to do about it, for an on-call engineer.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::Timeout => "Atlas, DNS or the network is slow; check whether other projects are affected",
            Self::Dns => "check the account's `base_url` and `proxy_url`, and this machine's name servers",
            Self::Connect => "check the network, firewall and proxy between this machine and Atlas",
            Self::Tls => "check for a proxy that intercepts TLS, and this machine's CA certificates and clock",
            Self::Unauthorized => "Atlas does not accept the account's credential; check both its ID and its secret",
            Self::Forbidden => {
                "grant the credential the role Project Read Only in this project; check that billing is in order"
            }
            Self::IpAccessList => "add this machine's public IP address to the credential's access list",
            Self::NotFound => {
                "check the project's ID; a deleted project disappears if it was discovered, otherwise remove it from the config"
            }
            Self::RateLimited => "too many requests; raise `poll.interval` or find what else calls the API",
            Self::Server => "Atlas itself is failing; check its status page",
            Self::UnexpectedStatus => "check `base_url` and `api_version`; the API version may have ended",
            Self::Decode => "the response is not from Atlas; check for a proxy in between, otherwise report a bug",
            Self::TooLarge | Self::Pagination => "no real listing is this long; report a bug",
        }
    }
}
