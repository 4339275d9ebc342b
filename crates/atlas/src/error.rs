//! Why a listing failed.

use std::{fmt, sync::Arc, time::Duration};

use serde_json::error::Category;

use crate::{ErrorResponse, Reason, Resource};

/// Longer sentences are cut here: what libraries say may quote what a server sent.
const MAX_SENTENCE: usize = 1000;

/// A listing failed; nothing of it may be used.
#[derive(Debug, thiserror::Error)]
#[error("list {resource}, page {page}")]
pub struct ListError {
    /// What was asked for.
    pub resource: Resource,
    /// The page that failed, from 1.
    pub page: u32,
    /// What happened to it.
    #[source]
    pub kind: ErrorKind,
}

/// What happened to a request.
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
        last: Option<TransientError>,
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
    /// The credential was refused, and it is too early to try it again.
    #[error("not asked for another {}: {said}", humantime::format_duration(whole_seconds(*left)))]
    Refused {
        /// Until it may be tried again.
        left: Duration,
        /// How it was refused.
        said: String,
    },
    /// What would have to answer cannot be reached.
    #[error("{way} cannot be reached")]
    Unreachable {
        /// The host, and the proxy before it.
        way: Arc<str>,
        /// Why.
        #[source]
        kind: Box<ErrorKind>,
    },
    /// The service account has no access token, so nothing could be asked.
    #[error("no access token")]
    Token(#[source] Arc<ErrorKind>),
    /// An access token is not minted because that was tried too often of late.
    #[error(
        "not minted for another {}, that was tried too often{}",
        humantime::format_duration(whole_seconds(*left)),
        After(last.as_deref())
    )]
    MintedTooOften {
        /// Until it may be tried again.
        left: Duration,
        /// Why the last one failed, if it did.
        last: Option<Arc<ErrorKind>>,
    },
    /// Atlas answered something else than 200.
    #[error("Atlas answered {0}")]
    ErrorResponse(ErrorResponse),
    /// A compressed body that cannot be unpacked.
    #[error("the body cannot be unpacked")]
    Unpack(#[source] reqwest::Error),
    /// A body that is not what was asked for.
    #[error("the body is not what was asked for: {0}")]
    Json(JsonPosition),
    /// A body whose content cannot be what it says.
    #[error("{0}")]
    Content(String),
    /// A body larger than any real page.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// In bytes, after unpacking.
        limit: usize,
    },
    /// More results than any real listing has.
    #[error("there are more than {limit} results")]
    TooMany {
        /// In one listing.
        limit: usize,
    },
    /// A listing that does not end.
    #[error("{0}")]
    Pagination(&'static str),
}

impl ErrorKind {
    /// Sorts a failure of the HTTP library. The address is left out of it: the log names the target.
    pub(crate) fn http(error: reqwest::Error) -> Self {
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

    /// The same with the way that leads nowhere, if that is what is wrong.
    pub(crate) fn on(self, way: &Arc<str>) -> Self {
        match self {
            Self::Dns(_) | Self::Connect(_) | Self::Tls(_) => {
                Self::Unreachable { way: way.clone(), kind: Box::new(self) }
            }
            other => other,
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
            Self::Unreachable { kind, .. } => kind.reason(),
            Self::Challenge(_) | Self::Refused { .. } => Reason::Unauthorized,
            Self::Token(cause) => cause.reason(),
            Self::MintedTooOften { last, .. } => last.as_ref().map_or(Reason::RateLimited, |last| last.reason()),
            Self::ErrorResponse(answer) => answer.reason(),
            Self::Unpack(_) | Self::Json(_) | Self::Content(_) => Reason::Decode,
            Self::TooLarge { .. } | Self::TooMany { .. } => Reason::TooLarge,
            Self::Pagination(_) => Reason::Pagination,
        }
    }

    /// Whether the same request may well succeed a moment later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Timeout(_) | Self::Dns(_) | Self::Connect(_) => true,
            Self::ErrorResponse(answer) => answer.reason() == Reason::Server,
            Self::Token(cause) => cause.is_transient(),
            Self::Unreachable { kind, .. } => kind.is_transient(),
            _ => false,
        }
    }

    /// Whether every request of the account fails for the same cause, so that one line of the log is enough for all.
    #[must_use]
    pub fn is_account_wide(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Token(_))
    }

    /// Atlas's own word for it, if it gave one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::ErrorResponse(answer) => answer.code.as_deref(),
            Self::Token(cause) | Self::MintedTooOften { last: Some(cause), .. } => cause.code(),
            Self::Deadline { last: Some(last), .. } => last.code.as_deref(),
            _ => None,
        }
    }

    /// What to do about it, for someone who was just woken up.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::ErrorResponse(answer) => answer.advice(),
            Self::Token(cause) => token_advice(cause),
            Self::Deadline { last: Some(last), .. } => last.advice,
            Self::MintedTooOften { last: Some(last), .. } => last.advice(),
            Self::MintedTooOften { last: None, .. } => "see why Atlas refuses the access tokens that it gives out",
            Self::Unreachable { kind, .. } => kind.advice(),
            other => other.reason().advice(),
        }
    }

    /// The failure and all its causes in one message.
    #[must_use]
    pub fn error_chain(&self) -> String {
        error_chain(self)
    }

    /// Whether time ran out, so that the next poll may well take as long.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout(_) | Self::Deadline { .. })
    }

    /// How long Atlas asks to wait with the same request, if it does.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::ErrorResponse(answer) => answer.retry_after,
            _ => None,
        }
    }
}

/// What is wrong with JSON, and where. The library's own words quote the body, which may hold anything.
#[derive(Debug)]
pub struct JsonPosition {
    /// `syntax`, `data` or `end` of the body.
    pub what: &'static str,
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
}

impl JsonPosition {
    pub(crate) fn of(error: &serde_json::Error) -> Self {
        let what = match error.classify() {
            Category::Data => "data",
            Category::Eof => "end",
            Category::Io | Category::Syntax => "syntax",
        };
        Self { what, line: error.line(), column: error.column() }
    }
}

impl fmt::Display for JsonPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unexpected {} at line {} column {}", self.what, self.line, self.column)
    }
}

/// A failure that was not the end of its listing.
#[derive(Debug)]
pub struct TransientError {
    /// The word it would have been counted under.
    pub reason: Reason,
    /// Atlas's own word for it, if it gave one.
    pub code: Option<String>,
    /// What to do about it.
    pub advice: &'static str,
    /// What it said, with its causes.
    pub text: String,
}

impl From<&ErrorKind> for TransientError {
    fn from(kind: &ErrorKind) -> Self {
        let code = kind.code().map(str::to_owned);
        Self { reason: kind.reason(), code, advice: kind.advice(), text: error_chain(kind) }
    }
}

impl ListError {
    /// The failure and all its causes in one message.
    #[must_use]
    pub fn error_chain(&self) -> String {
        error_chain(self)
    }
}

fn error_chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (**error).source());
    let whole = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    whole.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_SENTENCE).collect()
}

/// Fractions of a second help nobody; nothing left is a second.
fn whole_seconds(left: Duration) -> Duration {
    Duration::from_secs(left.as_secs().max(1))
}

/// The token endpoint knows no group, and has limits of its own.
fn token_advice(cause: &ErrorKind) -> &'static str {
    match cause.reason() {
        Reason::NotFound | Reason::UnexpectedStatus | Reason::Decode => {
            "check the account's `base_url`: what answers there is not Atlas"
        }
        Reason::RateLimited => "see which replicas or other programs mint tokens with this service account too",
        _ => cause.advice(),
    }
}

struct After<'a>(Option<&'a ErrorKind>);

impl fmt::Display for After<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |last| write!(f, "; before that, {}", error_chain(last)))
    }
}

struct Before<'a>(Option<&'a TransientError>);

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
