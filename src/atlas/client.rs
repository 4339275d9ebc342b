//! One page of peerings: one HTTP exchange with Atlas.

use std::time::Duration;

use reqwest::{
    RequestBuilder, Response, StatusCode,
    header::{ACCEPT, HeaderMap, HeaderValue, RETRY_AFTER},
    redirect::Policy,
};
use secrecy::SecretString;
use url::{Host, Url};

use super::{
    Answer, ErrorKind, Exchange, GroupId, Place, Provider,
    digest::Sessions,
    exchange::{OnExchange, UnderWay},
    page::Page,
};

/// A body larger than this ends the listing. A page of 500 peerings has a quarter of a megabyte.
const MAX_BODY: usize = 8 << 20;

/// Atlas closes connections that idle for about a minute, at times without a word.
const IDLE_CONNECTION: Duration = Duration::from_secs(30);

/// HTTP/2 sends every request over one connection. If that dies without a word, as behind a router that forgot it,
/// only an unanswered ping tells; without one, every request would time out until the system gives up.
const PING: Duration = Duration::from_secs(10);

/// A longer `Retry-After` is taken as this: a bad header must not blind us for a day.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// What a client needs to know about one Atlas account.
pub struct Settings {
    /// Scheme, host and, behind a proxy, the path before `/api/atlas`.
    pub base_url: Url,
    /// Which version of the API to ask.
    pub api_version: ApiVersion,
    /// The public half of the API key.
    pub public_key: String,
    /// The private half of the API key.
    pub private_key: SecretString,
    /// Bound on one HTTP request, body included.
    pub timeout: Duration,
    /// From 1 to 500.
    pub items_per_page: u16,
}

/// A version of the Administration API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiVersion {
    /// v1.0, which Atlas calls deprecated.
    V1,
    /// v2 with the resource version 2023-01-01, the only one that peers have.
    V2,
}

/// Asks one Atlas account.
pub struct Client {
    http: reqwest::Client,
    sessions: Sessions,
    base_url: Url,
    api_version: ApiVersion,
    pub(super) items_per_page: u16,
    on_exchange: OnExchange,
}

impl Client {
    /// A client that reports each HTTP request it made to `on_exchange`.
    ///
    /// # Errors
    /// No usable CA certificates on this machine.
    pub fn new(
        settings: Settings,
        on_exchange: impl Fn(Exchange) + Send + Sync + 'static,
    ) -> Result<Self, reqwest::Error> {
        let mut http = reqwest::Client::builder()
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            .timeout(settings.timeout)
            .pool_idle_timeout(IDLE_CONNECTION)
            .http2_keep_alive_interval(PING)
            .http2_keep_alive_timeout(PING)
            .http2_keep_alive_while_idle(true)
            // A redirect would carry the proof of the key to wherever it points.
            .redirect(Policy::none());
        if is_loopback(&settings.base_url) {
            http = http.no_proxy();
        }
        Ok(Self {
            http: http.build()?,
            sessions: Sessions::new(settings.public_key, settings.private_key),
            base_url: settings.base_url,
            api_version: settings.api_version,
            items_per_page: settings.items_per_page,
            on_exchange: Box::new(on_exchange),
        })
    }

    /// Reads one page, numbered from 1.
    pub(super) async fn page(&self, group: &GroupId, provider: Provider, number: u32) -> Result<Page, ErrorKind> {
        let request = self.request(group, provider, number);
        let under_way = UnderWay::begin(group, &self.on_exchange);
        let sent = self.sessions.send(&request, &under_way).await;
        let response = sent.inspect_err(|error| under_way.failed(error))?;
        under_way.answered(&response);
        read(response).await
    }

    fn request(&self, group: &GroupId, provider: Provider, number: u32) -> RequestBuilder {
        let (version, accept) = match self.api_version {
            ApiVersion::V1 => ("v1.0", "application/json"),
            ApiVersion::V2 => ("v2", "application/vnd.atlas.2023-01-01+json"),
        };
        let mut url = self.base_url.clone();
        let path = format!("{}/api/atlas/{version}/groups/{group}/peers", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url.query_pairs_mut()
            .append_pair("providerName", provider.as_str())
            .append_pair("itemsPerPage", &self.items_per_page.to_string())
            .append_pair("pageNum", &number.to_string());
        self.http.get(url).header(ACCEPT, accept)
    }
}

async fn read(mut response: Response) -> Result<Page, ErrorKind> {
    let status = response.status();
    let retry_after = retry_after(response.headers());
    let body = body(&mut response).await;
    if status != StatusCode::OK {
        // The status says enough where the body of an error is cut short.
        return Err(ErrorKind::Answer(Answer::new(status.as_u16(), &body.unwrap_or_default(), retry_after)));
    }
    serde_json::from_slice(&body?).map_err(|error| ErrorKind::Json(Place::of(&error)))
}

async fn body(response: &mut Response) -> Result<Vec<u8>, ErrorKind> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(ErrorKind::http)? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(ErrorKind::TooLarge { limit: MAX_BODY });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    number(headers.get(RETRY_AFTER)).map(|seconds| Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

pub(super) fn number(value: Option<&HeaderValue>) -> Option<u64> {
    value?.to_str().ok()?.trim().parse().ok()
}

/// A proxy from the environment is for the way out, not for a simulator on this machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
