//! The words a failure is counted under, and what to do about each.

/// The closed set of words for a failure: the label `reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// No complete answer in time.
    Timeout,
    /// The host's name has no address.
    Dns,
    /// No connection, or one that broke.
    Connect,
    /// No trusted encryption.
    Tls,
    /// The credential is not accepted.
    Unauthorized,
    /// The credential is accepted, but lacks the role, or the organization is suspended.
    Forbidden,
    /// The address we call from is not on the credential's access list.
    IpAccessList,
    /// No such group.
    NotFound,
    /// Too many requests.
    RateLimited,
    /// Atlas failed.
    Server,
    /// A status that no working setup meets, such as a redirect or the end of an API version.
    UnexpectedStatus,
    /// An answer that cannot be read.
    Decode,
    /// A body or a listing larger than any real one.
    TooLarge,
    /// A listing that does not end.
    Pagination,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 14] = [
        Self::Timeout,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Unauthorized,
        Self::Forbidden,
        Self::IpAccessList,
        Self::NotFound,
        Self::RateLimited,
        Self::Server,
        Self::UnexpectedStatus,
        Self::Decode,
        Self::TooLarge,
        Self::Pagination,
    ];

    /// The label's value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::IpAccessList => "ip_access_list",
            Self::NotFound => "not_found",
            Self::RateLimited => "rate_limited",
            Self::Server => "server",
            Self::UnexpectedStatus => "unexpected_status",
            Self::Decode => "decode",
            Self::TooLarge => "too_large",
            Self::Pagination => "pagination",
        }
    }

    /// What to do about it, for someone who was just woken up.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::Timeout => "Atlas, a name server or the way to them is slow; see whether other groups answer",
            Self::Dns => "check the account's `base_url` and `proxy_url`, and the name servers of this machine",
            Self::Connect => "check the network, firewall and proxy between here and Atlas",
            Self::Tls => "check for a proxy that intercepts TLS, the system's CA certificates and its clock",
            Self::Unauthorized => "Atlas does not accept the account's credential: check both halves of it",
            Self::Forbidden => {
                "give the credential the role Project Read Only in this group; check that billing is in order"
            }
            Self::IpAccessList => "put the address this exporter calls from on the access list of the credential",
            Self::NotFound => {
                "check the group's id; a group that was deleted leaves where groups are discovered, else take it out of the config"
            }
            Self::RateLimited => "something asks Atlas too often; raise `poll.interval` or find the other caller",
            Self::Server => "Atlas itself fails; see its status page",
            Self::UnexpectedStatus => "check `base_url` and `api_version`; an API version may have ended",
            Self::Decode => "the answer is not Atlas's; look for a proxy in between, else report it as a bug",
            Self::TooLarge | Self::Pagination => "no real listing is so long; report it as a bug",
        }
    }
}
