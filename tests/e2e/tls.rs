//! Encryption and HTTP/2: an Atlas with a certificate of the test's own authority.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
};

use mongodbatlas_peering_exporter::simulator::{Scenario, Simulator};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::{net::TcpListener, sync::oneshot};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

use crate::{
    process::{Ended, exporter, run},
    setup::{GROUP, SCENARIO, config, folder, write_config},
};

/// An authority that signs certificates.
type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A simulated Atlas behind TLS, on a thread of its own.
struct TlsAtlas {
    simulator: Simulator,
    address: SocketAddr,
    shutdown: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl TlsAtlas {
    /// Offers these protocols.
    fn start(authority: &Authority, protocols: &[&str]) -> TlsAtlas {
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
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = serve(&listener, &acceptor, &served) => {}
                    _ = ended => {}
                }
            });
        });
        TlsAtlas { simulator, address, shutdown: Some(shutdown), thread: Some(thread) }
    }

    /// Runs `once` against it, trusting what the file says.
    fn poll_once(&self, folder: &Path, trusted: &Path) -> Ended {
        let base_url = format!("https://localhost:{}", self.address.port());
        write_config(folder, &config(&base_url, &[(GROUP, "payments")]));
        let mut command = exporter(folder, ["once"]);
        command.env("SSL_CERT_FILE", trusted);
        run(command)
    }

    /// The versions of HTTP it was asked in, each once.
    fn versions(&self) -> Vec<String> {
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

async fn serve(listener: &TcpListener, acceptor: &TlsAcceptor, simulator: &Simulator) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (acceptor, simulator) = (acceptor.clone(), simulator.clone());
        tokio::spawn(async move {
            // A client that does not trust us hangs up: no error of ours.
            if let Ok(stream) = acceptor.accept(stream).await {
                simulator.serve_connection(stream).await;
            }
        });
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

fn write_authority(folder: &Path, authority: &Authority) -> PathBuf {
    let file = folder.join("authority.pem");
    fs::write(&file, authority.pem()).unwrap();
    file
}

#[test]
fn the_exporter_speaks_http_2_where_the_server_offers_it() {
    let (folder, authority) = (folder(), authority());
    let atlas = TlsAtlas::start(&authority, &["h2", "http/1.1"]);
    let ended = atlas.poll_once(folder.path(), &write_authority(folder.path(), &authority));
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert_eq!(atlas.versions(), ["HTTP/2.0"]);
    assert!(ended.stdout.contains("64c0ffee00000000000000c3"), "{}", ended.stdout);
}

#[test]
fn the_exporter_speaks_http_1_1_where_the_server_offers_no_other() {
    let (folder, authority) = (folder(), authority());
    let atlas = TlsAtlas::start(&authority, &["http/1.1"]);
    let ended = atlas.poll_once(folder.path(), &write_authority(folder.path(), &authority));
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert_eq!(atlas.versions(), ["HTTP/1.1"]);
}

#[test]
fn a_server_whose_authority_is_not_trusted_is_asked_nothing_and_the_reason_is_tls() {
    let (folder, trusted) = (folder(), authority());
    let atlas = TlsAtlas::start(&authority(), &["h2"]);
    let ended = atlas.poll_once(folder.path(), &write_authority(folder.path(), &trusted));
    assert_eq!(ended.status, Some(1), "{}", ended.stderr);
    for provider in ["AWS", "AZURE", "GCP"] {
        let labels = format!("group_id=\"{GROUP}\",provider=\"{provider}\",reason=\"tls\"");
        let line = format!("mongodbatlas_peering_poll_failures_total{{{labels}}} 1\n");
        assert!(ended.stdout.contains(&line), "{}", ended.stdout);
    }
    assert!(ended.stderr.contains("reason=\"tls\"") && ended.stderr.contains("certificate"), "{}", ended.stderr);
    assert!(atlas.versions().is_empty());
}
