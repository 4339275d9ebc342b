//! A simulator, and an exporter or a client that polls it.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use atlas::{
    ApiVersion, Authorities, Client, ClientEvent, ClientSettings, Credential, CredentialKind, GroupId, KeyPair,
    ListError, Listing, Provider, RequestRecord, Secret,
};
use atlas_simulator::{LoggedRequest, Scenario, Simulator};
use mongodbatlas_peering_exporter::{
    config::{Config, ConfigError, PollConfig, USER_AGENT},
    exporter::run,
    reload::{ReloadError, ReloadRequest, Reloads},
    shard::Shard,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use crate::exposition::Exposition;

/// How long to wait for a condition.
const TIMEOUT: Duration = Duration::from_secs(20);

pub const GROUP: &str = "5e57d85c854180642f784401";
pub const OTHER: &str = "5e57d85c854180642f784402";

/// A running simulator.
pub struct Atlas {
    pub simulator: Simulator,
    pub scenario: Scenario,
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Atlas {
    pub async fn start(scenario: &str) -> Self {
        let scenario = Scenario::parse(scenario).unwrap();
        let simulator = Simulator::new(scenario.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(simulator.clone().serve(listener, std::future::pending()));
        Self { simulator, scenario, address, task }
    }

    pub fn settings(&self) -> ClientSettings {
        ClientSettings {
            user_agent: USER_AGENT,
            base_url: format!("http://{}", self.address).parse().unwrap(),
            api_version: ApiVersion::V2,
            credential: key(&self.scenario.credentials.public_key, &self.scenario.credentials.private_key),
            proxy: None,
            authorities: Authorities::default(),
            timeout: Duration::from_secs(5),
            items_per_page: 500,
            interval: Duration::from_secs(60),
        }
    }

    pub fn client(&self) -> RecordingClient {
        RecordingClient::new(self.settings())
    }

    /// A config with every group of the scenario.
    pub fn config(&self, poll: PollConfig) -> Config {
        let groups: Vec<String> = self
            .scenario
            .groups
            .iter()
            .map(|group| format!("{{id: {:?}, name: {:?}}}", group.id, group.name))
            .collect();
        let text = format!(
            "accounts: [{{name: main, base_url: 'http://{}', allow_http: true, public_key: demo,
              private_key_env: KEY, groups: [{}]}}]",
            self.address,
            groups.join(",")
        );
        let config = Config::parse(&text, Path::new(""), &|_| Some("demo".to_owned())).unwrap();
        Config { poll, ..config }
    }

    /// A config with one account with these settings besides its address. Its secrets are files in the folder.
    pub fn account(&self, folder: &Path, settings: &str, poll: PollConfig) -> Config {
        let text =
            format!("accounts: [{{name: main, base_url: 'http://{}', allow_http: true, {settings}}}]", self.address);
        let config = Config::parse(&text, folder, &|_| None).unwrap();
        Config { poll, ..config }
    }

    /// A config for the service account of the scenario, which discovers every second.
    pub fn service_account(&self, poll: PollConfig) -> Config {
        self.service_account_with("discover: {interval: 1s}", poll)
    }

    pub fn service_account_with(&self, settings: &str, poll: PollConfig) -> Config {
        let folder = tempfile::tempdir().unwrap();
        let account = &self.scenario.service_account;
        fs::write(folder.path().join("secret"), &account.client_secret).unwrap();
        let settings = format!("client_id: {}, client_secret_file: secret, {settings}", account.client_id);
        self.account(folder.path(), &settings, poll)
    }

    /// The number of requests to the endpoint with these outcomes since the requests were last cleared.
    pub fn count(&self, endpoint: &str, outcomes: &[&str]) -> usize {
        let is_counted = |request: &&LoggedRequest| request.endpoint == endpoint && outcomes.contains(&request.outcome);
        self.simulator.requests().iter().filter(is_counted).count()
    }

    /// The requests since the last call.
    pub fn take_requests(&self) -> Vec<LoggedRequest> {
        let requests = self.simulator.requests();
        self.simulator.clear_requests();
        requests
    }

    /// The outcomes of the requests since the last call.
    pub fn take_outcomes(&self) -> Vec<&'static str> {
        self.take_requests().iter().map(|request| request.outcome).collect()
    }
}

impl Drop for Atlas {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A fixed API key.
pub fn key(public_key: &str, private_key: &str) -> Credential {
    let [id, secret] = [public_key, private_key].map(|text| Secret::from_text(text).unwrap());
    Credential { kind: CredentialKind::ApiKey, pair: KeyPair { id, secret } }
}

/// A fixed service account.
pub fn service_account(client_id: &str, client_secret: &str) -> Credential {
    Credential { kind: CredentialKind::ServiceAccount, ..key(client_id, client_secret) }
}

/// A client that records the requests it reports.
pub struct RecordingClient {
    client: Client,
    requests: Arc<Mutex<Vec<RequestRecord>>>,
}

impl RecordingClient {
    pub fn new(settings: ClientSettings) -> Self {
        let requests = Arc::<Mutex<Vec<RequestRecord>>>::default();
        let log = requests.clone();
        let client = Client::new(settings, move |event| {
            if let ClientEvent::Request(request) = event {
                log.lock().unwrap().push(request);
            }
        });
        let client = client.unwrap();
        Self { client, requests }
    }

    pub async fn list(&self, provider: Provider) -> Result<Listing, ListError> {
        self.list_within(provider, Duration::from_secs(10)).await
    }

    pub async fn list_within(&self, provider: Provider, deadline: Duration) -> Result<Listing, ListError> {
        self.list_group(GROUP, provider, deadline).await
    }

    pub async fn list_group(&self, group: &str, provider: Provider, deadline: Duration) -> Result<Listing, ListError> {
        let group: GroupId = group.parse().unwrap();
        self.client.list_peerings(&group, provider, deadline, 3).await
    }

    /// The status codes or reasons of the requests since the last call.
    pub fn take_codes(&self) -> Vec<String> {
        let requests = std::mem::take(&mut *self.requests.lock().unwrap());
        requests.into_iter().map(|request| request.outcome.to_string()).collect()
    }
}

/// An exporter that polls a simulator.
pub struct TestExporter {
    pub atlas: Atlas,
    pub address: SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

/// Reloads the config of a running exporter.
pub struct Reloader {
    reload_tx: mpsc::Sender<ReloadRequest>,
    next: Arc<Mutex<Result<Config, String>>>,
}

impl Reloader {
    /// Blocks reads of the config for a period, like a disk that hangs.
    pub async fn hang(&self, period: Duration) {
        let (next, (hung, hangs)) = (self.next.clone(), oneshot::channel());
        std::thread::spawn(move || {
            let _held = next.lock().unwrap();
            hung.send(()).unwrap();
            std::thread::sleep(period);
        });
        hangs.await.unwrap();
    }

    /// Sets the config that the next reload reads.
    pub fn set_next(&self, next: Result<Config, String>) {
        *self.next.lock().unwrap() = next;
    }

    /// The outcome of a reload that reads this.
    pub async fn reload(&self, next: Result<Config, String>) -> Result<(), ReloadError> {
        self.set_next(next);
        self.reload_current().await
    }

    pub async fn reload_current(&self) -> Result<(), ReloadError> {
        let (request, outcome) = oneshot::channel();
        self.reload_tx.send(request).await.unwrap();
        outcome.await.unwrap()
    }
}

/// Polls five times a second.
pub fn quick() -> PollConfig {
    PollConfig {
        interval: Duration::from_millis(200),
        timeout: Duration::from_millis(1500),
        deadline: Duration::from_secs(2),
        ..PollConfig::default()
    }
}

impl TestExporter {
    pub async fn start(scenario: &str) -> Self {
        Self::start_with(scenario, quick()).await
    }

    pub async fn start_with(scenario: &str, poll: PollConfig) -> Self {
        Self::on(Atlas::start(scenario).await, poll).await
    }

    pub async fn on(atlas: Atlas, poll: PollConfig) -> Self {
        let config = atlas.config(poll);
        Self::run(atlas, config).await
    }

    /// An exporter for the service account of the scenario, which discovers every second.
    pub async fn with_service_account(atlas: Atlas, poll: PollConfig) -> Self {
        let config = atlas.service_account(poll);
        Self::run(atlas, config).await
    }

    pub async fn run(atlas: Atlas, config: Config) -> Self {
        Self::reloadable(atlas, config).await.0
    }

    /// Also returns a handle that reloads the config.
    pub async fn reloadable(atlas: Atlas, config: Config) -> (Self, Reloader) {
        Self::sharded(atlas, config, Shard::WHOLE).await
    }

    /// One of several shards.
    pub async fn sharded(atlas: Atlas, config: Config, shard: Shard) -> (Self, Reloader) {
        let (reload_tx, reload_rx) = mpsc::channel(1);
        let for_http = Some(reload_tx.clone());
        let next = Arc::new(Mutex::new(Ok(config.clone())));
        let reloader = Reloader { reload_tx, next: next.clone() };
        let read = Box::new(move || {
            let config = next.lock().unwrap().clone();
            let config = config.map_err(|fault| ReloadError::Config(ConfigError::whole(fault)))?;
            Ok((config, Arc::default()))
        });
        let reloads = Some(Reloads { reload_rx, reload_tx: for_http, read });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let token = shutdown.clone();
        let web = watch::Sender::default();
        let task =
            tokio::spawn(async move { run(&config, shard, vec![listener], "/metrics", web, token, reloads).await });
        (Self { atlas, address, shutdown, task }, reloader)
    }

    pub async fn scrape(&self) -> Exposition {
        let (status, body) = get(self.address, "/metrics").await;
        assert_eq!(status, 200);
        Exposition::parse(&body)
    }

    /// Waits for an exposition that meets the condition.
    pub async fn until(&self, what: &str, condition: impl Fn(&Exposition) -> bool) -> Exposition {
        let started = Instant::now();
        loop {
            let metrics = self.scrape().await;
            if condition(&metrics) {
                return metrics;
            }
            assert!(started.elapsed() < TIMEOUT, "never: {what}\n{metrics:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The exposition after this many more polls of the first group and the provider.
    pub async fn after_polls(&self, provider: &str, more: u32) -> Exposition {
        let labels = [("group_id", GROUP), ("provider", provider)];
        let polls = |metrics: &Exposition| metrics.value("mongodbatlas_peering_polls_total", &labels).unwrap();
        let before = polls(&self.scrape().await);
        self.until("more polls", |metrics| polls(metrics) >= before + f64::from(more)).await
    }

    pub async fn stop(self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        self.task.await.unwrap()
    }
}

/// The status and the body of a response to GET.
pub async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    request(address, "GET", path).await
}

/// The status and the body of the response.
pub async fn request(address: SocketAddr, method: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}
