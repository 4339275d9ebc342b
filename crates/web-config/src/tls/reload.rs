//! Reloads the certificate when its files change.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::RwLock;
use rustls::ServerConfig;
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    task::spawn_blocking,
    time::timeout,
};
use tracing::{info, warn};

use super::{files::TlsFiles, settings::TlsSettings};
use yaml_reader::ConfigFault;

/// The least time between two checks of the files, so that many handshakes do not cause many reads.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The longest that a handshake waits for a check, such as of a disk that hangs.
const CHECK_TIMEOUT: Duration = Duration::from_millis(250);

/// The rustls config of new connections.
pub(crate) struct CertReloader {
    settings: Arc<TlsSettings>,
    current: Arc<RwLock<Arc<ServerConfig>>>,
    last_check: Arc<Mutex<Snapshot>>,
}

/// The files at the last check.
struct Snapshot {
    at: Instant,
    /// Of the contents in use.
    digest: [u8; 32],
    last_errors: Vec<ConfigFault>,
}

impl CertReloader {
    pub(crate) fn new(settings: TlsSettings, files: &TlsFiles) -> Result<Self, Vec<ConfigFault>> {
        let server_config = settings.server_config(files).map_err(|fault| vec![fault])?;
        let snapshot = Snapshot { at: Instant::now(), digest: files.digest(), last_errors: Vec::new() };
        Ok(Self {
            settings: Arc::new(settings),
            current: Arc::new(RwLock::new(Arc::new(server_config))),
            last_check: Arc::new(Mutex::new(snapshot)),
        })
    }

    /// Whether the private key is in the web config itself.
    pub(crate) fn has_inline_key(&self) -> bool {
        self.settings.sources.key.path().is_none()
    }

    /// The config with the current contents of the files, or with the previous ones if these have faults. One handshake
    /// at a time checks the files; the others do not wait for it.
    pub(crate) async fn server_config(&self) -> Arc<ServerConfig> {
        match self.last_check.clone().try_lock_owned() {
            Ok(snapshot) if snapshot.at.elapsed() >= CHECK_INTERVAL => {
                let (settings, current) = (self.settings.clone(), self.current.clone());
                // The thread keeps the lock, so that a disk that hangs occupies only one.
                let check = spawn_blocking(move || reload_if_changed(snapshot, &settings, &current));
                drop(timeout(CHECK_TIMEOUT, check).await);
            }
            _ => {}
        }
        self.current.read().clone()
    }
}

fn reload_if_changed(
    mut snapshot: OwnedMutexGuard<Snapshot>,
    settings: &TlsSettings,
    current: &RwLock<Arc<ServerConfig>>,
) {
    snapshot.at = Instant::now();
    let loaded = settings.sources.read().and_then(|files| {
        let digest = files.digest();
        if digest != snapshot.digest {
            let server_config = settings.server_config(&files).map_err(|fault| vec![fault])?;
            *current.write() = Arc::new(server_config);
            snapshot.digest = digest;
            info!("the TLS files changed; new connections use the new certificate");
        }
        Ok(())
    });
    let errors = loaded.err().unwrap_or_default();
    // Each error is logged once, not at every check.
    if errors != snapshot.last_errors {
        for fault in &errors {
            warn!("the TLS files cannot be used; new connections use the previous certificate: {fault}");
        }
    }
    snapshot.last_errors = errors;
}
