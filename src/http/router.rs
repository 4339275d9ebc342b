//! Which response each path has.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use hyper::{
    HeaderMap, Method, Request, StatusCode,
    header::{
        ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderValue, ORIGIN, VARY, X_CONTENT_TYPE_OPTIONS,
    },
};
use tokio::sync::{mpsc, watch};
use tracing::error;
use web_config::WebConfig;

use super::{
    body::Body,
    status::{Content, Status, StatusError},
};
use crate::{
    metrics,
    reload::{ReloadRequest, request_reload},
    state::not_ready_reason,
};

/// A response of the server.
pub(super) type Response = hyper::Response<Body>;

/// Headers of the status page and its parts: it loads nothing from elsewhere, is not framed and not cached, and does not
/// reveal its address to the sites it links to.
const SECURITY_HEADERS: [(&str, &str); 3] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'",
    ),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
];

/// The methods of every path but `/-/reload`.
const READ_METHODS: &str = "GET, HEAD, OPTIONS";

/// Everything that responses are made from.
pub struct App {
    /// The state, the metrics, and the status page.
    pub status: Arc<Status>,
    /// The web config, which each connection and each request reads again.
    pub web: watch::Receiver<Arc<WebConfig>>,
    /// Where reload requests go; `None` if reloading over HTTP is disabled.
    pub reload_tx: Option<mpsc::Sender<ReloadRequest>>,
}

impl App {
    /// Responds to a request, if the web config allows it. hyper omits the body of a response to HEAD.
    pub(super) async fn respond<B: Sync>(&self, client: SocketAddr, request: &Request<B>) -> Response {
        let web = self.web.borrow().clone();
        let access = web.access();
        let mut response = match access.authorize(client, request.headers()).await {
            Ok(()) => self.route(request).await,
            Err(status) => self.refuse(request, status),
        };
        access.apply_headers(&mut response);
        response
    }

    async fn route<B: Sync>(&self, request: &Request<B>) -> Response {
        let path = request.uri().path();
        if path == "/-/reload" {
            return self.reload(request).await;
        }
        if ![Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method()) {
            return method_not_allowed(READ_METHODS);
        }
        let mut response = self.read(request, path).await;
        // As in exporters written in Go, OPTIONS gets the response to GET: load balancers use it for health checks.
        if request.method() == Method::OPTIONS {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(READ_METHODS));
        }
        response
    }

    async fn read<B: Sync>(&self, request: &Request<B>, path: &str) -> Response {
        match path {
            // `OPTIONS *` asks about the server as a whole.
            "*" => text(StatusCode::OK, ""),
            "/-/healthy" => probe("healthy", self.status.stall_reason()),
            "/-/ready" => probe("ready", not_ready_reason(&self.status.state.borrow())),
            _ if path == self.status.telemetry_path => self.telemetry(request.headers()),
            _ => self.status(path, request.uri().query().unwrap_or_default()).await,
        }
    }

    /// Responds to a request that the web config rejects. A probe without a password gets 503 if the exporter is not
    /// healthy or not ready, and the rejection only otherwise.
    fn refuse<B>(&self, request: &Request<B>, status: StatusCode) -> Response {
        let problem = match request.uri().path() {
            "/-/healthy" => self.status.stall_reason(),
            "/-/ready" => not_ready_reason(&self.status.state.borrow()),
            _ => None,
        };
        status_only(if problem.is_none() { status } else { StatusCode::SERVICE_UNAVAILABLE })
    }

    /// Has the methods and the status codes of Prometheus.
    async fn reload<B: Sync>(&self, request: &Request<B>) -> Response {
        let Some(reload_tx) = &self.reload_tx else {
            return text(
                StatusCode::FORBIDDEN,
                "reloading over HTTP is disabled; enable it with --web.enable-lifecycle\n",
            );
        };
        if ![Method::POST, Method::PUT].contains(request.method()) {
            return method_not_allowed("POST, PUT");
        }
        if is_of_another_site(request) {
            return text(StatusCode::FORBIDDEN, "another web site sent this request\n");
        }
        match request_reload(reload_tx).await {
            Ok(()) => text(StatusCode::OK, "reloaded the config\n"),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("cannot reload the config: {error}\n")),
        }
    }

    fn telemetry(&self, headers: &HeaderMap) -> Response {
        let (exposition, process) = (self.status.exposition.borrow().clone(), metrics::process_text());
        let gzip = if accepts_gzip(headers) { exposition.gzip(&process).ok() } else { None };
        let is_gzip = gzip.is_some();
        let mut response = hyper::Response::new(gzip.unwrap_or_else(|| exposition.plain(process)));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(metrics::CONTENT_TYPE));
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if is_gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }

    async fn status(&self, path: &str, query: &str) -> Response {
        let mut response = match self.status.get(path, query).await {
            Ok(Some(Content { media_type, body })) => respond_with(StatusCode::OK, media_type, body),
            Err(StatusError::Busy) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", StatusError::Busy)),
            Ok(None) => return text(StatusCode::NOT_FOUND, "not found\n"),
            Err(StatusError::Render(error)) => {
                error!("cannot render the status page: {error:#}");
                return status_only(StatusCode::INTERNAL_SERVER_ERROR);
            }
        };
        for (name, value) in SECURITY_HEADERS {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

/// Whether the request is cross-site: sent by a browser for a page of another site, perhaps with a saved password.
fn is_of_another_site<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    if let Some(site) = headers.get("sec-fetch-site") {
        return site != "same-origin" && site != "none";
    }
    // Without TLS, browsers omit that header, but not this one.
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let host = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let host = host.or_else(|| headers.get(HOST).map(HeaderValue::as_bytes));
    let origin_host = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host.as_bytes());
    origin_host.is_none() || origin_host != host
}

/// Responds to a probe: `word` is what the exporter is or, if there is a problem, is not.
fn probe(word: &str, problem: Option<String>) -> Response {
    match problem {
        None => text(StatusCode::OK, format!("{word}\n")),
        Some(problem) => text(StatusCode::SERVICE_UNAVAILABLE, format!("not {word}: {problem}\n")),
    }
}

fn method_not_allowed(allowed: &'static str) -> Response {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// A response whose text is the name of its status.
fn status_only(status: StatusCode) -> Response {
    text(status, format!("{}\n", status.canonical_reason().unwrap_or_default()))
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response {
    respond_with(status, "text/plain; charset=utf-8", Body::short(text.into()))
}

fn respond_with(status: StatusCode, media_type: &'static str, body: Body) -> Response {
    let mut response = hyper::Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Whether `Accept-Encoding` allows gzip (RFC 9110): by name, otherwise by `*`, and not with a weight of zero.
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

    #[test]
    fn gzip_is_sent_if_the_client_accepts_it() {
        for (is_accepted, lines) in [
            (true, &["gzip", "deflate, gzip", "GZIP;q=0.5", "gzip; q=1.0", "*", "br;q=1, *;q=0.1"][..]),
            (false, &["", "identity", "gzip;q=0", "gzip;Q=0", "gzip; q=0.000, *", "*;q=0", "xgzip"]),
        ] {
            for line in lines {
                let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(line))]);
                assert_eq!(accepts_gzip(&headers), is_accepted, "{line}");
            }
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
