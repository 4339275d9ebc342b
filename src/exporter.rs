//! Runs the collector, the renderer and the server until shutdown.

use std::{future::pending, pin::pin, sync::Arc};

use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use web_config::WebConfig;

use crate::{
    collector::{Collector, initial_state},
    config::Config,
    http::{self, App, Exposition, Limits, render_loop, status::Status},
    reload::{Reloads, read_configs, reload},
    shard::Shard,
    state::{SharedState, State},
    systemd::{self, NotifyState},
};

/// Polls and serves until `shutdown`. `reloads` brings other configs meanwhile.
///
/// # Errors
/// A failure that stops the exporter, such as a panic in a task. An unreachable Atlas is not one.
pub async fn run(
    config: &Config,
    shard: Shard,
    listeners: Vec<TcpListener>,
    telemetry_path: &str,
    web: watch::Sender<Arc<WebConfig>>,
    shutdown: CancellationToken,
    reloads: Option<Reloads>,
) -> anyhow::Result<()> {
    let state = SharedState::new(initial_state(config, shard));
    let mut collector = Collector::new(state.clone(), shard);
    collector.apply_config(config)?;
    let exposition = watch::Sender::new(Exposition::render(&state.subscribe())?);
    let (configs_tx, mut configs_rx) = mpsc::channel(1);
    let reload_tx = reloads.and_then(|Reloads { reload_rx, reload_tx, read }| {
        tokio::spawn(read_configs(reload_rx, Arc::new(read), configs_tx));
        reload_tx
    });
    let status = Status::new(state.subscribe(), exposition.subscribe(), telemetry_path)?;
    let app = App { status: status.clone(), web: web.subscribe(), reload_tx };
    let listings = state.read().listings.len();
    info!(listings, accounts = config.accounts.len(), "polling every {:?}", config.poll.interval);
    tokio::spawn(log_when_ready(state.subscribe()));
    systemd::notify(NotifyState::Ready);
    let mut serving = pin!(http::serve(listeners, app, Limits::default(), shutdown));
    // Part of this loop, so that the watchdog notices when the loop stops.
    let mut watchdog = pin!(feed_watchdog(status));
    let mut rendering = pin!(render_loop(state.subscribe(), exposition));
    let end = loop {
        tokio::select! {
            () = &mut serving => break Ok(()),
            end = &mut rendering => break end,
            () = &mut watchdog => {}
            error = collector.wait_for_panic() => break Err(error),
            Some((configs, request)) = configs_rx.recv() => {
                // The requester may be gone.
                let _ = request.send(reload(&mut collector, &state, &web, configs));
            }
        }
    };
    collector.close().await;
    end
}

/// Logs once how the first round of polls went.
async fn log_when_ready(mut state: watch::Receiver<State>) {
    if let Ok(state) = state.wait_for(State::is_ready).await {
        let listings = state.listings.len();
        let succeeded = state.listings.values().filter(|listing| listing.succeeded()).count();
        if state.all_succeeded() {
            info!(listings, "first round done: {succeeded} of {listings} polls succeeded");
        } else {
            warn!(listings, succeeded, "first round done with failures: {succeeded} of {listings} polls succeeded");
        }
    }
}

/// Notifies systemd's watchdog, if it is on, as long as the exporter does its work. Never returns.
async fn feed_watchdog(status: Arc<Status>) {
    let Some(interval) = systemd::watchdog_interval() else { return pending().await };
    loop {
        if status.stall_reason().is_none() {
            systemd::notify(NotifyState::Watchdog);
        }
        sleep(interval).await;
    }
}
