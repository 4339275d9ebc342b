//! A response before it is sent, and what a fault makes of its body.

use std::{future::pending, io::Write, iter, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, Response, StatusCode, header::CONTENT_LENGTH},
};
use flate2::{Compression, write::GzEncoder};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::error::ApiError;
use crate::fault::Effect;

/// Recorded on every response of Atlas itself, including challenges.
const SERVER: (&str, &str) = ("server", "mdbws");

/// Recorded on every response of a resource, success or error, but not on challenges.
const RESOURCE_HEADERS: [(&str, &str); 6] = [
    SERVER,
    ("referrer-policy", "strict-origin-when-cross-origin"),
    ("strict-transport-security", "max-age=31536000; includeSubdomains;"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("x-permitted-cross-domain-policies", "none"),
];

const UNAUTHORIZED: &str = r#"{
  "error" : 401,
  "reason" : "Unauthorized",
  "detail" : "You are not authorized for this resource.",
  "errorCode" : "UNEXPECTED_ERROR"
}"#;

const UNAVAILABLE: &str = "<!DOCTYPE html>\n<html><head><title>MongoDB Cloud Manager Unavailable</title></head>\
    <body><h1>We will be back soon.</h1></body></html>\n";

/// The padding of an oversized body.
static CHUNK: [u8; 64 * 1024] = [b'x'; 64 * 1024];

/// Long enough for the first half of a body to be sent before the connection ends.
const FLUSH: Duration = Duration::from_millis(10);

/// A response before it is sent.
#[derive(Debug)]
pub(crate) struct ApiResponse {
    /// The outcome in the request log.
    pub(crate) outcome: &'static str,
    /// Whether a resource of the API sends it, rather than the server in front.
    pub(crate) is_from_resource: bool,
    pub(crate) http: Response<Bytes>,
}

impl ApiResponse {
    fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> ApiResponse {
        let mut http = Response::new(body.into());
        *http.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
        ApiResponse { outcome: "ok", is_from_resource: false, http }.with("content-type", content_type)
    }

    /// A response of Atlas that has none of the headers of a resource.
    pub(crate) fn from_server(status: u16, body: impl Into<Bytes>) -> ApiResponse {
        ApiResponse::new(status, "application/json", body).with(SERVER.0, SERVER.1)
    }

    pub(crate) fn from_resource(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> ApiResponse {
        let response = ApiResponse { is_from_resource: true, ..ApiResponse::new(status, content_type, body) };
        RESOURCE_HEADERS.iter().fold(response, |response, (name, value)| response.with(name, value))
    }

    /// The response with an error and this status, and with this error code if there is one.
    pub(crate) fn error(error: &ApiError, status: u16, code: Option<&str>) -> ApiResponse {
        let outcome = match status {
            401 => "no_access",
            403 => "access_list",
            404 => "not_found",
            406 => "not_acceptable",
            429 => "rate_limited",
            _ => "bad_request",
        };
        let code = code.unwrap_or(error.into());
        let parameters = match json!(error) {
            Value::Null => json!([]),
            Value::Array(parameters) => parameters.into(),
            parameter => json!([parameter]),
        };
        let body = json!({
            "detail": error.to_string(),
            "error": status,
            "errorCode": code,
            "parameters": parameters,
            "reason": StatusCode::from_u16(status).unwrap_or_default().canonical_reason(),
        });
        let response = ApiResponse::from_resource(status, "application/json", body.to_string());
        response.varying().with("x-error-code", code).logged_as(outcome)
    }

    /// The recorded response to missing, stale and wrong keys. There is no recording for a rejected token: the
    /// response has the same body, but no challenge, which a client with a token could not use.
    pub(crate) fn unauthorized(challenge: Option<String>) -> ApiResponse {
        let response = ApiResponse::from_server(401, UNAUTHORIZED).varying();
        match challenge {
            Some(challenge) => response.with("www-authenticate", &challenge),
            None => response,
        }
    }

    /// The error page of a load balancer that has no server to forward to.
    pub(crate) fn html(status: u16) -> ApiResponse {
        ApiResponse::new(status, "text/html", UNAVAILABLE)
    }

    /// Sets the outcome in the request log, which is `ok` by default.
    pub(crate) fn logged_as(self, outcome: &'static str) -> ApiResponse {
        ApiResponse { outcome, ..self }
    }

    /// Adds a header. A fault can contain text that is no valid value: such a header is omitted.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> ApiResponse {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.http.headers_mut().insert(name, value);
        }
        self
    }

    /// Adds the header that is recorded on errors and challenges, but on no success. None of the recorded responses
    /// was compressed.
    pub(crate) fn varying(self) -> ApiResponse {
        self.with("vary", "Accept-Encoding")
    }

    /// Compresses a success.
    pub(crate) fn compress(mut self) -> ApiResponse {
        if self.http.status() != StatusCode::OK || self.http.body().is_empty() {
            return self;
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let Ok(body) = encoder.write_all(self.http.body()).and_then(|()| encoder.finish()) else { return self };
        *self.http.body_mut() = body.into();
        self.varying().with("content-encoding", "gzip")
    }
}

impl From<ApiError> for ApiResponse {
    fn from(error: ApiError) -> ApiResponse {
        ApiResponse::error(&error, error.status(), None)
    }
}

/// The response as it is sent with this effect of a fault.
pub(crate) async fn deliver(response: Response<Bytes>, effect: Option<Effect>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    // Each chunk with the pause before it. An error ends the connection, or the stream of HTTP/2.
    let chunks: Box<dyn Iterator<Item = (Duration, Result<Bytes, &str>)> + Send> = match effect {
        Some(Effect::Never) => pending().await,
        Some(Effect::Close) => Box::new(iter::once((Duration::ZERO, Err("a fault closes the connection")))),
        Some(Effect::Oversize(size)) => Box::new(padded(&body, size).map(|chunk| (Duration::ZERO, Ok(chunk)))),
        Some(Effect::Cut) => {
            head.headers.insert(CONTENT_LENGTH, body.len().into());
            let half = body.slice(..body.len() / 2);
            Box::new([(Duration::ZERO, Ok(half)), (FLUSH, Err("a fault cuts the body"))].into_iter())
        }
        Some(Effect::Drip(pause)) => {
            head.headers.insert(CONTENT_LENGTH, body.len().into());
            let pauses = iter::once(Duration::ZERO).chain(iter::repeat(pause));
            Box::new(pauses.zip((0..body.len()).map(move |index| Ok(body.slice(index..=index)))))
        }
        _ => return Response::from_parts(head, body.into()),
    };
    let send = |(pause, chunk): (Duration, _)| async move {
        if !pause.is_zero() {
            sleep(pause).await;
        }
        chunk
    };
    Response::from_parts(head, Body::from_stream(stream::iter(chunks).then(send)))
}

/// A JSON object with another field that makes it longer than `size` bytes.
fn padded(body: &Bytes, size: u64) -> impl Iterator<Item = Bytes> + use<> {
    let object = body.slice(..body.trim_ascii_end().strip_suffix(b"}").map_or(0, <[u8]>::len));
    let chunks = usize::try_from(size / CHUNK.len() as u64 + 1).unwrap_or(usize::MAX);
    [object, Bytes::from_static(br#","padding":""#)]
        .into_iter()
        .chain(iter::repeat_n(Bytes::from_static(&CHUNK), chunks))
        .chain([Bytes::from_static(br#""}"#)])
}
