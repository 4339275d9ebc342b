//! A simulated Atlas behind TLS with a private certificate authority.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
};

use atlas_simulator::{Scenario, Simulator};
use axum::serve::Listener;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
    server::TlsStream,
};

use crate::{
    process::{Ended, exporter, run},
    setup::{GROUP, SCENARIO, config, write_config},
};

/// A certificate authority.
pub(crate) type Authority = CertifiedIssuer<'static, KeyPair>;

pub(crate) fn authority() -> Authority {
    authority_called("an authority")
}

/// Clients tell two authorities with the same name apart by their signatures only.
pub(crate) fn authority_called(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A simulated Atlas behind TLS, in a thread.
pub(crate) struct TlsAtlas {
    pub(crate) simulator: Simulator,
    pub(crate) address: SocketAddr,
    shutdown: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl TlsAtlas {
    /// Starts it with these ALPN protocols.
    pub(crate) fn start(authority: &Authority, protocols: &[&str]) -> TlsAtlas {
        let acceptor = TlsAcceptor::from(Arc::new(server_config(authority, protocols)));
        let simulator = Simulator::new(Scenario::parse(SCENARIO).unwrap());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let (shutdown, ended) = oneshot::channel();
        let served = simulator.clone();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TlsListener { listener: TcpListener::from_std(listener).unwrap(), acceptor };
                served.serve(listener, async { drop(ended.await) }).await;
            });
        });
        TlsAtlas { simulator, address, shutdown: Some(shutdown), thread: Some(thread) }
    }

    /// Runs `once` against it, with a file of trusted authorities.
    pub(crate) fn poll_once(&self, folder: &Path, trusted: &Path) -> Ended {
        let base_url = format!("https://localhost:{}", self.address.port());
        write_config(folder, &config(&base_url, &[(GROUP, "payments")]));
        let mut command = exporter(folder, ["once"]);
        command.env("SSL_CERT_FILE", trusted);
        run(command)
    }

    /// The HTTP versions of the requests, without duplicates.
    pub(crate) fn versions(&self) -> Vec<String> {
        let mut versions: Vec<_> = self.simulator.requests().into_iter().map(|request| request.version).collect();
        versions.sort();
        versions.dedup();
        versions
    }
}

impl Drop for TlsAtlas {
    fn drop(&mut self) {
        drop(self.shutdown.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Accepts TLS connections, one handshake at a time.
struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let (stream, address) = self.listener.accept().await.unwrap();
            // A client that does not trust the certificate disconnects.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

fn server_config(authority: &Authority, protocols: &[&str]) -> ServerConfig {
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let mut config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    config
}

pub(crate) fn write_authority(folder: &Path, authority: &Authority) -> PathBuf {
    let file = folder.join("authority.pem");
    fs::write(&file, authority.pem()).unwrap();
    file
}
