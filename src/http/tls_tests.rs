//! The limits and the end, over TLS.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, KeyPair};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName},
};

use super::{
    tests::{LONG, Site, guarded},
    *,
};
use web_config::WebConfig;

/// What a client of HTTP/2 begins with, and nothing that it wants.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// `GET /metrics` as the first request of HTTP/2.
const GET_METRICS: &[u8] = b"\0\0\x0c\x01\x05\0\0\0\x01\x82\x87\x04\x08/metrics";

/// The first bytes of a handshake that never goes on.
const HALF_A_HELLO: &[u8] = &[22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];

struct Encrypted {
    site: Site,
    roots: Arc<RootCertStore>,
}

async fn encrypted(limits: Limits) -> Encrypted {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let text = format!("tls_server_config: {{cert: {:?}, key: {:?}}}", certificate.pem(), key.serialize_pem());
    let (web, _) = WebConfig::parse(&text, std::path::Path::new("")).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    Encrypted { site: guarded(limits, web).await, roots: Arc::new(roots) }
}

impl Encrypted {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.site.address).await.unwrap()
    }

    /// Shakes hands and sends something.
    async fn send(&self, protocol: &str, bytes: &[u8]) -> TlsStream<TcpStream> {
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_root_certificates(self.roots.clone()).with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, self.connect().await).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    }

    /// Whether it answers soon, though it has one place only and somebody had it.
    async fn has_a_place(&self) -> bool {
        let asking = async {
            let mut stream = self.send("http/1.1", b"GET /-/healthy HTTP/1.0\r\n\r\n").await;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.is_ok() && answer.ends_with("healthy\n")
        };
        timeout(Duration::from_secs(10), asking).await.unwrap()
    }
}

/// One place, which must be won back.
fn one_place() -> Limits {
    let soon = Duration::from_millis(300);
    Limits { connections: 1, header: soon, write: soon, ..Limits::default() }
}

#[tokio::test]
async fn a_client_that_says_nothing_is_cut_off() {
    let server = encrypted(one_place()).await;
    for hello in [b"".as_slice(), HALF_A_HELLO, b"GET / HTTP/1.1\r\n"] {
        let mut idler = server.connect().await;
        idler.write_all(hello).await.unwrap();
        assert!(server.has_a_place().await, "{hello:?}");
        drop(idler);
    }
    for (protocol, bytes) in
        [("http/1.1", b"".as_slice()), ("http/1.1", b"GET /met"), ("h2", b""), ("h2", &PREFACE[..9]), ("h2", PREFACE)]
    {
        let idler = server.send(protocol, bytes).await;
        assert!(server.has_a_place().await, "{protocol} {}", bytes.escape_ascii());
        drop(idler);
    }
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off() {
    let server = encrypted(one_place()).await;
    let request = [PREFACE, GET_METRICS].concat();
    for (protocol, bytes) in [("http/1.1", b"GET /metrics HTTP/1.1\r\n\r\n".as_slice()), ("h2", &request)] {
        let mut idler = server.send(protocol, bytes).await;
        idler.read_exact(&mut [0; 4]).await.unwrap();
        assert!(server.has_a_place().await, "{protocol}");
        drop(idler);
    }
}

#[tokio::test]
async fn an_answer_under_way_is_completed() {
    let server = encrypted(Limits::default()).await;
    let mut stream = server.send("http/1.1", b"GET /metrics HTTP/1.1\r\n\r\n").await;
    stream.read_exact(&mut [0; 12]).await.unwrap();
    server.site.shutdown.cancel();
    let mut rest = Vec::new();
    // It would fail if the end were not said.
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() > LONG);
    server.site.task.await.unwrap();
}

#[tokio::test]
async fn an_answer_of_http_2_under_way_is_completed() {
    let server = encrypted(Limits::default()).await;
    let stream = TokioIo::new(server.send("h2", b"").await);
    let (mut requests, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("https://localhost/metrics").body(Empty::<Bytes>::new()).unwrap();
    let mut body = requests.send_request(request).await.unwrap().into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    server.site.shutdown.cancel();
    let rest = body.collect().await.unwrap().to_bytes();
    assert_eq!(first.len() + rest.len(), LONG);
    timeout(Duration::from_secs(5), server.site.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_handshake_that_never_ends_does_not_hold_up_the_end() {
    let server = encrypted(Limits::default()).await;
    let mut idler = server.connect().await;
    idler.write_all(HALF_A_HELLO).await.unwrap();
    assert!(server.has_a_place().await);
    server.site.shutdown.cancel();
    timeout(Duration::from_secs(2), server.site.task).await.unwrap().unwrap();
    assert_eq!(idler.read(&mut [0; 16]).await.unwrap_or(0), 0);
}
