//! What is answered under which path.

use std::{pin::Pin, sync::Arc};

use bytes::{Buf, Bytes};
use http_body_util::Full;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    header::{ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, VARY},
};

use tracing::error;

use super::exposition::{Body, Exposition};

/// What is sent.
pub(super) type Answer = Response<Full<Body>>;

/// What the server answers with; it asks anew for each request.
pub struct Routes {
    /// The path of the metrics, such as `/metrics`.
    pub telemetry_path: String,
    /// The media type of the metrics.
    pub telemetry_type: &'static str,
    /// The metrics and their tail.
    pub telemetry: Box<dyn Fn() -> (Arc<Exposition>, String) + Send + Sync>,
    /// What is missing until the first data are complete, as a sentence.
    pub missing: Box<dyn Fn() -> Option<String> + Send + Sync>,
    /// What keeps the exporter from its work though it answers, as a sentence.
    pub stuck: Box<dyn Fn() -> Option<String> + Send + Sync>,
    /// Reads the config again; nothing where nobody may wish that over HTTP.
    pub reload: Option<Reload>,
    /// Every other page, by path and query; nothing where there is none.
    pub pages: Pages,
}

/// Makes a page for whoever asks for a path, with a query; an error is for the log.
pub type Pages = Box<dyn Fn(&str, &str) -> Making + Send + Sync>;

/// A page that is being made.
pub type Making = Pin<Box<dyn Future<Output = anyhow::Result<Option<Page>>> + Send>>;

/// What is answered.
#[derive(Debug)]
pub struct Page {
    status: StatusCode,
    content_type: &'static str,
    body: Bytes,
}

impl Page {
    /// A page of a media type.
    pub fn of(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status: StatusCode::OK, content_type, body: body.into() }
    }

    /// There is no room for it now.
    #[must_use]
    pub fn busy() -> Self {
        let said = "too many clients are slow to take their pages; try again\n";
        Self { status: StatusCode::SERVICE_UNAVAILABLE, ..Self::of("text/plain; charset=utf-8", said) }
    }

    /// What it says.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

/// Reads the config again, and says why it is not used.
pub type Reload = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

impl Routes {
    /// Answers a request; hyper leaves the body out of an answer to HEAD.
    pub(super) async fn answer<B: Sync>(&self, request: &Request<B>) -> Answer {
        let path = request.uri().path();
        if path == "/-/reload" {
            return self.reload(request.method()).await;
        }
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            return only("GET, HEAD");
        }
        match path {
            "/-/healthy" => match (self.stuck)() {
                None => text(StatusCode::OK, "healthy\n"),
                Some(stuck) => text(StatusCode::SERVICE_UNAVAILABLE, &format!("not healthy: {stuck}\n")),
            },
            "/-/ready" => match (self.missing)() {
                None => text(StatusCode::OK, "ready\n"),
                Some(missing) => text(StatusCode::SERVICE_UNAVAILABLE, &format!("not ready: {missing}\n")),
            },
            _ if path == self.telemetry_path => self.telemetry(request.headers()),
            _ => match (self.pages)(path, request.uri().query().unwrap_or_default()).await {
                Ok(Some(page)) => answer(page),
                Ok(None) => text(StatusCode::NOT_FOUND, "not found\n"),
                Err(why) => {
                    error!("a page cannot be made: {why:#}");
                    refusal(StatusCode::INTERNAL_SERVER_ERROR)
                }
            },
        }
    }

    /// Answers a request that the guard does not admit. A probe has no password: that it is asked for one must mean that
    /// nothing else is wrong.
    pub(super) fn refuse<B>(&self, request: &Request<B>, status: StatusCode) -> Answer {
        let is_well = match request.uri().path() {
            "/-/healthy" => (self.stuck)().is_none(),
            "/-/ready" => (self.missing)().is_none(),
            _ => true,
        };
        refusal(if is_well { status } else { StatusCode::SERVICE_UNAVAILABLE })
    }

    /// As Prometheus answers under the same path.
    async fn reload(&self, method: &Method) -> Answer {
        let Some(reload) = &self.reload else {
            return text(StatusCode::FORBIDDEN, "reloads over HTTP are off; --web.enable-lifecycle turns them on\n");
        };
        if ![Method::POST, Method::PUT].contains(method) {
            return only("POST, PUT");
        }
        match reload().await {
            Ok(()) => text(StatusCode::OK, "the config was read again\n"),
            Err(why) => text(StatusCode::INTERNAL_SERVER_ERROR, &format!("the config is not used: {why}\n")),
        }
    }

    fn telemetry(&self, headers: &HeaderMap) -> Answer {
        let (document, tail) = (self.telemetry)();
        let zipped = if accepts_gzip(headers) { document.gzip(&tail).ok() } else { None };
        let is_zipped = zipped.is_some();
        let mut response = Response::new(Full::new(zipped.unwrap_or_else(|| document.plain(tail))));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.telemetry_type));
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        if is_zipped {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

/// Nothing but what comes from here, and no word to others about where that is.
const POLICY: [(&str, &str); 3] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'",
    ),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
];

fn answer(page: Page) -> Answer {
    let mut response = text(page.status, "");
    *response.body_mut() = Full::new(page.body.chain(Bytes::new()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(page.content_type));
    for (name, value) in POLICY {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// To a method that the path does not take.
fn only(methods: &'static str) -> Answer {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}

/// To a request that is not answered otherwise.
pub(super) fn refusal(status: StatusCode) -> Answer {
    text(status, &format!("{}\n", status.canonical_reason().unwrap_or_default()))
}

fn text(status: StatusCode, text: &str) -> Answer {
    let body = Bytes::from(text.to_owned()).chain(Bytes::new());
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

/// Whether `Accept-Encoding` allows gzip (RFC 9110): by name, else by `*`, and not with a weight of zero.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    let codings: Vec<(&str, bool)> = lines.flat_map(|line| line.split(',')).map(coding).collect();
    let allows = |name: &str| codings.iter().find(|(coding, _)| coding.eq_ignore_ascii_case(name)).map(|(_, on)| *on);
    allows("gzip").or_else(|| allows("*")).unwrap_or(false)
}

/// A coding and whether its weight is above zero.
fn coding(item: &str) -> (&str, bool) {
    let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
    let parameters = parameters.trim().to_ascii_lowercase();
    let weight = parameters.strip_prefix("q=").map(str::parse::<f32>);
    (name.trim(), !matches!(weight, Some(Ok(weight)) if weight <= 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(line: &str) -> bool {
        accepts_gzip(&HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_str(line).unwrap())]))
    }

    #[test]
    fn gzip_is_served_to_whoever_asks_for_it() {
        for line in ["gzip", "deflate, gzip", "GZIP;q=0.5", "gzip; q=1.0", "*", "br;q=1, *;q=0.1"] {
            assert!(accepts(line), "{line}");
        }
    }

    #[test]
    fn gzip_is_not_served_to_others() {
        for line in ["", "identity", "gzip;q=0", "gzip;Q=0", "gzip; q=0.000, *", "*;q=0", "xgzip"] {
            assert!(!accepts(line), "{line}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
