//! What can fail.

use std::{error::Error, io, iter, sync::Arc, time::Duration};

use humantime::format_duration;
use serde_json::error::Category;

use crate::{endpoint::Resource, error_response::ErrorResponse, model::wire::InvalidContent, reason::Reason};

/// Longer messages are truncated: those of libraries may quote what a server sent.
const MAX_MESSAGE: usize = 1000;

/// A listing failed. Nothing of it may be used.
#[derive(Debug, thiserror::Error)]
#[error("list {resource}, page {page}")]
pub struct ListError {
    /// What was listed.
    pub resource: Resource,
    /// The page that failed, from 1.
    pub page: u32,
    /// Why it failed.
    #[source]
    pub kind: ErrorKind,
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ErrorKind {
    /// An HTTP request failed: `timeout`, `dns`, `connect`, `tls`, or `decode` if the body cannot be decompressed.
    #[error("{message}")]
    Http {
        /// The reason that the failure is counted under.
        reason: Reason,
        /// The reason in words.
        message: &'static str,
        /// The error of the HTTP library, without the URL.
        source: reqwest::Error,
    },
    /// The whole listing exceeded its deadline.
    #[error("not complete within {}{}", format_duration(*deadline), last_failure(last.as_deref()))]
    Deadline {
        /// The limit for the whole listing, every page and retry included.
        deadline: Duration,
        /// The failure that the last retry was for.
        last: Option<Arc<ErrorKind>>,
    },
    /// The server requires authentication, but not with a digest challenge that is supported.
    #[error("Atlas returned status 401 without a supported Digest challenge")]
    Challenge,
    /// Atlas rejected the credential, and it is too early for another attempt.
    #[error("the credential was rejected, {}: {message}", next_attempt(*remaining))]
    Refused {
        /// Until the next attempt.
        remaining: Duration,
        /// How it was rejected.
        message: String,
    },
    /// Atlas rejected the request, and a check has shown that it rejects the credential, or could not show that it does not.
    #[error(transparent)]
    Rejected(Arc<ErrorKind>),
    /// The server or its proxy cannot be reached.
    #[error("cannot reach {peer}")]
    Unreachable {
        /// The host and its proxy.
        peer: Arc<str>,
        /// Why.
        #[source]
        kind: Arc<ErrorKind>,
    },
    /// The service account has no access token, so no request could be sent.
    #[error("no access token")]
    Token(#[source] Arc<ErrorKind>),
    /// No access token is minted because of too many recent attempts.
    #[error("too many attempts to mint a token, {}{}", next_attempt(*remaining), last_failure(last.as_deref()))]
    MintLimit {
        /// Until the next attempt.
        remaining: Duration,
        /// Why the last attempt failed, if it did.
        last: Option<Arc<ErrorKind>>,
    },
    /// A status other than 200.
    #[error("Atlas returned {0}")]
    ErrorResponse(ErrorResponse),
    /// The body is not the expected JSON. The message of the library is not used: it quotes the body, which may contain
    /// anything.
    #[error("the body is not valid: unexpected {category} at line {line} column {column}")]
    Json {
        /// `syntax`, `data` or `end` of the body.
        category: &'static str,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// The content is not what it claims to be.
    #[error(transparent)]
    Content(#[from] InvalidContent),
    /// The body is larger than any real page.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// The listing has more results than any real one.
    #[error("the listing has more than {0} results")]
    TooManyResults(usize),
    /// The listing has more pages than any real one.
    #[error("the listing has more than {0} pages")]
    TooManyPages(u32),
    /// A page that is not the last adds nothing to the listing.
    #[error("a page that is not the last contains no new results")]
    NoProgress,
}

impl ErrorKind {
    /// Classifies an error of the HTTP library. It omits the URL, which is in the fields of the log line.
    pub(crate) fn http(error: reqwest::Error) -> Self {
        let (reason, message) = if error.is_timeout() {
            (Reason::Timeout, "no complete response within the timeout")
        } else if causes(&error).any(<dyn Error>::is::<rustls::Error>) {
            (Reason::Tls, "the TLS handshake failed")
        } else if causes(&error).any(|cause| cause.to_string() == "dns error") {
            (Reason::Dns, "the host name cannot be resolved")
        } else if error.is_decode() && !causes(&error).any(<dyn Error>::is::<hyper::Error>) {
            (Reason::Decode, "the body cannot be decompressed")
        } else {
            (Reason::Connect, "the connection failed")
        };
        Self::Http { reason, message, source: error.without_url() }
    }

    pub(crate) fn json(error: &serde_json::Error) -> Self {
        let category = match error.classify() {
            Category::Data => "data",
            Category::Eof => "end",
            Category::Io | Category::Syntax => "syntax",
        };
        Self::Json { category, line: error.line(), column: error.column() }
    }

    /// Adds the peer to an error of the connection.
    pub(crate) fn with_peer(self, peer: &Arc<str>) -> Self {
        match self {
            Self::Http { reason: Reason::Dns | Reason::Connect | Reason::Tls, .. } => {
                Self::Unreachable { peer: peer.clone(), kind: Arc::new(self) }
            }
            other => other,
        }
    }

    /// The reason that the failure is counted under.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Http { reason, .. } => *reason,
            Self::Deadline { last, .. } => last.as_ref().map_or(Reason::Timeout, |last| last.reason()),
            Self::MintLimit { last, .. } => last.as_ref().map_or(Reason::RateLimited, |last| last.reason()),
            Self::Token(cause) => match cause.reason() {
                // The token endpoint knows no groups.
                Reason::NotFound => Reason::UnexpectedStatus,
                reason => reason,
            },
            Self::Unreachable { kind: cause, .. } => cause.reason(),
            Self::Challenge | Self::Refused { .. } | Self::Rejected(_) => Reason::Unauthorized,
            Self::ErrorResponse(response) => response.reason(),
            Self::Json { .. } | Self::Content(_) => Reason::Decode,
            Self::TooLarge(_) | Self::TooManyResults(_) => Reason::TooLarge,
            Self::TooManyPages(_) | Self::NoProgress => Reason::Pagination,
        }
    }

    /// Whether the same request is likely to succeed a moment later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Http { reason, .. } => matches!(reason, Reason::Timeout | Reason::Dns | Reason::Connect),
            Self::ErrorResponse(response) => response.reason() == Reason::Server,
            Self::Token(cause) | Self::Unreachable { kind: cause, .. } => cause.is_transient(),
            _ => false,
        }
    }

    /// Whether it may reject the credential, and not only this request.
    pub(crate) fn may_reject_credential(&self) -> bool {
        match self {
            Self::Challenge => true,
            Self::ErrorResponse(response) => response.may_reject_credential(),
            _ => false,
        }
    }

    /// Whether every request of the account fails for the same cause, so that one log line is enough for all.
    #[must_use]
    pub fn is_account_wide(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Rejected(_) | Self::Token(_))
    }

    /// Atlas's error code, if it sent one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::ErrorResponse(response) => response.code.as_deref(),
            Self::Token(cause)
            | Self::Rejected(cause)
            | Self::MintLimit { last: Some(cause), .. }
            | Self::Deadline { last: Some(cause), .. } => cause.code(),
            _ => None,
        }
    }

    /// What to do about it, for an on-call engineer.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::ErrorResponse(response) => response.advice(),
            Self::Token(cause) => token_advice(cause),
            Self::Rejected(cause) => cause.credential_advice(),
            Self::Deadline { last: Some(cause), .. }
            | Self::MintLimit { last: Some(cause), .. }
            | Self::Unreachable { kind: cause, .. } => cause.advice(),
            Self::Challenge => {
                "the server at `base_url`, or a proxy in front of it, does not authenticate API keys as Atlas does; check \
                 both, or use a service account"
            }
            Self::MintLimit { last: None, .. } => "find out why Atlas rejects access tokens that it has just issued",
            other => other.reason().advice(),
        }
    }

    /// What to do about it, if it rejects the credential and not only the request.
    pub(crate) fn credential_advice(&self) -> &'static str {
        // A code that is not known may suggest another reason.
        if self.reason() == Reason::Unauthorized { self.advice() } else { Reason::Unauthorized.advice() }
    }

    /// The failure and all its causes in one message.
    #[must_use]
    pub fn error_chain(&self) -> String {
        error_chain(self)
    }

    /// How long to wait before the same request according to `Retry-After`, if Atlas sent it.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::ErrorResponse(response) => response.retry_after,
            _ => None,
        }
    }
}

impl ListError {
    /// The failure and all its causes in one message.
    #[must_use]
    pub fn error_chain(&self) -> String {
        error_chain(self)
    }
}

fn error_chain(error: &(dyn Error + 'static)) -> String {
    let chain = iter::successors(Some(error), |error| (**error).source());
    let message = chain.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    message.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_MESSAGE).collect()
}

/// In whole seconds, at least one.
fn next_attempt(remaining: Duration) -> String {
    format!("next attempt in {}", format_duration(Duration::from_secs(remaining.as_secs().max(1))))
}

fn last_failure(last: Option<&ErrorKind>) -> String {
    last.map_or_else(String::new, |last| format!("; last failure: {}", last.error_chain()))
}

/// The token endpoint knows no groups and has limits of its own.
fn token_advice(cause: &ErrorKind) -> &'static str {
    match cause.reason() {
        Reason::NotFound | Reason::UnexpectedStatus | Reason::Decode => {
            "check the account's `base_url`; the server there is not Atlas"
        }
        Reason::RateLimited => "find the replicas or programs that mint tokens with this service account too",
        _ => cause.advice(),
    }
}

/// The error and all its causes. `io::Error::source` skips the error that it wraps, hence `get_ref`.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let first: &(dyn Error + 'static) = error;
    iter::successors(Some(first), |cause| {
        let wrapped = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        wrapped.map(|inner| inner as &(dyn Error + 'static)).or_else(|| (**cause).source())
    })
}
