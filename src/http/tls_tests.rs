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
    tests::{LONG, TestServer, is_cut_off, ready},
    *,
};

/// The start of an HTTP/2 connection without a request.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// The start of an HTTP/2 connection whose client has no window for responses.
const PREFACE_WITHOUT_WINDOW: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0";

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

    async fn is_healthy(&self) -> bool {
        let mut stream = self.send("http/1.1", b"GET /-/healthy HTTP/1.0\r\n\r\n").await;
        let mut response = String::new();
        stream.read_to_string(&mut response).await.is_ok() && response.ends_with("healthy\n")
    }
}

const SOON: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_client_that_sends_no_request_is_disconnected() {
    let server = TlsServer::start(Limits { first_request: SOON, ..Limits::default() }).await;
    for hello in [b"".as_slice(), PARTIAL_CLIENT_HELLO, b"GET / HTTP/1.1\r\n"] {
        let mut idle = server.connect().await;
        idle.write_all(hello).await.unwrap();
        assert!(is_cut_off(idle).await);
    }
    for (protocol, bytes) in
        [("http/1.1", b"".as_slice()), ("http/1.1", b"GET /met"), ("h2", b""), ("h2", &PREFACE[..9]), ("h2", PREFACE)]
    {
        assert!(is_cut_off(server.send(protocol, bytes).await).await, "{protocol} {}", bytes.escape_ascii());
    }
    assert!(server.is_healthy().await);
}

#[tokio::test]
async fn clients_without_a_request_make_room_for_others() {
    let server = TlsServer::start(Limits { connections: 4, ..Limits::default() }).await;
    let (mut half, mut complete) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        half.push(server.connect().await);
        half.last_mut().unwrap().write_all(PARTIAL_CLIENT_HELLO).await.unwrap();
        complete.push(server.send("h2", PREFACE).await);
        complete.push(server.send("http/1.1", b"").await);
        assert!(server.is_healthy().await);
    }
    assert!(is_cut_off(half.remove(0)).await && is_cut_off(complete.remove(0)).await);
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_cut_off() {
    let server = TlsServer::start(Limits { response: SOON, ..Limits::default() }).await;
    let [request, without_window] = [PREFACE, PREFACE_WITHOUT_WINDOW].map(|preface| [preface, GET_METRICS].concat());
    for (protocol, bytes) in
        [("http/1.1", b"GET /metrics HTTP/1.1\r\n\r\n".as_slice()), ("h2", &request), ("h2", &without_window)]
    {
        let idle = server.send(protocol, bytes).await;
        sleep(SOON * 3).await;
        assert!(is_cut_off(idle).await, "{protocol}");
    }
}

#[tokio::test]
async fn an_http_2_client_that_takes_a_byte_at_a_time_is_cut_off() {
    let server = TlsServer::start(Limits { response: SOON, ..Limits::default() }).await;
    let mut stream = server.send("h2", &[PREFACE_WITHOUT_WINDOW, GET_METRICS].concat()).await;
    // WINDOW_UPDATE of one byte for the stream, until the server closes the connection.
    let one_more_byte = b"\0\0\x04\x08\0\0\0\0\x01\0\0\0\x01";
    let client = async {
        while stream.write_all(one_more_byte).await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(10), client).await.unwrap();
}

/// The value of a setting in the server's SETTINGS frame.
fn setting(frame: &[u8], id: u8) -> Option<u32> {
    frame
        .chunks(6)
        .find(|setting| setting[..2] == [0, id])
        .map(|setting| u32::from_be_bytes(setting[2..].try_into().unwrap()))
}

#[tokio::test]
async fn http_2_has_few_streams_and_small_windows() {
    let server = TlsServer::start(Limits::default()).await;
    let mut stream = server.send("h2", PREFACE).await;
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head[3], 4, "SETTINGS");
    let mut settings = vec![0; usize::from(head[2])];
    stream.read_exact(&mut settings).await.unwrap();
    assert_eq!(setting(&settings, 3), Some(4), "streams");
    assert_eq!(setting(&settings, 4), Some(1024), "bytes of a request body");
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
    assert!(server.is_healthy().await);
    server.server.shutdown.cancel();
    timeout(Duration::from_secs(2), server.server.task).await.unwrap().unwrap();
    assert_eq!(idle.read(&mut [0; 16]).await.unwrap_or(0), 0);
}
