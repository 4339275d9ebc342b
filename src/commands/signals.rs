//! The signals that stop the program and reload its configuration.

use anyhow::Context;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{reload::ReloadRequest, systemd};

/// The exit status after a second signal: 128 and the number of SIGINT, as shells have it.
const EXIT_INTERRUPTED: i32 = 130;

/// Returns a token that SIGTERM or SIGINT cancels; a second one exits the process. SIGHUP requests a reload, where
/// there is something to reload.
pub(super) fn listen(reload_tx: Option<mpsc::Sender<ReloadRequest>>) -> anyhow::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate()).context("handle SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("handle SIGINT")?;
    let mut hangup = signal(SignalKind::hangup()).context("handle SIGHUP")?;
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    tokio::spawn(async move {
        let name = loop {
            tokio::select! {
                _ = terminate.recv() => break "SIGTERM",
                _ = interrupt.recv() => break "SIGINT",
                _ = hangup.recv() => match &reload_tx {
                    // The result is logged. If the channel is full, a reload is already pending.
                    Some(reload_tx) => drop(reload_tx.try_send(oneshot::channel().0)),
                    None => warn!("ignored SIGHUP: this command has no config to reload"),
                },
            }
        };
        info!("stopping on {name}; a second signal exits immediately");
        systemd::notify(systemd::NotifyState::Stopping);
        token.cancel();
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        std::process::exit(EXIT_INTERRUPTED);
    });
    Ok(shutdown)
}
