//! Reloads both configs while the exporter runs.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{JoinError, spawn_blocking},
    time::timeout,
};
use tracing::{error, info};
use web_config::WebConfig;

use crate::{
    collector::Collector,
    config::{Config, ConfigError},
    state::SharedState,
    systemd::{self, NotifyState},
};

/// The config of the exporter and that of its server.
pub type Configs = (Config, Arc<WebConfig>);

/// Reads both configs; may block.
pub type ReadConfigs = Box<dyn Fn() -> Result<Configs, ReloadError> + Send + Sync>;

/// A request to reload both configs; receives the result.
pub type ReloadRequest = oneshot::Sender<Result<(), ReloadError>>;

/// A limit for reading both configs and the secrets, which no working disk reaches.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Where reload requests come from and how the configs are read.
pub struct Reloads {
    /// The reload requests.
    pub reload_rx: mpsc::Receiver<ReloadRequest>,
    /// Sends the requests that arrive over HTTP; none if these are not allowed.
    pub reload_tx: Option<mpsc::Sender<ReloadRequest>>,
    /// Reads both configs.
    pub read: ReadConfigs,
}

/// Why a reload changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The config has faults.
    #[error("{0}")]
    Config(ConfigError),
    /// The web config, with its path, has faults.
    #[error("{0}: {1}")]
    WebConfig(String, ConfigError),
    /// Reading took too long.
    #[error("the files cannot be read within {READ_TIMEOUT:?}; does a disk or a mount hang?")]
    Timeout,
    /// Reading panicked.
    #[error("{0}")]
    Panic(JoinError),
    /// No HTTP client can be created for an account.
    #[error("{0:#}")]
    Client(anyhow::Error),
    /// The exporter is shutting down.
    #[error("the exporter is shutting down")]
    ShuttingDown,
}

/// Reads the configs for each request, in a task of its own: a file may be on a disk that hangs.
pub(crate) async fn read_configs(
    mut reload_rx: mpsc::Receiver<ReloadRequest>,
    read: Arc<ReadConfigs>,
    configs_tx: mpsc::Sender<(Result<Configs, ReloadError>, ReloadRequest)>,
) {
    while let Some(request) = reload_rx.recv().await {
        systemd::notify(NotifyState::Reloading);
        let read = read.clone();
        let configs = match timeout(READ_TIMEOUT, spawn_blocking(move || read())).await {
            Ok(Ok(configs)) => configs,
            Ok(Err(error)) => Err(ReloadError::Panic(error)),
            Err(_) => Err(ReloadError::Timeout),
        };
        if configs_tx.send((configs, request)).await.is_err() {
            return;
        }
    }
}

/// Applies both configs if neither has a fault.
pub(crate) fn reload(
    collector: &mut Collector,
    state: &SharedState,
    web: &watch::Sender<Arc<WebConfig>>,
    configs: Result<Configs, ReloadError>,
) -> Result<(), ReloadError> {
    let outcome = configs.and_then(|(config, web_config)| {
        collector.apply_config(&config).map_err(ReloadError::Client)?;
        web.send_replace(web_config);
        Ok(())
    });
    systemd::notify(NotifyState::Ready);
    state.update(|state| state.last_reload_ok = outcome.is_ok());
    match &outcome {
        Ok(()) => {
            let state = state.read();
            let (accounts, groups, listings) = (state.accounts.len(), state.groups.len(), state.listings.len());
            info!(accounts, groups, listings, "configuration reloaded");
        }
        Err(error) => {
            let faults = error.to_string().replace('\n', "; ");
            error!("configuration reload failed, keeping the running one: {faults}");
        }
    }
    outcome
}

/// Requests a reload and waits for its result.
pub(crate) async fn request_reload(reload_tx: &mpsc::Sender<ReloadRequest>) -> Result<(), ReloadError> {
    let (request, result) = oneshot::channel();
    reload_tx.send(request).await.map_err(|_| ReloadError::ShuttingDown)?;
    result.await.unwrap_or(Err(ReloadError::ShuttingDown))
}
