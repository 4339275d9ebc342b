//! HTTP requests, each reported once however it ends, and the other events of a client.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use parking_lot::Mutex;
use reqwest::{RequestBuilder, Response, StatusCode, header::ACCEPT};
use url::Url;

use crate::{
    endpoint::{Endpoint, Resource},
    error::ErrorKind,
    error_response::{ErrorResponse, MAX_ERROR_BODY},
    header::{self, RateLimit, VersionEnds},
    model::id::GroupId,
    reason::Reason,
};

/// A larger body is rejected. A page of 500 peerings has a quarter of a megabyte.
const MAX_RESPONSE_BODY: usize = 8 << 20;

/// What a client reports while it works.
#[derive(Clone, Debug)]
pub enum ClientEvent {
    /// An HTTP request ended.
    Request(RequestRecord),
    /// The service account has a new access token.
    Minted {
        /// When it expires, according to Atlas.
        expires: SystemTime,
    },
    /// Minting an access token failed.
    MintFailed {
        /// The reason that it is counted under.
        reason: Reason,
        /// The failure, its causes and what to do.
        message: String,
    },
    /// The access token was revoked because the client was closed.
    Revoked,
    /// Atlas rejects the credential. The next attempt is after an interval or a change of the credential's files.
    Refused {
        /// The failure and what to do.
        message: String,
    },
    /// Atlas accepts the credential, for the first time or again.
    Accepted,
    /// The credential's files have changed, and the new content is in use.
    SecretChanged,
    /// A file of the credential cannot be read. Its last content stays in use.
    SecretUnreadable {
        /// Why.
        message: String,
    },
    /// The credential's files can be read again.
    SecretReadable,
}

/// An HTTP request and what came of it.
#[derive(Clone, Debug)]
pub struct RequestRecord {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The group that it was about, if any.
    pub group: Option<GroupId>,
    /// How it ended.
    pub outcome: Outcome,
    /// Until the headers of the response arrived or the request was dropped.
    pub duration: Duration,
    /// The state of the token bucket, if the response had it.
    pub rate_limit: Option<RateLimit>,
    /// How long to wait according to the header `Retry-After`.
    pub retry_after: Option<Duration>,
    /// When the API version ends; absent if the response does not show it.
    pub version_ends: Option<VersionEnds>,
}

/// How an HTTP request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// A response with this HTTP status.
    Status(u16),
    /// No response.
    Failed(Reason),
}

/// The value of the label `code`.
impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::Failed(reason) => f.write_str(reason.as_str()),
        }
    }
}

/// Receives every event of a client.
pub(crate) type EventHandler = Arc<dyn Fn(ClientEvent) + Send + Sync>;

/// A GET request, which can be sent several times.
pub(crate) struct GetRequest<'a> {
    pub(crate) http: &'a reqwest::Client,
    pub(crate) url: Url,
    pub(crate) media_type: &'static str,
    pub(crate) resource: &'a Resource,
}

impl GetRequest<'_> {
    pub(crate) fn builder(&self) -> RequestBuilder {
        self.http.get(self.url.clone()).header(ACCEPT, self.media_type)
    }
}

/// A request that has been sent. If it is dropped before it ends, it is reported as a timeout.
pub(crate) struct InFlight<'a> {
    endpoint: Endpoint,
    group: Option<&'a GroupId>,
    events: &'a EventHandler,
    /// Absent once the request has been reported.
    started: Mutex<Option<Instant>>,
}

impl<'a> InFlight<'a> {
    pub(crate) fn new(endpoint: Endpoint, group: Option<&'a GroupId>, events: &'a EventHandler) -> Self {
        Self { endpoint, group, events, started: Mutex::new(Some(Instant::now())) }
    }

    /// Atlas responded with a challenge, and another request follows.
    pub(crate) fn challenged(&self) {
        self.report(Outcome::Status(401), None);
        *self.started.lock() = Some(Instant::now());
    }

    /// Reports how the request ended, and reads the body.
    pub(crate) async fn finish(self, result: Result<Response, ErrorKind>) -> Result<Vec<u8>, ErrorKind> {
        match &result {
            Ok(response) => self.report(Outcome::Status(response.status().as_u16()), Some(response)),
            // There was a response, without a challenge that is supported.
            Err(ErrorKind::Challenge) => self.report(Outcome::Status(401), None),
            Err(error) => self.report(Outcome::Failed(error.reason()), None),
        }
        let mut response = result?;
        let status = response.status();
        let retry_after = header::retry_after(response.headers());
        if status == StatusCode::OK {
            return read_body(&mut response, MAX_RESPONSE_BODY).await;
        }
        // If the body of an error cannot be read, its status is enough.
        let body = read_body(&mut response, MAX_ERROR_BODY).await;
        Err(ErrorKind::ErrorResponse(ErrorResponse::new(status.as_u16(), &body.unwrap_or_default(), retry_after)))
    }

    fn report(&self, outcome: Outcome, response: Option<&Response>) {
        let Some(started) = self.started.lock().take() else { return };
        let headers = response.map(Response::headers);
        (self.events)(ClientEvent::Request(RequestRecord {
            endpoint: self.endpoint,
            group: self.group.cloned(),
            outcome,
            duration: started.elapsed(),
            rate_limit: headers.and_then(header::rate_limit),
            retry_after: headers.and_then(header::retry_after),
            version_ends: response.and_then(|response| header::version_ends(response.status(), response.headers())),
        }));
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.report(Outcome::Failed(Reason::Timeout), None);
    }
}

async fn read_body(response: &mut Response, limit: usize) -> Result<Vec<u8>, ErrorKind> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(ErrorKind::http)? {
        if body.len() + chunk.len() > limit {
            return Err(ErrorKind::TooLarge(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
