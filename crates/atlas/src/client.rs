//! One page of whatever Atlas lists: one HTTP exchange.

use std::{sync::Arc, time::Duration};

use reqwest::{Proxy, RequestBuilder, header::ACCEPT, redirect::Policy};
use serde::de::DeserializeOwned;
use url::{Host, Url};

use crate::{
    Authorities, ClientEvent, Credential, ErrorKind, JsonPosition, ProxyUrl, Resource, auth::authenticator::Asker,
    auth::breaker::Gate, auth::token::Tokens,
};

/// Atlas closes connections that idle for about a minute, at times without a word.
const IDLE_CONNECTION: Duration = Duration::from_secs(30);

/// HTTP/2 sends every request over one connection. If that dies without a word, as behind a router that forgot it,
/// only an unanswered ping tells; without one, every request would time out until the system gives up.
const PING: Duration = Duration::from_secs(10);

/// While nobody knows whether the credential is good, requests wait for each other for so small a part of the timeout: an
/// answer that takes longer says nothing of the credential.
const TRIAL: u32 = 3;

/// What a client needs to know about one Atlas account.
pub struct Settings {
    /// What requests name as their sender, such as `my-exporter/1.0`.
    pub user_agent: &'static str,
    /// Scheme, host and, behind a proxy, the path before `/api/atlas`.
    pub base_url: Url,
    /// Which version of the API to ask.
    pub api_version: ApiVersion,
    /// What Atlas knows the account by.
    pub credential: Credential,
    /// Where requests go out; if nothing is said, where the environment says.
    pub proxy: Option<ProxyUrl>,
    /// The only ones that are trusted to have signed Atlas's certificate; if there are none, those of the system.
    pub authorities: Authorities,
    /// Bound on one HTTP request, body included.
    pub timeout: Duration,
    /// From 1 to 500.
    pub items_per_page: u16,
    /// For how long a credential that was refused is left alone.
    pub interval: Duration,
}

/// A version of the Administration API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiVersion {
    /// v1.0, which Atlas calls deprecated.
    V1,
    /// v2 with the resource version 2023-01-01, the only one that peers have.
    V2,
}

impl ApiVersion {
    /// What a resource's end is announced for: the label `version`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1.0",
            Self::V2 => "2023-01-01",
        }
    }

    pub(crate) fn in_path(self) -> &'static str {
        match self {
            Self::V1 => "v1.0",
            Self::V2 => "v2",
        }
    }

    fn accept(self) -> &'static str {
        match self {
            Self::V1 => "application/json",
            Self::V2 => "application/vnd.atlas.2023-01-01+json",
        }
    }
}

/// Asks one Atlas account.
pub struct Client {
    http: reqwest::Client,
    asker: Asker,
    way: Arc<str>,
    base_url: Url,
    api_version: ApiVersion,
    pub(crate) items_per_page: u16,
}

impl Client {
    /// A client that tells `reporter` what happens, every HTTP request above all.
    ///
    /// # Errors
    /// No usable CA certificates on this machine.
    pub fn new(
        settings: Settings,
        reporter: impl Fn(ClientEvent) + Send + Sync + 'static,
    ) -> Result<Self, reqwest::Error> {
        let reporter = Arc::new(reporter);
        let http = http(&settings)?;
        let way = way(&settings);
        let oauth = below(&settings.base_url, "/api/oauth");
        let interval = settings.interval;
        let gate = Gate::new(interval, settings.timeout / TRIAL);
        let asker = Asker::new(settings.credential, gate, reporter.clone(), |pair| {
            Tokens::new(http.clone(), oauth, way.clone(), pair, interval, reporter)
        });
        Ok(Self {
            http,
            asker,
            way,
            base_url: settings.base_url,
            api_version: settings.api_version,
            items_per_page: settings.items_per_page,
        })
    }

    /// Reads one page, numbered from 1.
    pub(crate) async fn page<T: DeserializeOwned>(&self, resource: &Resource, number: u32) -> Result<T, ErrorKind> {
        let mut url = self.url(resource);
        if let Some(provider) = resource.provider() {
            url.query_pairs_mut().append_pair("providerName", provider.as_str());
        }
        url.query_pairs_mut()
            .append_pair("itemsPerPage", &self.items_per_page.to_string())
            .append_pair("pageNum", &number.to_string());
        self.get(url, resource).await
    }

    /// Reads what has no pages.
    pub(crate) async fn whole<T: DeserializeOwned>(&self, resource: &Resource) -> Result<T, ErrorKind> {
        self.get(self.url(resource), resource).await
    }

    /// Ends what Atlas would otherwise keep alive. Takes a few seconds at most.
    pub async fn close(&self) {
        self.asker.close().await;
    }

    async fn get<T: DeserializeOwned>(&self, url: Url, resource: &Resource) -> Result<T, ErrorKind> {
        let request: RequestBuilder = self.http.get(url).header(ACCEPT, self.api_version.accept());
        let body = self.asker.ask(&request, resource).await.map_err(|error| error.on(&self.way))?;
        serde_json::from_slice(&body).map_err(|error| ErrorKind::Json(JsonPosition::of(&error)))
    }

    fn url(&self, resource: &Resource) -> Url {
        below(&self.base_url, &resource.path(self.api_version))
    }
}

fn http(settings: &Settings) -> Result<reqwest::Client, reqwest::Error> {
    let mut http = reqwest::Client::builder()
        .user_agent(settings.user_agent)
        .timeout(settings.timeout)
        .pool_idle_timeout(IDLE_CONNECTION)
        .http2_keep_alive_interval(PING)
        .http2_keep_alive_timeout(PING)
        .http2_keep_alive_while_idle(true)
        // A redirect would carry the proof of the credential to wherever it points.
        .redirect(Policy::none());
    http = match &settings.proxy {
        Some(proxy) => http.proxy(Proxy::all(proxy.as_url().clone())?),
        None if is_loopback(&settings.base_url) => http.no_proxy(),
        None => http,
    };
    if !settings.authorities.certificates.is_empty() {
        http = http.tls_certs_only(settings.authorities.certificates.clone());
    }
    http.build()
}

/// Where requests go, as far as we know: the environment may name a proxy too.
fn way(settings: &Settings) -> Arc<str> {
    let host = settings.base_url.host_str().unwrap_or_default();
    match settings.proxy.as_ref().map(ProxyUrl::as_url) {
        Some(proxy) => format!("`{host}` through the proxy `{}`", proxy.host_str().unwrap_or_default()).into(),
        None => format!("`{host}`").into(),
    }
}

fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let path = format!("{}{path}", base.path().trim_end_matches('/'));
    url.set_path(&path);
    url
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
