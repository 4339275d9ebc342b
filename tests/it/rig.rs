//! A simulator, and the exporter or a client on top of it.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use atlas::{
    ApiVersion, Authorities, Client, ClientEvent, Credential, CredentialKind, GroupId, KeyPair, ListError, Listing,
    Provider, RequestRecord, Secret, Settings,
};
use atlas_simulator::{LoggedRequest, Scenario, Simulator};
use mongodbatlas_peering_exporter::{
    ReloadRequest, Reloads,
    config::{Config, PollConfig, USER_AGENT},
    run,
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

use crate::page::Page;

/// What any condition may take to come true.
const PATIENCE: Duration = Duration::from_secs(20);

pub const GROUP: &str = "5e57d85c854180642f784401";
pub const OTHER: &str = "5e57d85c854180642f784402";

/// A simulator that listens.
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

    pub fn settings(&self) -> Settings {
        Settings {
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

    pub fn asker(&self) -> Asker {
        Asker::new(self.settings())
    }

    /// The exporter with a config for every group of the scenario.
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

    /// A config with one account that has these settings beside its address. Its secrets are files in the folder.
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

    /// How many requests to the endpoint the simulator had since the last clear, with these outcomes.
    pub fn count(&self, endpoint: &str, outcomes: &[&str]) -> usize {
        let is_counted = |request: &&LoggedRequest| request.endpoint == endpoint && outcomes.contains(&request.outcome);
        self.simulator.requests().iter().filter(is_counted).count()
    }

    /// What the simulator was asked about peerings since the last call.
    pub fn asked(&self) -> Vec<LoggedRequest> {
        let requests = self.simulator.requests();
        self.simulator.clear_requests();
        requests
    }

    /// The outcomes of what it was asked since the last call.
    pub fn outcomes(&self) -> Vec<&'static str> {
        self.asked().iter().map(|request| request.outcome).collect()
    }
}

impl Drop for Atlas {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An API key that does not change.
pub fn key(public_key: &str, private_key: &str) -> Credential {
    let [id, secret] = [public_key, private_key].map(|text| Secret::fixed(text).unwrap());
    Credential { kind: CredentialKind::ApiKey, pair: KeyPair { id, secret } }
}

/// A service account that does not change.
pub fn service_account(client_id: &str, client_secret: &str) -> Credential {
    Credential { kind: CredentialKind::ServiceAccount, ..key(client_id, client_secret) }
}

/// A client that keeps what it reported.
pub struct Asker {
    client: Client,
    exchanges: Arc<Mutex<Vec<RequestRecord>>>,
}

impl Asker {
    pub fn new(settings: Settings) -> Self {
        let exchanges = Arc::<Mutex<Vec<RequestRecord>>>::default();
        let log = exchanges.clone();
        let client = Client::new(settings, move |report| {
            if let ClientEvent::RequestRecord(exchange) = report {
                log.lock().unwrap().push(exchange);
            }
        });
        let client = client.unwrap();
        Self { client, exchanges }
    }

    pub async fn list(&self, provider: Provider) -> Result<Listing, ListError> {
        self.list_within(provider, Duration::from_secs(10)).await
    }

    pub async fn list_within(&self, provider: Provider, deadline: Duration) -> Result<Listing, ListError> {
        self.list_group(GROUP, provider, deadline).await
    }

    pub async fn list_group(&self, group: &str, provider: Provider, deadline: Duration) -> Result<Listing, ListError> {
        let group: GroupId = group.parse().unwrap();
        self.client.list(&group, provider, deadline, 3).await
    }

    /// The codes it reported since the last call.
    pub fn codes(&self) -> Vec<String> {
        let exchanges = std::mem::take(&mut *self.exchanges.lock().unwrap());
        exchanges.into_iter().map(|exchange| exchange.code).collect()
    }
}

/// The exporter, serving what it polls from a simulator.
pub struct Rig {
    pub atlas: Atlas,
    pub exporter: SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

/// Gives a running exporter another config.
pub struct Reloader {
    wish: mpsc::Sender<ReloadRequest>,
    next: Arc<Mutex<Result<Config, String>>>,
}

impl Reloader {
    /// Whatever reads the config waits for so long, as on a disk that hangs.
    pub async fn hang(&self, period: Duration) {
        let (next, (hung, hangs)) = (self.next.clone(), oneshot::channel());
        std::thread::spawn(move || {
            let _held = next.lock().unwrap();
            hung.send(()).unwrap();
            std::thread::sleep(period);
        });
        hangs.await.unwrap();
    }

    /// What the next reload finds.
    pub fn find(&self, next: Result<Config, String>) {
        *self.next.lock().unwrap() = next;
    }

    /// The outcome of a reload that finds this.
    pub async fn reload(&self, next: Result<Config, String>) -> Result<(), String> {
        self.find(next);
        self.reload_what_is_there().await
    }

    pub async fn reload_what_is_there(&self) -> Result<(), String> {
        let (answer, outcome) = oneshot::channel();
        self.wish.send(answer).await.unwrap();
        outcome.await.unwrap()
    }
}

/// Polls in quick succession.
pub fn quick() -> PollConfig {
    PollConfig {
        interval: Duration::from_millis(200),
        timeout: Duration::from_millis(1500),
        deadline: Duration::from_secs(2),
        ..PollConfig::default()
    }
}

impl Rig {
    pub async fn start(scenario: &str) -> Self {
        Self::with(scenario, quick()).await
    }

    pub async fn with(scenario: &str, poll: PollConfig) -> Self {
        Self::on(Atlas::start(scenario).await, poll).await
    }

    pub async fn on(atlas: Atlas, poll: PollConfig) -> Self {
        let config = atlas.config(poll);
        Self::of(atlas, config).await
    }

    pub async fn of(atlas: Atlas, config: Config) -> Self {
        Self::reloadable(atlas, config).await.0
    }

    /// Beside it, how to give it another config.
    pub async fn reloadable(atlas: Atlas, config: Config) -> (Self, Reloader) {
        let (wish, wishes) = mpsc::channel(1);
        let lifecycle = Some(wish.clone());
        let next = Arc::new(Mutex::new(Ok(config.clone())));
        let reloader = Reloader { wish, next: next.clone() };
        let read = Box::new(move || next.lock().unwrap().clone().map(|config| (config, Arc::default())));
        let reloads = Some(Reloads { wishes, wish: lifecycle, read });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let exporter = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let token = shutdown.clone();
        let web = watch::Sender::default();
        let task =
            tokio::spawn(
                async move { run(&config, Shard::WHOLE, vec![listener], "/metrics", web, token, reloads).await },
            );
        (Self { atlas, exporter, shutdown, task }, reloader)
    }

    pub async fn page(&self) -> Page {
        let (status, body) = get(self.exporter, "/metrics").await;
        assert_eq!(status, 200);
        Page::parse(&body)
    }

    /// The first page on which the condition holds.
    pub async fn until(&self, what: &str, condition: impl Fn(&Page) -> bool) -> Page {
        let begun = Instant::now();
        loop {
            let page = self.page().await;
            if condition(&page) {
                return page;
            }
            assert!(begun.elapsed() < PATIENCE, "never: {what}\n{page:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The page after so many more polls of the first group's provider.
    pub async fn after_polls(&self, provider: &str, more: u32) -> Page {
        let labels = [("group_id", GROUP), ("provider", provider)];
        let polls = |page: &Page| page.value("mongodbatlas_peering_polls_total", &labels).unwrap();
        let before = polls(&self.page().await);
        self.until("more polls", |page| polls(page) >= before + f64::from(more)).await
    }

    pub async fn stop(self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        self.task.await.unwrap()
    }
}

/// The status and the body.
pub async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    ask(address, "GET", path).await
}

/// The status and the body.
pub async fn ask(address: SocketAddr, method: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}
