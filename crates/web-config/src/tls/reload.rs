//! A server's certificate that is read again when its files change.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::ServerConfig;
use tokio::{
    sync::{Mutex, OwnedMutexGuard, watch},
    task::spawn_blocking,
    time::timeout,
};
use tracing::{info, warn};

use crate::{tls::Settings, tls::files::TlsFiles};
use yaml_reader::ConfigFault;

/// A flood of handshakes must not become a flood of reads.
const PAUSE: Duration = Duration::from_secs(1);

/// A disk that hangs must not hold up a handshake for longer.
const PATIENCE: Duration = Duration::from_secs(1);

/// What to shake hands with.
pub(crate) struct CertReloader {
    settings: Arc<Settings>,
    current: Arc<watch::Sender<Arc<ServerConfig>>>,
    look: Arc<Mutex<Look>>,
}

/// What the files held when they were last looked at.
struct Look {
    at: Instant,
    digest: [u8; 32],
    complaints: Vec<ConfigFault>,
}

impl CertReloader {
    pub(crate) fn new(settings: Settings, material: &TlsFiles) -> Result<Self, Vec<ConfigFault>> {
        let server = settings.server(material).map_err(|fault| vec![fault])?;
        let look = Look { at: Instant::now(), digest: material.digest(), complaints: Vec::new() };
        Ok(Self {
            settings: Arc::new(settings),
            current: Arc::new(watch::Sender::new(Arc::new(server))),
            look: Arc::new(Mutex::new(look)),
        })
    }

    /// What the files hold now, if they are good, else what they held before. They are looked at once a second at
    /// most, by one handshake at a time; the others do not wait for it.
    pub(crate) async fn server(&self) -> Arc<ServerConfig> {
        match self.look.clone().try_lock_owned() {
            Ok(look) if look.at.elapsed() >= PAUSE => {
                let (settings, current) = (self.settings.clone(), self.current.clone());
                // The lock goes along, so that a disk that hangs holds one thread and no more.
                let looking = spawn_blocking(move || look_again(look, &settings, &current));
                drop(timeout(PATIENCE, looking).await);
            }
            _ => {}
        }
        self.current.borrow().clone()
    }
}

fn look_again(mut look: OwnedMutexGuard<Look>, settings: &Settings, current: &watch::Sender<Arc<ServerConfig>>) {
    look.at = Instant::now();
    let complaints = match settings.sources.read() {
        Ok(material) if material.digest() == look.digest => Vec::new(),
        Ok(material) => match settings.server(&material) {
            Ok(server) => {
                look.digest = material.digest();
                current.send_replace(Arc::new(server));
                info!("a file of the web config changed; new connections get the certificate that it holds now");
                Vec::new()
            }
            Err(fault) => vec![fault],
        },
        Err(faults) => faults,
    };
    // Once, not at every look.
    if complaints != look.complaints {
        for fault in &complaints {
            warn!("new connections keep the certificate from before: {fault}");
        }
    }
    look.complaints = complaints;
}
