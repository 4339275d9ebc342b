use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::Instant,
};

use super::*;

/// Longer than what the system buffers for a connection on this machine.
pub(super) const LONG: usize = 32 << 20;

pub(super) struct Site {
    pub(super) address: SocketAddr,
    pub(super) shutdown: CancellationToken,
    pub(super) task: JoinHandle<()>,
}

async fn site(limits: Limits) -> Site {
    guarded(limits, WebConfig::default()).await
}

pub(super) async fn guarded(limits: Limits, web: WebConfig) -> Site {
    site_that_lacks(limits, web, None).await
}

/// Neither healthy nor ready, if it lacks something.
async fn site_that_lacks(limits: Limits, web: WebConfig, lack: Option<&'static str>) -> Site {
    let document = Arc::new(Exposition::new("x".repeat(LONG)).unwrap());
    let routes = Routes {
        telemetry_path: "/metrics".to_owned(),
        telemetry_type: "text/plain",
        telemetry: Box::new(move || (document.clone(), String::new())),
        missing: Box::new(move || lack.map(str::to_owned)),
        stuck: Box::new(move || lack.map(str::to_owned)),
        reload: None,
        pages: Box::new(|_, _| Box::pin(async { Ok(None) })),
    };
    let listeners = bind(&["127.0.0.1:0".to_owned()]).await.unwrap();
    let address = listeners[0].local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let web = watch::Sender::new(Arc::new(web)).subscribe();
    let task = tokio::spawn(serve(listeners, routes, web, limits, shutdown.clone()));
    Site { address, shutdown, task }
}

async fn ask(address: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn is_healthy(address: SocketAddr) -> bool {
    let mut answer = String::new();
    let mut stream = ask(address, "GET /-/healthy HTTP/1.0\r\n\r\n").await;
    stream.read_to_string(&mut answer).await.is_ok() && answer.ends_with("healthy\n")
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off() {
    let limits = Limits { connections: 1, write: Duration::from_millis(300), ..Limits::default() };
    let site = site(limits).await;
    let idler = ask(site.address, "GET /metrics HTTP/1.1\r\n\r\n").await;
    // There is one place, and it is free only once the idler has lost it.
    assert!(timeout(Duration::from_secs(10), is_healthy(site.address)).await.unwrap());
    drop(idler);
}

#[tokio::test]
async fn a_client_that_says_nothing_is_cut_off() {
    let limits = Limits { connections: 1, header: Duration::from_millis(300), ..Limits::default() };
    let site = site(limits).await;
    for request in ["", "GET /met"] {
        let idler = ask(site.address, request).await;
        assert!(timeout(Duration::from_secs(10), is_healthy(site.address)).await.unwrap(), "{request}");
        drop(idler);
    }
}

#[tokio::test]
async fn the_drain_has_an_end() {
    let site = site(Limits { drain: Duration::from_millis(300), ..Limits::default() }).await;
    let mut idler = ask(site.address, "GET /metrics HTTP/1.1\r\n\r\n").await;
    idler.read_exact(&mut [0; 12]).await.unwrap();
    let begun = Instant::now();
    site.shutdown.cancel();
    site.task.await.unwrap();
    assert!((Duration::from_millis(300)..Duration::from_secs(3)).contains(&begun.elapsed()));
}

#[tokio::test]
async fn an_answer_under_way_is_completed() {
    let site = site(Limits::default()).await;
    let mut stream = ask(site.address, "GET /metrics HTTP/1.1\r\n\r\n").await;
    stream.read_exact(&mut [0; 12]).await.unwrap();
    site.shutdown.cancel();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() > LONG);
    site.task.await.unwrap();
    assert!(TcpStream::connect(site.address).await.is_err());
}

async fn whole_answer(address: SocketAddr, path: &str) -> String {
    let mut answer = String::new();
    ask(address, &format!("GET {path} HTTP/1.0\r\n\r\n")).await.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn an_exporter_that_stands_still_is_not_healthy() {
    let site = site_that_lacks(Limits::default(), WebConfig::default(), Some("nothing goes on")).await;
    for (path, said) in [("/-/healthy", "not healthy: nothing goes on\n"), ("/-/ready", "not ready: nothing goes on\n")]
    {
        let answer = whole_answer(site.address, path).await;
        assert!(answer.starts_with("HTTP/1.0 503 ") && answer.ends_with(said), "{answer}");
    }
}

#[tokio::test]
async fn a_probe_without_a_password_learns_that_something_is_wrong_and_not_what() {
    let users = "basic_auth_users: {bob: $2y$04$0123456789012345678901uD6LR2m9Sk1ES6hHQXSh8sqgEuMnvOK}";
    for (lack, status) in [(None, "401"), (Some("nothing goes on"), "503")] {
        let (web, _) = WebConfig::parse(users, std::path::Path::new("")).unwrap();
        let site = site_that_lacks(Limits::default(), web, lack).await;
        for path in ["/-/healthy", "/-/ready"] {
            let answer = whole_answer(site.address, path).await;
            assert!(answer.starts_with(&format!("HTTP/1.0 {status} ")) && !answer.contains("goes on"), "{answer}");
        }
        assert!(whole_answer(site.address, "/metrics").await.starts_with("HTTP/1.0 401 "));
    }
}

#[tokio::test]
async fn a_port_alone_stands_for_every_address() {
    let listener = bind(&[":0".to_owned()]).await.unwrap().remove(0);
    let address = listener.local_addr().unwrap();
    assert!(address.ip().is_unspecified());
    assert!(TcpStream::connect(("127.0.0.1", address.port())).await.is_ok());
}

#[tokio::test]
async fn all_addresses_are_had_or_none() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let held = TcpListener::bind(taken).await.unwrap();
    let error = bind(&["127.0.0.1:0".to_owned(), held.local_addr().unwrap().to_string()]).await.unwrap_err();
    assert_eq!(error.to_string(), format!("listen on `{taken}`"));
}
