//! HTTP requests that leave, each reported once, however it ends; and what else a client has to tell.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use reqwest::{Response, StatusCode};

use crate::{ErrorKind, GroupId, Reason, Resource, header};

/// What a client tells while it works.
#[derive(Clone, Debug)]
pub enum ClientEvent {
    /// An HTTP request left, and ended.
    RequestRecord(RequestRecord),
    /// The service account has a new access token.
    Minted {
        /// When it ends, as Atlas said.
        ends: SystemTime,
    },
    /// The service account got no access token.
    MintFailed {
        /// The word for it.
        reason: Reason,
        /// The failure and its causes.
        message: String,
    },
    /// The access token was ended, since nobody needs it any more.
    Revoked,
    /// Atlas refuses the credential. It is not asked again before an interval is over or a file changed.
    Refused {
        /// What Atlas said, and what to do.
        message: String,
    },
    /// Atlas accepts the credential, for the first time or again.
    Accepted,
    /// A file of the credential changed; what it holds now is in use.
    SecretChanged,
    /// A file of the credential cannot be read; what it held before stays in use.
    SecretUnreadable {
        /// Why.
        message: String,
    },
    /// The files of the credential can be read again.
    SecretReadable,
}

/// An HTTP request that left, and what came back.
#[derive(Clone, Debug)]
pub struct RequestRecord {
    /// What was asked for: a [`Resource::endpoint`], or `token` or `revoke`.
    pub endpoint: &'static str,
    /// The group it was about.
    pub group: Option<GroupId>,
    /// The HTTP status, or the [`Reason`] where none came.
    pub code: String,
    /// Until the headers of the answer were there, or the request was given up.
    pub duration: Duration,
    /// What is left of the rate limit, if the answer told.
    pub rate_limit: Option<RateLimit>,
    /// How long the header `Retry-After` asks to wait.
    pub retry_after: Option<Duration>,
    /// When the version of the API ends; nothing if this answer cannot tell.
    pub ends: Option<VersionEnds>,
}

/// The token bucket that an answer reports. That of peers and containers belongs to the group, that of groups to the
/// user, that of an organization's groups to the organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// `RateLimit-Limit`: the size of the bucket.
    pub limit: u64,
    /// `RateLimit-Remaining`: requests left in it.
    pub remaining: u64,
}

/// How Atlas announces the end of a version of its API. Neither is there while no end is planned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VersionEnds {
    /// `Deprecation`: from when on nobody should begin to use it.
    pub deprecation: Option<SystemTime>,
    /// `Sunset`: from when on it answers 410.
    pub sunset: Option<SystemTime>,
}

/// Told of everything that is reported.
pub(crate) type Reporter = Arc<dyn Fn(ClientEvent) + Send + Sync>;

/// A request that is under way. If it is dropped before its end, it was given up: that is a timeout.
pub(crate) struct UnderWay<'a> {
    endpoint: &'static str,
    group: Option<&'a GroupId>,
    reporter: &'a Reporter,
    /// Nothing once the last answer is there.
    sent: Mutex<Option<Instant>>,
}

impl<'a> UnderWay<'a> {
    pub(crate) fn begin(resource: &'a Resource, reporter: &'a Reporter) -> Self {
        Self {
            endpoint: resource.endpoint(),
            group: resource.group(),
            reporter,
            sent: Mutex::new(Some(Instant::now())),
        }
    }

    /// A request to an endpoint that is no resource of the API.
    pub(crate) fn at(endpoint: &'static str, reporter: &'a Reporter) -> Self {
        Self { endpoint, group: None, reporter, sent: Mutex::new(Some(Instant::now())) }
    }

    /// The request was refused, and another leaves in its place.
    pub(crate) fn refused(&self) {
        self.report(StatusCode::UNAUTHORIZED.as_str(), None);
        *self.sent() = Some(Instant::now());
    }

    pub(crate) fn ended(&self, outcome: &Result<Response, ErrorKind>) {
        match outcome {
            Ok(response) => self.report(response.status().as_str(), Some(response)),
            // There was an answer: a challenge that ends the exchange.
            Err(ErrorKind::Challenge(_)) => self.report(StatusCode::UNAUTHORIZED.as_str(), None),
            Err(other) => self.report(other.reason().as_str(), None),
        }
    }

    fn report(&self, code: &str, response: Option<&Response>) {
        let Some(sent) = self.sent().take() else { return };
        let headers = response.map(Response::headers);
        (self.reporter)(ClientEvent::RequestRecord(RequestRecord {
            endpoint: self.endpoint,
            group: self.group.cloned(),
            code: code.to_owned(),
            duration: sent.elapsed(),
            rate_limit: headers.and_then(header::rate_limit),
            retry_after: headers.and_then(header::retry_after),
            ends: response.and_then(|response| header::version_ends(response.status(), response.headers())),
        }));
    }

    fn sent(&self) -> MutexGuard<'_, Option<Instant>> {
        // Nothing panics while it holds the lock.
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.report(Reason::Timeout.as_str(), None);
    }
}
