use std::{
    net::SocketAddr,
    sync::{LazyLock, mpsc},
};

use atlas::Provider;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Builder,
    sync::watch,
    task::{JoinHandle, spawn_blocking},
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
    pub(super) exposition: watch::Sender<Arc<Exposition>>,
    pub(super) shutdown: CancellationToken,
    pub(super) task: JoinHandle<()>,
}

/// Compressing it takes a second without optimization.
static LONG_EXPOSITION: LazyLock<Arc<Exposition>> = LazyLock::new(long_exposition);

fn long_exposition() -> Arc<Exposition> {
    Arc::new(Exposition::new("x".repeat(LONG)).unwrap())
}

/// Whether the server closes the connection, and with fewer bytes than a whole exposition.
pub(super) async fn is_cut_off(stream: impl AsyncRead + Unpin) -> bool {
    rest(stream).await < LONG
}

/// The number of bytes until the server closes the connection.
async fn rest(mut stream: impl AsyncRead + Unpin) -> usize {
    let mut bytes = Vec::new();
    // An error means that the connection was reset.
    let _ = timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes)).await.unwrap();
    bytes.len()
}

impl TestServer {
    /// Starts a server with an exposition of [`LONG`] bytes.
    pub(super) async fn start(limits: Limits, web: WebConfig, state: State) -> Self {
        let state = watch::Sender::new(state).subscribe();
        let exposition = watch::Sender::new(LONG_EXPOSITION.clone());
        let status = status::Status::new(state, exposition.subscribe(), "/metrics").unwrap();
        let app = App { status, web: watch::Sender::new(Arc::new(web)).subscribe(), reload_tx: None };
        let listeners = bind(&["127.0.0.1:0".to_owned()]).await.unwrap();
        let address = listeners[0].local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(serve(listeners, app, limits, shutdown.clone()));
        Self { address, exposition, shutdown, task }
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

/// Limits with a short response timeout.
fn quick_responses() -> Limits {
    Limits { response: Duration::from_millis(300), ..Limits::default() }
}

#[tokio::test]
async fn a_client_that_reads_nothing_or_little_is_cut_off() {
    let server = TestServer::start(quick_responses(), WebConfig::default(), ready()).await;
    let idle = server.send("GET /metrics HTTP/1.1\r\n\r\n").await;
    let mut slow = server.send("GET /metrics HTTP/1.1\r\n\r\n").await;
    let started = Instant::now();
    while slow.read(&mut [0; 100]).await.is_ok_and(|count| count > 0) && started.elapsed() < Duration::from_secs(3) {
        sleep(Duration::from_millis(20)).await;
    }
    assert!(is_cut_off(idle).await && is_cut_off(slow).await);
}

#[tokio::test]
async fn the_system_keeps_little_for_a_client_that_reads_nothing() {
    let server = TestServer::start(quick_responses(), WebConfig::default(), ready()).await;
    let idle = server.send("GET /metrics HTTP/1.1\r\n\r\n").await;
    sleep(Duration::from_secs(1)).await;
    let kept = rest(idle).await;
    assert!(kept < 1 << 20, "{kept} bytes");
}

#[tokio::test]
async fn a_client_without_a_request_is_disconnected_and_later_after_its_first_one() {
    let soon = Duration::from_millis(300);
    let limits = Limits { first_request: soon, idle: soon * 5, ..Limits::default() };
    let server = TestServer::start(limits, WebConfig::default(), ready()).await;
    for (text, least) in [("", soon), ("GET /-/heal", soon), ("GET /-/healthy HTTP/1.1\r\n\r\n", soon * 5)] {
        let started = Instant::now();
        let mut response = String::new();
        let mut stream = server.send(text).await;
        timeout(Duration::from_secs(20), stream.read_to_string(&mut response)).await.unwrap().unwrap();
        assert_eq!(response.contains("healthy\n"), text.ends_with('\n'), "{response}");
        assert!(started.elapsed() >= least, "{text}");
    }
}

#[tokio::test]
async fn a_long_header_is_refused() {
    let server = TestServer::start(Limits::default(), WebConfig::default(), ready()).await;
    for (bytes, status) in [(20, "200"), (100, "431")] {
        let mut stream = server.send("GET /-/healthy HTTP/1.0\r\nx: ").await;
        // The server may respond before it has read everything.
        let _ = stream.write_all(&[&vec![b'x'; bytes << 10], b"\r\n\r\n".as_slice()].concat()).await;
        let mut response = [0; 12];
        stream.read_exact(&mut response).await.unwrap();
        assert_eq!(std::str::from_utf8(&response).unwrap()[9..], *status, "{bytes} KiB");
    }
}

#[tokio::test]
async fn connections_without_a_request_make_room_for_others() {
    let limits = Limits { connections: 4, loopback_connections: 0, ..Limits::default() };
    let server = TestServer::start(limits, WebConfig::default(), ready()).await;
    let mut silent = Vec::new();
    for text in ["", "GET /-/healthy HT", "GET /-/healthy HTTP/1.1\r\n\r\n", "", "", ""] {
        silent.push(server.send(text).await);
        assert!(server.get("/-/healthy").await.ends_with("healthy\n"));
    }
    assert!(is_cut_off(silent.remove(0)).await);
}

#[tokio::test]
async fn readers_of_an_old_exposition_are_cut_off_and_those_of_the_new_one_are_not() {
    let server = TestServer::start(Limits::default(), WebConfig::default(), ready()).await;
    let mut old = server.send("GET /metrics HTTP/1.1\r\n\r\n").await;
    old.read_exact(&mut [0; 12]).await.unwrap();
    server.exposition.send_replace(long_exposition());
    assert!(server.get("/metrics").await.len() > LONG);
    assert!(is_cut_off(old).await);
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

#[test]
fn nothing_is_rendered_on_the_blocking_pool() {
    let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    let (release, is_released) = mpsc::channel::<()>();
    runtime.block_on(async {
        // Like a read of a file that hangs.
        let hung = spawn_blocking(move || is_released.recv());
        let server = TestServer::start(Limits::default(), WebConfig::default(), ready()).await;
        for path in ["/", "/api/v1/peerings", "/api/v1/targets", "/metrics"] {
            let response = timeout(Duration::from_secs(5), server.get(path)).await.unwrap();
            assert!(response.starts_with("HTTP/1.0 200 "), "{path}");
        }
        let state = watch::Sender::new(ready());
        let exposition = watch::Sender::new(LONG_EXPOSITION.clone());
        let mut rendered = exposition.subscribe();
        tokio::spawn(render_loop(state.subscribe(), exposition));
        timeout(Duration::from_secs(5), rendered.changed()).await.unwrap().unwrap();
        drop(release);
        assert!(hung.await.unwrap().is_err());
    });
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

#[tokio::test]
async fn options_gets_the_response_to_get_and_other_methods_the_allowed_ones() {
    let server = TestServer::start(Limits::default(), WebConfig::default(), ready()).await;
    let send = async |line: &str| {
        let mut response = String::new();
        let mut stream = server.send(&format!("{line} HTTP/1.0\r\n\r\n")).await;
        stream.read_to_string(&mut response).await.unwrap();
        response.to_lowercase()
    };
    for (path, status) in [("/metrics", "200"), ("/", "200"), ("/-/healthy", "200"), ("/-/ready", "200"), ("/x", "404")]
    {
        let response = send(&format!("OPTIONS {path}")).await;
        assert!(response.starts_with(&format!("http/1.0 {status} ")), "{path}");
        assert!(response.contains("\r\nallow: get, head, options\r\n"), "{path}");
    }
    assert!(send("OPTIONS *").await.starts_with("http/1.0 200 "));
    for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE"] {
        let response = send(&format!("{method} /metrics")).await;
        assert!(
            response.starts_with("http/1.0 405 ") && response.contains("\r\nallow: get, head, options\r\n"),
            "{method}"
        );
    }
    assert!(send("OPTIONS /-/reload").await.starts_with("http/1.0 403 "), "reloading is disabled");
    let stalled = TestServer::start(Limits::default(), WebConfig::default(), stalled()).await;
    let mut response = String::new();
    stalled.send("OPTIONS /-/healthy HTTP/1.0\r\n\r\n").await.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.0 503 "), "{response}");
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_before_any_is_bound() {
    for address in
        [":0", "127.0.0.1:0", "[::1]:0", "0.0.0.0:10917", "[::]:10917", "localhost:10917", "node-1.example:80"]
    {
        assert!(is_listen_address(address), "{address}");
    }
    for address in [
        "",
        ":",
        "10917",
        "*:10917",
        ":::10917",
        "::1:10917",
        "::10917",
        "tcp://127.0.0.1:10917",
        "http://:10917",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:99999",
        "127.0.0.1:-1",
        "127.0.0.1:+80",
        "127.0.0.1:http",
        "256.0.0.1:80",
        "127.0.0:80",
        "[::1]",
        "[::1:80",
        "[127.0.0.1]:80",
        " :10917",
        ":10917 ",
        "localhost.:80",
        "a b:80",
        "é:80",
    ] {
        let error = bind(&["127.0.0.1:0".to_owned(), address.to_owned()]).await.unwrap_err();
        assert!(error.is_invalid_address(), "{address}");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("`:10917`") && source.contains("`[::1]:10917`"), "{address}: {source}");
    }
}
