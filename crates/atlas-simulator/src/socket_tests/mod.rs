//! The simulator as a client sees it: raw HTTP/1.1 over a socket.

mod api;
mod control;
mod faults;
mod resources;
mod service_account;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use md5::{Digest, Md5};
use serde_json::Value;
use tokio::sync::oneshot;

use super::{LoggedRequest, Scenario, Simulator};

const TEST_TIMEOUT: Duration = Duration::from_secs(10);
const GROUP_PATH: &str = "/api/atlas/v2/groups/5f3a556351db42631e16f301";
const PEERS: &str = "/api/atlas/v2/groups/5f3a556351db42631e16f301/peers";
const ACCEPT_V2: &str = "Accept: application/vnd.atlas.2023-01-01+json\r\n";
const TOKEN: &str = "/api/oauth/token";
const REVOKE: &str = "/api/oauth/revoke";
const FORM_HEADER: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
/// `mdb_sa_id_5f0000000000000000000002:mdb_sa_sk_demo`
const CLIENT: &str = "Authorization: Basic bWRiX3NhX2lkXzVmMDAwMDAwMDAwMDAwMDAwMDAwMDAwMjptZGJfc2Ffc2tfZGVtbw==\r\n";
const SCENARIO: &str = "
groups:
  - id: 5f3a556351db42631e16f301
    name: payments
    peerings:
      - {provider: AWS, name: first, status: AVAILABLE, vpcId: vpc-1}
      - {provider: AWS, status: AVAILABLE, vpcId: 'vpc-{n}', repeat: 4}
      - {provider: GCP, status: FAILED, error: gone, networkName: default}
  - {id: 5f3a556351db42631e16f302, name: secret, access: false}
";

/// A simulator on a thread of its own, so that tests can use blocking sockets.
struct TestServer {
    simulator: Simulator,
    address: SocketAddr,
    _shutdown: oneshot::Sender<()>,
}

struct Response {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl TestServer {
    fn new(yaml: &str) -> TestServer {
        let simulator = Simulator::new(Scenario::parse(yaml).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let (shutdown, dropped) = oneshot::channel::<()>();
        let server = simulator.clone();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                server.serve(listener, async { drop(dropped.await) }).await;
            });
        });
        TestServer { simulator, address, _shutdown: shutdown }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
        stream
    }

    /// Everything that is received on a connection of its own.
    fn raw(&self, method: &str, uri: &str, headers: &str, body: &str) -> Vec<u8> {
        let mut stream = self.connect();
        let length = body.len();
        let head = format!("Host: atlas.test\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}");
        write!(stream, "{method} {uri} HTTP/1.1\r\n{head}\r\n{body}").unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        bytes
    }

    fn request(&self, method: &str, uri: &str, headers: &str, body: &str) -> Response {
        Response::parse(&self.raw(method, uri, headers, body))
    }

    /// Sends two requests: one for a challenge, and one that responds to it.
    fn get(&self, uri: &str, headers: &str) -> Response {
        let challenge = self.request("GET", uri, "", "");
        let authorization = authorization(uri, &challenge.nonce(), 1, "demo");
        self.request("GET", uri, &format!("{headers}{authorization}"), "")
    }

    /// The status and the outcome of a request for the peerings.
    fn outcome(&self, headers: &str) -> (u16, &'static str) {
        let response = self.request("GET", PEERS, &format!("{ACCEPT_V2}{headers}"), "");
        (response.status, self.last().outcome)
    }

    /// Requests a token.
    fn mint(&self) -> Response {
        self.request("POST", TOKEN, &format!("{CLIENT}{FORM_HEADER}"), "grant_type=client_credentials")
    }

    /// The header with a new token.
    fn bearer(&self) -> String {
        let token = self.mint().json()["access_token"].as_str().unwrap().to_owned();
        format!("Authorization: Bearer {token}\r\n")
    }

    fn control(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let response = self.request(method, path, "", &body.to_string());
        (response.status, response.json())
    }

    fn last(&self) -> LoggedRequest {
        self.simulator.requests().pop().unwrap()
    }
}

impl Response {
    fn parse(bytes: &[u8]) -> Response {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..end + 2].to_vec()).unwrap();
        Response { status: head.split(' ').nth(1).unwrap().parse().unwrap(), head, body: bytes[end + 4..].to_vec() }
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn nonce(&self) -> String {
        let rest = self.head.split("nonce=\"").nth(1).unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    /// The status and the error code.
    fn error(&self) -> (u16, String) {
        (self.status, self.json()["errorCode"].as_str().unwrap().to_owned())
    }

    fn has(&self, header: &str) -> bool {
        self.head.contains(&format!("{header}\r\n"))
    }
}

fn error(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// A digest response, computed without the code under test.
fn authorization(uri: &str, nonce: &str, count: u32, password: &str) -> String {
    let hash = |text: String| format!("{:x}", Md5::digest(text));
    let user = hash(format!("demo:MMS Public API:{password}"));
    let resource = hash(format!("GET:{uri}"));
    let response = hash(format!("{user}:{nonce}:{count:08x}:c:auth:{resource}"));
    format!(
        "Authorization: Digest username=\"demo\", realm=\"MMS Public API\", nonce=\"{nonce}\", \
         uri=\"{uri}\", qop=auth, nc={count:08x}, cnonce=\"c\", response=\"{response}\"\r\n"
    )
}
