//! The configs are read again while the exporter runs.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::spawn_blocking,
    time::timeout,
};
use tracing::{error, info};
use web_config::WebConfig;

use crate::{collector::roster::Collector, config::Config, state::State, systemd};

/// Reads both configs again, or says everything that is wrong with them.
pub type ReadConfigs = Box<dyn Fn() -> Result<Configs, String> + Send + Sync>;

/// What to watch, and what guards the server.
pub type Configs = (Config, Arc<WebConfig>);

/// For reading both configs and the secrets; longer than any disk that works.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Asks for the configs to be read again; told what came of it.
pub type ReloadRequest = oneshot::Sender<Result<(), String>>;

/// How the configs are read again, and by whose wish.
pub struct Reloads {
    /// Who wishes it.
    pub wishes: mpsc::Receiver<ReloadRequest>,
    /// For wishes over HTTP, where these are allowed.
    pub wish: Option<mpsc::Sender<ReloadRequest>>,
    /// Reads them.
    pub read: ReadConfigs,
}

/// Reads the configs for each wish. The main loop does not wait for that: a file may be on a disk that hangs.
pub(crate) async fn read_configs(
    mut wishes: mpsc::Receiver<ReloadRequest>,
    read: Arc<ReadConfigs>,
    reader: mpsc::Sender<(Result<Configs, String>, ReloadRequest)>,
) {
    while let Some(answer) = wishes.recv().await {
        systemd::reloading();
        let read = read.clone();
        let read = match timeout(READ_TIMEOUT, spawn_blocking(move || read())).await {
            Ok(Ok(read)) => read,
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("the files cannot be read within {READ_TIMEOUT:?}; does a disk or a mount hang?")),
        };
        if reader.send((read, answer)).await.is_err() {
            return;
        }
    }
}

/// Follows the configs if they have no faults.
pub(crate) fn reload(
    roster: &mut Collector,
    state: &watch::Sender<State>,
    web: &watch::Sender<Arc<WebConfig>>,
    read: Result<Configs, String>,
) -> Result<(), String> {
    let outcome = read.and_then(|(config, fresh)| {
        roster.follow(&config).map_err(|error| format!("{error:#}"))?;
        web.send_replace(fresh);
        Ok(())
    });
    systemd::ready();
    state.send_modify(|state| state.config_is_good = outcome.is_ok());
    match &outcome {
        Ok(()) => {
            let state = state.borrow();
            let (accounts, groups, listings) = (state.accounts.len(), state.groups.len(), state.listings.len());
            info!(accounts, groups, listings, "the config was read again");
        }
        Err(faults) => error!("the config is not used, and nothing changes: {}", faults.replace('\n', "; ")),
    }
    outcome
}

/// Requests a reload, and waits for its outcome.
pub(crate) async fn request_reload(reload_tx: &mpsc::Sender<ReloadRequest>) -> Result<(), String> {
    let (answer, outcome) = oneshot::channel();
    let is_sent = reload_tx.send(answer).await.is_ok();
    let outcome = if is_sent { outcome.await.ok() } else { None };
    outcome.unwrap_or_else(|| Err("the exporter is shutting down".to_owned()))
}
