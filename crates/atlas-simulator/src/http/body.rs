//! An HTTP response before it is sent, and the ways in which a fault delivers its body.

use std::{io::Write, iter, time::Duration};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures_util::{StreamExt, TryStreamExt, stream};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{Response, StatusCode, body::Frame, header::HeaderValue};
use tokio::time::sleep;

/// Recorded on every response of Atlas itself, including challenges.
const SERVER: (&str, &str) = ("server", "mdbws");

/// Recorded on every response of a resource, success or error, but not on challenges.
const RESOURCE_HEADERS: [(&str, &str); 5] = [
    ("referrer-policy", "strict-origin-when-cross-origin"),
    ("strict-transport-security", "max-age=31536000; includeSubdomains;"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("x-permitted-cross-domain-policies", "none"),
];

/// Recorded on errors and challenges, but on no success. None of the recorded responses was compressed.
const VARY: (&str, &str) = ("vary", "Accept-Encoding");

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
    pub(crate) status: u16,
    /// Whether a resource of the API sends it, rather than the server in front.
    pub(crate) is_from_resource: bool,
    pub(crate) delivery: Delivery,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

/// How a body is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    Whole,
    /// Half of what `Content-Length` promises.
    Cut,
    /// Byte by byte with this pause between them.
    Drip(Duration),
    /// Valid JSON that is longer than this many bytes.
    Padded(u64),
}

/// A body that can break off, stall or grow while it is sent.
pub(crate) type FaultyBody = UnsyncBoxBody<Bytes, BodyCut>;

/// Ends the connection, or the stream of HTTP/2, in the middle of a body.
#[derive(Debug, thiserror::Error)]
#[error("a fault cuts the body")]
pub(crate) struct BodyCut;

impl ApiResponse {
    /// A response that does not come from Atlas itself.
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> ApiResponse {
        let headers = vec![("content-type", content_type.to_owned())];
        let (outcome, is_from_resource, delivery) = ("ok", false, Delivery::Whole);
        ApiResponse { outcome, status, is_from_resource, delivery, headers, body: body.into() }
    }

    /// A response of a resource.
    pub(crate) fn from_resource(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> ApiResponse {
        let mut response = ApiResponse::new(status, content_type, body);
        response.is_from_resource = true;
        iter::once(SERVER).chain(RESOURCE_HEADERS).fold(response, |response, (name, value)| response.with(name, value))
    }

    /// A JSON response of the server in front of the resources, such as a token.
    pub(crate) fn from_server(status: u16, body: impl Into<Vec<u8>>) -> ApiResponse {
        ApiResponse::new(status, "application/json", body).with(SERVER.0, SERVER.1)
    }

    /// The recorded response to missing, stale and wrong keys. There is no recording for a rejected token: the
    /// response has the same body, but no challenge, which a client with a token could not use.
    pub(crate) fn unauthorized(challenge: Option<String>) -> ApiResponse {
        let response = ApiResponse::from_server(401, UNAUTHORIZED).varying();
        match challenge {
            Some(challenge) => response.with("www-authenticate", challenge),
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

    /// Adds a header.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> ApiResponse {
        self.headers.push((name, value.into()));
        self
    }

    /// Adds the header of a response that may be compressed.
    pub(crate) fn varying(self) -> ApiResponse {
        self.with(VARY.0, VARY.1)
    }

    /// Compresses a success. Padding is added while the body is sent, so a padded body stays as it is.
    pub(crate) fn compress(self) -> ApiResponse {
        if self.status != 200 || self.body.is_empty() || matches!(self.delivery, Delivery::Padded(_)) {
            return self;
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        match encoder.write_all(&self.body).and_then(|()| encoder.finish()) {
            Ok(body) => ApiResponse { body, ..self }.varying().with("content-encoding", "gzip"),
            Err(_) => self,
        }
    }

    /// The response for hyper; for `HEAD` without its body.
    pub(crate) fn into_http(self, is_head: bool) -> Response<FaultyBody> {
        let length = self.body.len();
        let body = if is_head { Vec::new() } else { self.body };
        let mut response = Response::new(faulty_body(body.into(), self.delivery));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or_default();
        let headers = response.headers_mut();
        for (name, value) in self.headers {
            // A fault can contain text that is no valid header value. Such a header is omitted.
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        if !matches!(self.delivery, Delivery::Padded(_)) {
            headers.insert("content-length", length.into());
        }
        response
    }
}

fn faulty_body(body: Bytes, delivery: Delivery) -> FaultyBody {
    // Each chunk with the pause before it.
    let chunks: Box<dyn Iterator<Item = (Duration, Result<Bytes, BodyCut>)> + Send> = match delivery {
        Delivery::Whole => return Full::new(body).map_err(|never| match never {}).boxed_unsync(),
        Delivery::Cut => {
            let half = body.slice(..body.len() / 2);
            Box::new([(Duration::ZERO, Ok(half)), (FLUSH, Err(BodyCut))].into_iter())
        }
        Delivery::Drip(pause) => Box::new((0..body.len()).map(move |index| {
            let pause = if index == 0 { Duration::ZERO } else { pause };
            (pause, Ok(body.slice(index..=index)))
        })),
        Delivery::Padded(size) => Box::new(padded(&body, size).map(|chunk| (Duration::ZERO, Ok(chunk)))),
    };
    let send = |(pause, chunk): (Duration, _)| async move {
        if !pause.is_zero() {
            sleep(pause).await;
        }
        chunk
    };
    StreamBody::new(stream::iter(chunks).then(send).map_ok(Frame::data)).boxed_unsync()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn response(delivery: Delivery) -> Response<FaultyBody> {
        let response = ApiResponse::new(200, "application/json", r#"{"results":[]}"#);
        ApiResponse { delivery, ..response }.into_http(false)
    }

    #[tokio::test]
    async fn a_padded_body_is_valid_json_beyond_its_size() {
        let response = response(Delivery::Padded(100_000));
        assert!(!response.headers().contains_key("content-length"));
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        assert!(bytes.len() > 100_000);
        let body: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(body["results"], serde_json::json!([]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_dripping_body_pauses_between_bytes() {
        let start = tokio::time::Instant::now();
        let response = response(Delivery::Drip(Duration::from_secs(1)));
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(bytes, r#"{"results":[]}"#);
        assert_eq!(start.elapsed().as_secs(), 13);
    }
}
