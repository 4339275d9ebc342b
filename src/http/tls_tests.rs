//! Limits and shutdown over TLS.

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName},
};
use web_config::WebConfig;

use super::{
    tests::{LONG, TestServer, ready},
    *,
};

/// The start of an HTTP/2 connection without a request.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// `GET /metrics` as the first HTTP/2 request.
const GET_METRICS: &[u8] = b"\0\0\x0c\x01\x05\0\0\0\x01\x82\x87\x04\x08/metrics";

/// The first bytes of a TLS handshake.
const PARTIAL_CLIENT_HELLO: &[u8] = &[22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];

struct TlsServer {
    server: TestServer,
    roots: Arc<RootCertStore>,
    certificate: reqwest::Certificate,
}

impl TlsServer {
    async fn start(limits: Limits) -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let text = format!("tls_server_config: {{cert: {:?}, key: {:?}}}", cert.pem(), signing_key.serialize_pem());
        let (web, _) = WebConfig::parse(&text, std::path::Path::new("")).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        let certificate = reqwest::Certificate::from_der(cert.der()).unwrap();
        Self { server: TestServer::start(limits, web, ready()).await, roots: Arc::new(roots), certificate }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.server.address).await.unwrap()
    }

    /// Completes a TLS handshake and sends bytes.
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

    /// Whether the server responds in time, for which the only permit must become free.
    async fn has_a_permit(&self) -> bool {
        let client = async {
            let mut stream = self.send("http/1.1", b"GET /-/healthy HTTP/1.0\r\n\r\n").await;
            let mut response = String::new();
            stream.read_to_string(&mut response).await.is_ok() && response.ends_with("healthy\n")
        };
        timeout(Duration::from_secs(10), client).await.unwrap()
    }
}

/// One permit, which becomes free when a client is disconnected.
fn one_permit() -> Limits {
    let soon = Duration::from_millis(300);
    Limits { connections: 1, header: soon, write: soon, ..Limits::default() }
}

#[tokio::test]
async fn a_client_that_sends_no_request_is_disconnected() {
    let server = TlsServer::start(one_permit()).await;
    for hello in [b"".as_slice(), PARTIAL_CLIENT_HELLO, b"GET / HTTP/1.1\r\n"] {
        let mut idle = server.connect().await;
        idle.write_all(hello).await.unwrap();
        assert!(server.has_a_permit().await, "{hello:?}");
        drop(idle);
    }
    for (protocol, bytes) in
        [("http/1.1", b"".as_slice()), ("http/1.1", b"GET /met"), ("h2", b""), ("h2", &PREFACE[..9]), ("h2", PREFACE)]
    {
        let idle = server.send(protocol, bytes).await;
        assert!(server.has_a_permit().await, "{protocol} {}", bytes.escape_ascii());
        drop(idle);
    }
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_disconnected() {
    let server = TlsServer::start(one_permit()).await;
    let request = [PREFACE, GET_METRICS].concat();
    for (protocol, bytes) in [("http/1.1", b"GET /metrics HTTP/1.1\r\n\r\n".as_slice()), ("h2", &request)] {
        let mut idle = server.send(protocol, bytes).await;
        idle.read_exact(&mut [0; 4]).await.unwrap();
        assert!(server.has_a_permit().await, "{protocol}");
        drop(idle);
    }
}

#[tokio::test]
async fn shutdown_completes_an_in_flight_request() {
    let server = TlsServer::start(Limits::default()).await;
    let mut stream = server.send("http/1.1", b"GET /metrics HTTP/1.1\r\n\r\n").await;
    stream.read_exact(&mut [0; 12]).await.unwrap();
    server.server.shutdown.cancel();
    let mut rest = Vec::new();
    // Fails if the server does not send close_notify.
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() > LONG);
    server.server.task.await.unwrap();
}

#[tokio::test]
async fn shutdown_completes_an_in_flight_http_2_request() {
    let server = TlsServer::start(Limits::default()).await;
    let client = reqwest::Client::builder().tls_certs_only([server.certificate]).no_proxy().build().unwrap();
    let url = format!("https://localhost:{}/metrics", server.server.address.port());
    let mut response = client.get(url).send().await.unwrap();
    assert_eq!(response.version(), reqwest::Version::HTTP_2);
    let first = response.chunk().await.unwrap().unwrap();
    server.server.shutdown.cancel();
    // Fails if the response is shorter than its content-length.
    assert!(first.len() + response.bytes().await.unwrap().len() > LONG);
    timeout(Duration::from_secs(5), server.server.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_incomplete_handshake_does_not_delay_shutdown() {
    let server = TlsServer::start(Limits::default()).await;
    let mut idle = server.connect().await;
    idle.write_all(PARTIAL_CLIENT_HELLO).await.unwrap();
    assert!(server.has_a_permit().await);
    server.server.shutdown.cancel();
    timeout(Duration::from_secs(2), server.server.task).await.unwrap().unwrap();
    assert_eq!(idle.read(&mut [0; 16]).await.unwrap_or(0), 0);
}
