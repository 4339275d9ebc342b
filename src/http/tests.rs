use std::net::SocketAddr;

use atlas::Provider;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
    task::JoinHandle,
    time::Instant,
};
use web_config::WebConfig;

use super::{
    status::tests::{Fixture, key},
    *,
};
use crate::state::State;

/// More bytes than the system buffers for a connection.
pub(super) const LONG: usize = 32 << 20;

pub(super) struct TestServer {
    pub(super) address: SocketAddr,
    pub(super) shutdown: CancellationToken,
    pub(super) task: JoinHandle<()>,
}

impl TestServer {
    /// Starts a server with an exposition of [`LONG`] bytes.
    pub(super) async fn start(limits: Limits, web: WebConfig, state: State) -> Self {
        let state = watch::Sender::new(state).subscribe();
        let exposition = watch::Sender::new(Arc::new(Exposition::new("x".repeat(LONG)).unwrap())).subscribe();
        let status = status::Status::new(state, exposition, "/metrics");
        let app = App { status, web: watch::Sender::new(Arc::new(web)).subscribe(), reload_tx: None };
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

    async fn get(&self, path: &str) -> String {
        let mut response = String::new();
        self.send(&format!("GET {path} HTTP/1.0\r\n\r\n")).await.read_to_string(&mut response).await.unwrap();
        response
    }
}

/// Every listing was polled.
pub(super) fn ready() -> State {
    let mut fixture = Fixture::new();
    for provider in Provider::ALL {
        fixture.poll(provider, 0, Ok(Vec::new()));
    }
    fixture.state
}

/// The first poll of a listing is long overdue.
fn stalled() -> State {
    let Fixture { mut state, start } = Fixture::new();
    state.interval = Duration::ZERO;
    state.schedule(&key(Provider::Aws), start);
    state
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_disconnected() {
    let limits = Limits { connections: 1, write: Duration::from_millis(300), ..Limits::default() };
    let server = TestServer::start(limits, WebConfig::default(), ready()).await;
    let idle = server.send("GET /metrics HTTP/1.1\r\n\r\n").await;
    // The only permit becomes free once the idle client is disconnected.
    let response = timeout(Duration::from_secs(10), server.get("/-/healthy")).await.unwrap();
    assert!(response.ends_with("healthy\n"));
    drop(idle);
}

#[tokio::test]
async fn shutdown_waits_for_a_limited_time() {
    let limits = Limits { drain: Duration::from_millis(300), ..Limits::default() };
    let server = TestServer::start(limits, WebConfig::default(), ready()).await;
    let mut idle = server.send("GET /metrics HTTP/1.1\r\n\r\n").await;
    idle.read_exact(&mut [0; 12]).await.unwrap();
    let start = Instant::now();
    server.shutdown.cancel();
    server.task.await.unwrap();
    assert!((Duration::from_millis(300)..Duration::from_secs(3)).contains(&start.elapsed()));
}

#[tokio::test]
async fn a_probe_of_a_stalled_exporter_gets_503_and_the_reason_only_with_access() {
    let users = "basic_auth_users: {bob: $2y$04$0123456789012345678901uD6LR2m9Sk1ES6hHQXSh8sqgEuMnvOK}";
    let stalled_probes = [("/-/healthy", "503", "not healthy: 1 "), ("/-/ready", "503", "not ready: 3 ")];
    for (web, state, responses) in [
        ("", stalled(), stalled_probes),
        (users, stalled(), stalled_probes.map(|(path, status, _)| (path, status, "Service Unavailable\n"))),
        (users, ready(), stalled_probes.map(|(path, ..)| (path, "401", "Unauthorized\n"))),
    ] {
        let (config, _) = WebConfig::parse(web, std::path::Path::new("")).unwrap();
        let server = TestServer::start(Limits::default(), config, state).await;
        for (path, status, body) in responses {
            let response = server.get(path).await;
            let is_expected = response.starts_with(&format!("HTTP/1.0 {status} "));
            assert!(is_expected && response.contains(&format!("\r\n\r\n{body}")), "{path} {web}: {response}");
        }
        let status = if web.is_empty() { "200" } else { "401" };
        assert!(server.get("/metrics").await.starts_with(&format!("HTTP/1.0 {status} ")), "{web}");
    }
}

#[tokio::test]
async fn a_port_without_a_host_means_all_addresses() {
    let listener = bind(&[":0".to_owned()]).await.unwrap().remove(0);
    let address = listener.local_addr().unwrap();
    assert!(address.ip().is_unspecified());
    assert!(TcpStream::connect(("127.0.0.1", address.port())).await.is_ok());
}
