//! A simulator and exporters in processes of their own, and clients that behave.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use reqwest::{Certificate, Client, StatusCode, header::ACCEPT_ENCODING};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName};
use tempfile::TempDir;
use tokio::{
    net::{TcpSocket, TcpStream},
    task::spawn_blocking,
    time::sleep,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

pub const USER: &str = "prom";
pub const PASSWORD: &str = "secret";

/// The hash of [`PASSWORD`] with cost 12, which takes a quarter of a second, and with cost 6.
pub const COSTLY: &str = "$2y$12$upTwOesjMmkdqKrxYFB4BejxwccffPnSxNeJS037SgjL8km/FdD3C";
pub const CHEAP: &str = "$2y$06$upTwOesjMmkdqKrxYFB4BeIOrJaRSNJOQYKJ4.oRsq9imh.OHEnhm";

/// The address of clients that behave.
pub const GOOD: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A running program, killed on drop.
struct Running {
    child: Child,
    address: SocketAddr,
}

impl Running {
    /// Starts a command of the exporter that logs its address after `phrase`.
    fn start(folder: &Path, arguments: &[&str], phrase: &'static str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mongodbatlas-peering-exporter"));
        command.current_dir(folder).env_clear().args(arguments).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address = lines.find_map(|line| {
            let (_, rest) = line.split_once(phrase)?;
            rest.split([' ', ';']).next()?.parse().ok()
        });
        // The program must be able to write.
        thread::spawn(move || lines.for_each(drop));
        Self { child, address: address.expect("an address") }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The simulator, and the files of the exporters that poll it.
pub struct Site {
    folder: TempDir,
    _atlas: Running,
    certificate: Certificate,
    tls: [TlsConnector; 2],
}

fn scenario(groups: u32) -> String {
    let peerings = "[{provider: AWS, status: AVAILABLE, vpcId: 'vpc-0a1b2c3d{n}', repeat: 20}, \
                     {provider: AZURE, status: AVAILABLE, vnetName: 'vnet-production-{n}', repeat: 15}, \
                     {provider: GCP, status: AVAILABLE, networkName: 'network-{n}', repeat: 15}]";
    let group = |n| format!("  - {{id: 5e57d85c85418064{n:08x}, name: team-{n}-production, peerings: {peerings}}}\n");
    format!("groups:\n{}", (0..groups).map(group).collect::<String>())
}

impl Site {
    /// Groups of 50 peerings.
    pub fn start(groups: u32, hash: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("scenario.yaml", &scenario(groups));
        let arguments = ["simulate", "--simulator.listen-address=127.0.0.1:0", "--simulator.scenario=scenario.yaml"];
        let atlas = Running::start(folder.path(), &arguments, "listening on http://");
        let account =
            "allow_http: true, client_id: mdb_sa_id_5f0000000000000000000002, client_secret_file: client-secret";
        write("client-secret", "mdb_sa_sk_demo\n");
        write("config.yaml", &format!("accounts: [{{base_url: 'http://{}', {account}}}]", atlas.address));
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        write("server.crt", &cert.pem());
        write("server.key", &signing_key.serialize_pem());
        let tls = "tls_server_config: {cert_file: server.crt, key_file: server.key}";
        write("web.yml", &format!("{tls}\nbasic_auth_users: {{{USER}: {hash}}}\n"));
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        let certificate = Certificate::from_der(cert.der()).unwrap();
        let connector = |protocol: &[u8]| {
            let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
            let config = config.with_safe_default_protocol_versions().unwrap();
            let mut config = config.with_root_certificates(roots.clone()).with_no_client_auth();
            config.alpn_protocols = vec![protocol.to_vec()];
            TlsConnector::from(Arc::new(config))
        };
        let tls = [connector(b"http/1.1"), connector(b"h2")];
        Self { folder, _atlas: atlas, certificate, tls }
    }

    pub fn exporter(self: &Arc<Self>) -> Arc<Exporter> {
        let arguments = ["--web.listen-address=127.0.0.1:0", "--web.config.file=web.yml"];
        let process = Running::start(self.folder.path(), &arguments, "listening on ");
        Arc::new(Exporter { site: self.clone(), process })
    }
}

/// An exporter with TLS and a password.
pub struct Exporter {
    site: Arc<Site>,
    process: Running,
}

/// The outcome of one request of a client that behaves: how long it took, or what went wrong.
pub type Outcome = Result<Duration, String>;

impl Exporter {
    /// A plain connection from an address of this machine, which takes little off the exporter's hands if it is slow.
    pub async fn connect(&self, from: Ipv4Addr, is_slow: bool) -> std::io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        if is_slow {
            socket.set_recv_buffer_size(4096)?;
        }
        socket.bind((IpAddr::V4(from), 0).into())?;
        socket.connect(self.process.address).await
    }

    pub async fn connect_tls(
        &self,
        from: Ipv4Addr,
        is_slow: bool,
        is_http2: bool,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let connector = &self.site.tls[usize::from(is_http2)];
        connector.connect(ServerName::try_from("localhost").unwrap(), self.connect(from, is_slow).await?).await
    }

    /// A client with a connection of its own.
    pub fn client(&self, from: Ipv4Addr) -> Client {
        let builder = Client::builder().tls_certs_only([self.site.certificate.clone()]).no_proxy().no_gzip();
        // The scrape timeout of Prometheus.
        builder.local_address(IpAddr::V4(from)).timeout(Duration::from_secs(10)).build().unwrap()
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.process.address.port())
    }

    /// Requests a path on a new connection, as Prometheus does.
    pub async fn get(&self, path: &str) -> Outcome {
        let client = self.client(GOOD);
        let started = Instant::now();
        let request = client.get(self.url(path)).basic_auth(USER, Some(PASSWORD)).header(ACCEPT_ENCODING, "gzip");
        let response = request.send().await.and_then(reqwest::Response::error_for_status);
        match response.map_err(|error| format!("{error:?}"))?.bytes().await {
            Ok(_) => Ok(started.elapsed()),
            Err(error) => Err(format!("{error:?}")),
        }
    }

    /// Runs the `healthcheck` command.
    pub async fn check_health(&self) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mongodbatlas-peering-exporter"));
        command.arg("healthcheck").arg(format!("--web.listen-address={}", self.process.address));
        let started = Instant::now();
        let output = spawn_blocking(move || command.output()).await.unwrap().unwrap();
        if output.status.success() {
            Ok(started.elapsed())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// Without a password, so that it works during a flood of wrong ones: 503 means not ready, and 401 that it is.
    pub async fn wait_until_ready(&self) {
        let (started, client) = (Instant::now(), self.client(GOOD));
        let is_ready = async || {
            let response = client.get(self.url("/-/ready")).send().await;
            response.is_ok_and(|response| response.status() == StatusCode::UNAUTHORIZED)
        };
        while !is_ready().await {
            assert!(started.elapsed() < Duration::from_secs(60), "not ready");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Resident memory in MB.
    pub fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }
}
