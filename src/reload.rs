//! The configs are read again while the exporter runs.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::spawn_blocking,
    time::timeout,
};
use tracing::{error, info};
use web_config::WebConfig;

use crate::{collector::Collector, config::Config, http, state::SharedState, systemd};

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
    collector: &mut Collector,
    state: &SharedState,
    web: &watch::Sender<Arc<WebConfig>>,
    read: Result<Configs, String>,
) -> Result<(), String> {
    let outcome = read.and_then(|(config, fresh)| {
        collector.apply_config(&config).map_err(|error| format!("{error:#}"))?;
        web.send_replace(fresh);
        Ok(())
    });
    systemd::ready();
    state.update(|state| state.last_reload_ok = outcome.is_ok());
    match &outcome {
        Ok(()) => {
            let state = state.read();
            let (accounts, groups, listings) = (state.accounts.len(), state.groups.len(), state.listings.len());
            info!(accounts, groups, listings, "the config was read again");
        }
        Err(faults) => error!("the config is not used, and nothing changes: {}", faults.replace('\n', "; ")),
    }
    outcome
}

/// Wishes the configs to be read again, and waits for what comes of it.
pub(crate) fn request_reload(wish: mpsc::Sender<ReloadRequest>) -> http::Reload {
    Box::new(move || {
        let wish = wish.clone();
        Box::pin(async move {
            let (answer, outcome) = oneshot::channel();
            let ending = |_| "the exporter is ending".to_owned();
            wish.send(answer).await.map_err(|_| "the exporter is ending".to_owned())?;
            outcome.await.map_err(ending)?
        })
    })
}
