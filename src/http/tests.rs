use std::{collections::BTreeMap, net::SocketAddr, time::SystemTime};

use atlas::{Listing, Provider};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
    task::JoinHandle,
    time::Instant,
};
use web_config::WebConfig;

use super::{status::Status, *};
use crate::state::{ListingKey, PollResult, State};

/// More bytes than the system buffers for a connection.
pub(super) const LONG: usize = 32 << 20;

pub(super) struct TestServer {
    pub(super) address: SocketAddr,
    pub(super) shutdown: CancellationToken,
    pub(super) task: JoinHandle<()>,
}

impl TestServer {
    async fn start(limits: Limits) -> Self {
        Self::with_web_config(limits, WebConfig::default()).await
    }

    pub(super) async fn with_web_config(limits: Limits, web: WebConfig) -> Self {
        Self::with_state(limits, web, ready()).await
    }

    /// With an exposition of [`LONG`] bytes.
    async fn with_state(limits: Limits, web: WebConfig, state: State) -> Self {
        let state = watch::Sender::new(state).subscribe();
        let exposition = watch::Sender::new(Arc::new(Exposition::new("x".repeat(LONG)).unwrap())).subscribe();
        let app = App {
            status: Status::new(state.clone(), exposition.clone(), "/metrics"),
            state,
            exposition,
            web: watch::Sender::new(Arc::new(web)).subscribe(),
            telemetry_path: "/metrics".to_owned(),
            reload_tx: None,
        };
        let listeners = bind(&["127.0.0.1:0".to_owned()]).await.unwrap();
        let address = listeners[0].local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(serve(listeners, app, limits, shutdown.clone()));
        Self { address, shutdown, task }
    }

    async fn send(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    async fn get(&self, path: &str) -> io::Result<String> {
        let mut response = String::new();
        self.send(&format!("GET {path} HTTP/1.0\r\n\r\n")).await.read_to_string(&mut response).await?;
        Ok(response)
    }

    async fn responds_within_ten_seconds(&self) -> bool {
        let response = timeout(Duration::from_secs(10), self.get("/-/healthy")).await.unwrap();
        response.is_ok_and(|response| response.ends_with("healthy\n"))
    }
}

/// A state with one listing that was not polled yet.
fn unpolled() -> (State, ListingKey) {
    let key = ListingKey { group: "5e57d85c854180642f784401".parse().unwrap(), provider: Provider::Aws };
    let (minute, accounts, groups) = (Duration::from_secs(60), BTreeMap::new(), BTreeMap::new());
    (State::new(minute, minute * 15, SystemTime::UNIX_EPOCH, accounts, groups, [key.clone()]), key)
}

/// Every listing was polled.
fn ready() -> State {
    let (mut state, key) = unpolled();
    let (ended, outcome) = (std::time::Instant::now(), Ok(Listing { peerings: Vec::new(), duplicates: 0 }));
    let (ended_at, duration, due) = (SystemTime::now(), Duration::ZERO, ended + state.interval);
    state.record_poll(&key, PollResult { ended, ended_at, duration, due, outcome });
    state
}

/// The first poll is long overdue.
fn stalled() -> State {
    let (mut state, key) = unpolled();
    state.interval = Duration::ZERO;
    state.ensure_due(&key, std::time::Instant::now());
    state
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_disconnected() {
    let limits = Limits { connections: 1, write: Duration::from_millis(300), ..Limits::default() };
    let server = TestServer::start(limits).await;
    let idle = server.send("GET /metrics HTTP/1.1\r\n\r\n").await;
    // The only permit becomes free once the idle client is disconnected.
    assert!(server.responds_within_ten_seconds().await);
    drop(idle);
}

#[tokio::test]
async fn a_client_that_sends_no_request_is_disconnected() {
    let limits = Limits { connections: 1, header: Duration::from_millis(300), ..Limits::default() };
    let server = TestServer::start(limits).await;
    for request in ["", "GET /met"] {
        let idle = server.send(request).await;
        assert!(server.responds_within_ten_seconds().await, "{request}");
        drop(idle);
    }
}

#[tokio::test]
async fn shutdown_waits_for_a_limited_time() {
    let server = TestServer::start(Limits { drain: Duration::from_millis(300), ..Limits::default() }).await;
    let mut idle = server.send("GET /metrics HTTP/1.1\r\n\r\n").await;
    idle.read_exact(&mut [0; 12]).await.unwrap();
    let start = Instant::now();
    server.shutdown.cancel();
    server.task.await.unwrap();
    assert!((Duration::from_millis(300)..Duration::from_secs(3)).contains(&start.elapsed()));
}

#[tokio::test]
async fn shutdown_completes_an_in_flight_request() {
    let server = TestServer::start(Limits::default()).await;
    let mut stream = server.send("GET /metrics HTTP/1.1\r\n\r\n").await;
    stream.read_exact(&mut [0; 12]).await.unwrap();
    server.shutdown.cancel();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() > LONG);
    server.task.await.unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_stalled_exporter_is_neither_healthy_nor_ready_and_says_why() {
    let server = TestServer::with_state(Limits::default(), WebConfig::default(), stalled()).await;
    for (path, start) in [("/-/healthy", "\r\n\r\nnot healthy: 1 "), ("/-/ready", "\r\n\r\nnot ready: 1 ")] {
        let response = server.get(path).await.unwrap();
        assert!(response.starts_with("HTTP/1.0 503 ") && response.contains(start), "{response}");
    }
}

#[tokio::test]
async fn a_probe_without_a_password_gets_503_if_the_exporter_has_stalled_but_no_reason() {
    let users = "basic_auth_users: {bob: $2y$04$0123456789012345678901uD6LR2m9Sk1ES6hHQXSh8sqgEuMnvOK}";
    for (state, status) in [(ready(), "401"), (stalled(), "503")] {
        let (web, _) = WebConfig::parse(users, std::path::Path::new("")).unwrap();
        let server = TestServer::with_state(Limits::default(), web, state).await;
        for path in ["/-/healthy", "/-/ready"] {
            let response = server.get(path).await.unwrap();
            assert!(response.starts_with(&format!("HTTP/1.0 {status} ")) && !response.contains("not "), "{response}");
        }
        assert!(server.get("/metrics").await.unwrap().starts_with("HTTP/1.0 401 "));
    }
}

#[tokio::test]
async fn a_port_without_a_host_means_all_addresses() {
    let listener = bind(&[":0".to_owned()]).await.unwrap().remove(0);
    let address = listener.local_addr().unwrap();
    assert!(address.ip().is_unspecified());
    assert!(TcpStream::connect(("127.0.0.1", address.port())).await.is_ok());
}

#[tokio::test]
async fn an_address_in_use_is_an_error_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let held = TcpListener::bind(taken).await.unwrap();
    let error = bind(&["127.0.0.1:0".to_owned(), held.local_addr().unwrap().to_string()]).await.unwrap_err();
    assert_eq!(error.to_string(), format!("listen on `{taken}`"));
}
