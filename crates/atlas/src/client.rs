//! The client of one Atlas account.

use std::{sync::Arc, time::Duration};

use reqwest::{Proxy, redirect::Policy};
use serde::de::DeserializeOwned;
use url::Url;

use crate::{
    auth::{
        authenticator::{Authenticator, Scheme},
        breaker::CredentialBreaker,
        credential::{Credential, CredentialKind},
        digest::DigestAuth,
        token::TokenSource,
    },
    endpoint::{ApiVersion, Resource},
    error::{ErrorKind, ListError},
    model::{
        container::{Container, WireContainer},
        credential_info::CredentialInfo,
        group::{Group, WireGroup},
        id::{GroupId, OrgId},
        peering::{Listing, WirePeering},
        provider::Provider,
        wire::{HasId, InvalidContent},
    },
    paging::pages::read_all,
    proxy::ProxyUrl,
    request::{ClientEvent, EventHandler, GetRequest},
    trust::Authorities,
};

/// Atlas closes idle connections after about a minute, sometimes without notice.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// HTTP/2 sends every request over one connection. Only a ping detects that it is dead, for example because a router
/// dropped it. Without pings, every request would time out until the operating system closes the connection.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// While the credential is unproven, requests wait for a probe, for the request timeout divided by this. A probe that
/// takes longer is slow for another reason.
const PROBE_DIVISOR: u32 = 3;

/// What a client needs to know about an Atlas account.
pub struct ClientSettings {
    /// The `User-Agent` of requests, such as `my-exporter/1.0`.
    pub user_agent: &'static str,
    /// The scheme, the host and, behind a reverse proxy, the path before `/api/atlas`.
    pub base_url: Url,
    /// The version of the API to request.
    pub api_version: ApiVersion,
    /// The credential of the account.
    pub credential: Credential,
    /// The proxy for requests, if any. Proxies of the environment are not used.
    pub proxy: Option<ProxyUrl>,
    /// The only authorities that may sign Atlas's certificate; if empty, those of the system.
    pub authorities: Authorities,
    /// For one HTTP request, body included.
    pub timeout: Duration,
    /// From 1 to 500.
    pub items_per_page: u16,
    /// For how long a rejected credential is not used.
    pub interval: Duration,
}

/// A client of one Atlas account.
pub struct Client {
    http: reqwest::Client,
    authenticator: Arc<Authenticator>,
    peer: Arc<str>,
    base_url: Url,
    api_version: ApiVersion,
    items_per_page: u16,
}

impl Client {
    /// A client that reports every HTTP request and other events to `events`. Fails if the proxy or the certificates
    /// are not usable, or the system has no CA certificates.
    pub fn new(
        settings: ClientSettings,
        events: impl Fn(ClientEvent) + Send + Sync + 'static,
    ) -> Result<Self, reqwest::Error> {
        let events: EventHandler = Arc::new(events);
        let http = http_client(&settings)?;
        let peer = peer(&settings);
        let Credential { kind, pair } = settings.credential;
        let scheme = match kind {
            CredentialKind::ApiKey => Scheme::ApiKey(DigestAuth::new(pair.clone(), events.clone())),
            CredentialKind::ServiceAccount => {
                let base_url = join_path(&settings.base_url, "/api/oauth");
                let (http, peer, pair, events) = (http.clone(), peer.clone(), pair.clone(), events.clone());
                let tokens = TokenSource::new(http, base_url, peer, pair, settings.interval, events);
                Scheme::ServiceAccount(Arc::new(tokens))
            }
        };
        let breaker = CredentialBreaker::new(settings.interval, settings.timeout / PROBE_DIVISOR, events.clone());
        Ok(Self {
            http,
            authenticator: Arc::new(Authenticator::new(scheme, pair, breaker, events)),
            peer,
            base_url: settings.base_url,
            api_version: settings.api_version,
            items_per_page: settings.items_per_page,
        })
    }

    /// Lists the peerings of a group with one provider. Each page is retried up to `retries` times after transient
    /// failures, but the whole never takes longer than `deadline`.
    pub async fn list_peerings(
        &self,
        group: &GroupId,
        provider: Provider,
        deadline: Duration,
        retries: u32,
    ) -> Result<Listing, ListError> {
        let resource = Resource::Peers(group.clone(), provider);
        let parse = |wire: WirePeering| wire.into_peering(provider);
        let (peerings, duplicates) = self.list(resource, deadline, retries, parse).await?;
        Ok(Listing { peerings, duplicates })
    }

    /// Lists the network containers of a group, of every provider, without retries.
    pub async fn list_containers(&self, group: &GroupId, deadline: Duration) -> Result<Vec<Container>, ListError> {
        let resource = Resource::Containers(group.clone());
        let (containers, _) = self.list(resource, deadline, 0, |wire: WireContainer| Ok(wire.into())).await?;
        Ok(containers)
    }

    /// Lists every group that the credential can see, or those of one organization. Retries like
    /// [`list_peerings`](Self::list_peerings).
    pub async fn list_groups(
        &self,
        org: Option<&OrgId>,
        deadline: Duration,
        retries: u32,
    ) -> Result<Vec<Group>, ListError> {
        let resource = org.cloned().map_or(Resource::Groups, Resource::OrgGroups);
        let (groups, _) = self.list(resource, deadline, retries, WireGroup::try_into).await?;
        Ok(groups)
    }

    /// Reads the description of the credential: the cheapest way to learn whether Atlas accepts it.
    pub async fn credential_info(&self) -> Result<CredentialInfo, ErrorKind> {
        self.get(self.url(&Resource::Root), &Resource::Root).await
    }

    /// Revokes the access token of a service account. Takes a few seconds at most.
    pub async fn close(&self) {
        self.authenticator.close().await;
    }

    /// The results and the number of duplicates.
    async fn list<W: DeserializeOwned + HasId, T>(
        &self,
        resource: Resource,
        deadline: Duration,
        retries: u32,
        parse: impl Fn(W) -> Result<T, InvalidContent>,
    ) -> Result<(Vec<T>, u64), ListError> {
        let fetch = |number| self.get_page(&resource, number);
        let listed = read_all(self.items_per_page, deadline, retries, fetch, parse).await;
        listed.map_err(|(page, kind)| ListError { resource, page, kind })
    }

    /// Reads one page, numbered from 1.
    async fn get_page<T: DeserializeOwned>(&self, resource: &Resource, number: u32) -> Result<T, ErrorKind> {
        let mut url = self.url(resource);
        url.query_pairs_mut().extend_pairs(resource.query(number, self.items_per_page));
        self.get(url, resource).await
    }

    async fn get<T: DeserializeOwned>(&self, url: Url, resource: &Resource) -> Result<T, ErrorKind> {
        let request = GetRequest { http: &self.http, url, media_type: self.api_version.media_type(), resource };
        let body =
            self.authenticator.send(&request, || self.check()).await.map_err(|error| error.with_peer(&self.peer))?;
        serde_json::from_slice(&body).map_err(|error| ErrorKind::json(&error))
    }

    /// The check of the credential. Atlas states no role for this resource.
    fn check(&self) -> GetRequest<'_> {
        let resource = &Resource::Groups;
        let mut url = self.url(resource);
        url.query_pairs_mut().extend_pairs([("itemsPerPage", "1"), ("includeCount", "false")]);
        GetRequest { http: &self.http, url, media_type: self.api_version.media_type(), resource }
    }

    fn url(&self, resource: &Resource) -> Url {
        join_path(&self.base_url, &resource.path(self.api_version))
    }
}

fn http_client(settings: &ClientSettings) -> Result<reqwest::Client, reqwest::Error> {
    let mut builder = reqwest::Client::builder()
        .user_agent(settings.user_agent)
        .timeout(settings.timeout)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .http2_keep_alive_interval(PING_INTERVAL)
        .http2_keep_alive_timeout(PING_INTERVAL)
        .http2_keep_alive_while_idle(true)
        // A redirect would send the credential to another host.
        .redirect(Policy::none());
    builder = match &settings.proxy {
        Some(proxy) => builder.proxy(Proxy::all(proxy.as_url().clone())?),
        None => builder.no_proxy(),
    };
    let authorities = settings.authorities.certificates()?;
    if !authorities.is_empty() {
        builder = builder.tls_certs_only(authorities);
    }
    builder.build()
}

/// The peer for error messages.
fn peer(settings: &ClientSettings) -> Arc<str> {
    let host = settings.base_url.host_str().unwrap_or_default();
    match settings.proxy.as_ref().map(ProxyUrl::as_url) {
        Some(proxy) => format!("`{host}` through the proxy `{}`", proxy.host_str().unwrap_or_default()).into(),
        None => format!("`{host}`").into(),
    }
}

fn join_path(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}
