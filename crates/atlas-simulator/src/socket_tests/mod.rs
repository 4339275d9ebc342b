//! The simulator as a client meets it: raw HTTP/1.1 over a socket.

mod api;
mod control;
mod faults;
mod replacing;
mod resources;
mod service_account;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use md5::{Digest, Md5};
use serde_json::Value;
use tokio::sync::oneshot;

use super::{LoggedRequest, Scenario, Simulator};

const DEADLINE: Duration = Duration::from_secs(10);
const PEERS: &str = "/api/atlas/v2/groups/5f3a556351db42631e16f301/peers";
const V2: &str = "Accept: application/vnd.atlas.2023-01-01+json\r\n";
const TOKEN: &str = "/api/oauth/token";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
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
struct Served {
    simulator: Simulator,
    address: SocketAddr,
    shutdown: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

struct Response {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Served {
    fn new(yaml: &str) -> Served {
        let simulator = Simulator::new(Scenario::parse(yaml).unwrap());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let (shutdown, ended) = oneshot::channel();
        let served = simulator.clone();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let shutdown = async { drop(ended.await) };
                served.serve(listener, shutdown).await;
            });
        });
        Served { simulator, address, shutdown: Some(shutdown), thread: Some(thread) }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream
    }

    /// Everything that comes back on a connection of its own.
    fn raw(&self, method: &str, uri: &str, headers: &str, body: &str) -> Vec<u8> {
        let mut stream = self.connect();
        let length = body.len();
        write!(
            stream,
            "{method} {uri} HTTP/1.1\r\nHost: atlas.test\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        )
        .unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        bytes
    }

    fn ask(&self, method: &str, uri: &str, headers: &str, body: &str) -> Response {
        Response::read(&self.raw(method, uri, headers, body))
    }

    /// Asks twice: for a challenge, and with the answer to it.
    fn get(&self, uri: &str, headers: &str) -> Response {
        Response::read(&self.get_raw(uri, headers))
    }

    fn get_raw(&self, uri: &str, headers: &str) -> Vec<u8> {
        let challenge = self.ask("GET", uri, "", "");
        let authorization = authorization(uri, &challenge.nonce(), 1, "demo");
        self.raw("GET", uri, &format!("{headers}{authorization}"), "")
    }

    /// Asks for a token.
    fn mint(&self) -> Response {
        self.ask("POST", TOKEN, &format!("{CLIENT}{FORM}"), "grant_type=client_credentials")
    }

    /// The header with a new token.
    fn bearer(&self) -> String {
        let token = self.mint().json()["access_token"].as_str().unwrap().to_owned();
        format!("Authorization: Bearer {token}\r\n")
    }

    fn control(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let response = self.ask(method, path, "", &body.to_string());
        (response.status, response.json())
    }

    fn last(&self) -> LoggedRequest {
        self.simulator.requests().pop().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.shutdown.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Response {
    fn read(bytes: &[u8]) -> Response {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        Response { status: head.split(' ').nth(1).unwrap().parse().unwrap(), head, body: bytes[end + 4..].to_vec() }
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn nonce(&self) -> String {
        let rest = self.head.split("nonce=\"").nth(1).unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    fn error_code(&self) -> String {
        self.json()["errorCode"].as_str().unwrap().to_owned()
    }
}

/// A digest answer, computed without the code under test.
fn authorization(uri: &str, nonce: &str, count: u32, password: &str) -> String {
    let hash = |text: String| format!("{:x}", Md5::digest(text));
    let who = hash(format!("demo:MMS Public API:{password}"));
    let what = hash(format!("GET:{uri}"));
    let response = hash(format!("{who}:{nonce}:{count:08x}:c:auth:{what}"));
    format!(
        "Authorization: Digest username=\"demo\", realm=\"MMS Public API\", nonce=\"{nonce}\", \
         uri=\"{uri}\", qop=auth, nc={count:08x}, cnonce=\"c\", response=\"{response}\"\r\n"
    )
}
