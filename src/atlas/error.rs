//! Why a listing failed.

use std::{fmt, time::Duration};

use super::{Answer, GroupId, Provider};

/// A listing failed; nothing of it may be used.
#[derive(Debug, thiserror::Error)]
#[error("list {provider} peerings of group {group}, page {page}")]
pub struct ListError {
    /// The group that was asked for.
    pub group: GroupId,
    /// The provider that was asked for.
    pub provider: Provider,
    /// The page that failed, from 1.
    pub page: u32,
    /// What happened to it.
    #[source]
    pub kind: ErrorKind,
}

/// What happened to a page.
#[derive(Debug, thiserror::Error)]
pub enum ErrorKind {
    /// One HTTP request took longer than the timeout for it.
    #[error("no complete answer within the timeout")]
    Timeout(#[source] reqwest::Error),
    /// The listing as a whole took longer than its deadline.
    #[error("not complete after {}{}", humantime::format_duration(*deadline), Before(last.as_ref()))]
    Deadline {
        /// The bound on the whole listing, every page and repetition included.
        deadline: Duration,
        /// The last failure after which a page was asked for again.
        last: Option<Passing>,
    },
    /// The host's name has no address.
    #[error("the host's name cannot be resolved")]
    Dns(#[source] reqwest::Error),
    /// No connection, or one that broke.
    #[error("the connection failed")]
    Connect(#[source] reqwest::Error),
    /// No agreement on encryption, or a certificate that is not trusted.
    #[error("the TLS handshake failed")]
    Tls(#[source] reqwest::Error),
    /// The server demands a proof of the key that we cannot give.
    #[error("the server's challenge cannot be answered")]
    Challenge(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Atlas answered something else than 200.
    #[error("Atlas answered {0}")]
    Answer(Answer),
    /// A compressed body that cannot be unpacked.
    #[error("the body cannot be unpacked")]
    Unpack(#[source] reqwest::Error),
    /// A body that is no page of peerings.
    #[error("the body is not a page of peerings")]
    Json(#[source] serde_json::Error),
    /// A page whose peerings cannot be what they say.
    #[error("{0}")]
    Content(String),
    /// A body larger than any real page.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// In bytes, after unpacking.
        limit: usize,
    },
    /// A listing that does not end.
    #[error("{0}")]
    Pagination(&'static str),
}

impl ErrorKind {
    /// Sorts a failure of the HTTP library. The address is left out of it: the log names the target.
    pub(super) fn http(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if error.is_timeout() {
            Self::Timeout(error)
        } else if causes(&error).any(|cause| cause.downcast_ref::<rustls::Error>().is_some()) {
            Self::Tls(error)
        } else if causes(&error).any(|cause| cause.to_string() == "dns error") {
            Self::Dns(error)
        } else if error.is_decode() && !causes(&error).any(|cause| cause.downcast_ref::<hyper::Error>().is_some()) {
            Self::Unpack(error)
        } else {
            Self::Connect(error)
        }
    }

    /// The word this failure is counted under.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Timeout(_) | Self::Deadline { last: None, .. } => Reason::Timeout,
            Self::Deadline { last: Some(last), .. } => last.reason,
            Self::Dns(_) => Reason::Dns,
            Self::Connect(_) => Reason::Connect,
            Self::Tls(_) => Reason::Tls,
            Self::Challenge(_) => Reason::Unauthorized,
            Self::Answer(answer) => answer.reason(),
            Self::Unpack(_) | Self::Json(_) | Self::Content(_) => Reason::Decode,
            Self::TooLarge { .. } => Reason::TooLarge,
            Self::Pagination(_) => Reason::Pagination,
        }
    }

    /// Whether the same request may well succeed a moment later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Timeout(_) | Self::Dns(_) | Self::Connect(_) => true,
            Self::Answer(answer) => answer.reason() == Reason::Server,
            _ => false,
        }
    }

    /// How long Atlas asks to wait, if it does.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Answer(answer) => answer.retry_after,
            _ => None,
        }
    }
}

/// A failure that was not the end of its listing.
#[derive(Debug)]
pub struct Passing {
    /// The word it would have been counted under.
    pub reason: Reason,
    /// What it said, with its causes.
    pub text: String,
}

impl From<&ErrorKind> for Passing {
    fn from(kind: &ErrorKind) -> Self {
        Self { reason: kind.reason(), text: sentence(kind) }
    }
}

impl ListError {
    /// The failure and all its causes in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        sentence(self)
    }
}

fn sentence(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (**error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

struct Before<'a>(Option<&'a Passing>);

impl fmt::Display for Before<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |passing| write!(f, "; before that, {}", passing.text))
    }
}

/// The error and everything below it. An `io::Error` hides what it wraps from `source`, hence the second step.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    let first: &(dyn std::error::Error + 'static) = error;
    std::iter::successors(Some(first), |cause| {
        let wrapped = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        wrapped.map(|inner| inner as &(dyn std::error::Error + 'static)).or_else(|| cause.source())
    })
}

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
    /// The key is not accepted.
    Unauthorized,
    /// The key is accepted, but lacks the role, or the organization is suspended.
    Forbidden,
    /// The address we call from is not on the key's access list.
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
    /// An answer larger than any real one.
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
            Self::Timeout => "Atlas or the way to it is slow; see whether other groups answer",
            Self::Dns => "check the account's `base_url` and the name servers of this machine",
            Self::Connect => "check the network, firewall and proxy between here and Atlas",
            Self::Tls => "check for a proxy that intercepts TLS, the system's CA certificates and its clock",
            Self::Unauthorized => "Atlas does not accept the account's key: check both halves of it",
            Self::Forbidden => "give the key the role Project Read Only in this group; check that billing is in order",
            Self::IpAccessList => "put the address this exporter calls from on the access list of the API key",
            Self::NotFound => "check the group's id; if the group was deleted, take it out of the config",
            Self::RateLimited => "something asks Atlas too often; raise `poll.interval` or find the other caller",
            Self::Server => "Atlas itself fails; see its status page",
            Self::UnexpectedStatus => "check `base_url` and `api_version`; an API version may have ended",
            Self::Decode => "the answer is not Atlas's; look for a proxy in between, else report it as a bug",
            Self::TooLarge | Self::Pagination => "no real group has so many peerings; report it as a bug",
        }
    }
}
