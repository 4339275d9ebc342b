//! Runs the collector, the renderer and the server until shutdown.

use std::{future::pending, pin::pin, sync::Arc, time::Instant};

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
    http::{
        self, Exposition, Limits, Routes, render_loop,
        status::{self, Status},
    },
    metrics,
    reload::{ReloadRequest, Reloads, read_configs, reload, request_reload},
    shard::Shard,
    state::{SharedState, State, not_ready_reason, stall_reason},
    systemd,
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
    let document = watch::Sender::new(render_loop::page(&state.subscribe())?);
    let (configs_tx, mut configs_rx) = mpsc::channel(1);
    let reload_tx = reloads.and_then(|Reloads { reload_rx, reload_tx, read }| {
        tokio::spawn(read_configs(reload_rx, Arc::new(read), configs_tx));
        reload_tx
    });
    let routes = routes(telemetry_path, &state, document.subscribe(), reload_tx);
    let listings = state.read().listings.len();
    info!(listings, accounts = config.accounts.len(), "polling every {:?}", config.poll.interval);
    tokio::spawn(log_when_ready(state.subscribe()));
    systemd::notify_ready();
    let mut serving = pin!(http::serve(listeners, routes, web.subscribe(), Limits::default(), shutdown));
    // Part of this loop, so that the watchdog notices when the loop stops.
    let mut watchdog = pin!(feed_watchdog(state.subscribe(), document.subscribe()));
    let mut rendering = pin!(render_loop::keep_current(state.subscribe(), document));
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

fn routes(
    path: &str,
    state: &SharedState,
    document: watch::Receiver<Arc<Exposition>>,
    reload_tx: Option<mpsc::Sender<ReloadRequest>>,
) -> Routes {
    let watch_progress = || -> status::Stuck {
        let (progress, page) = (state.subscribe(), document.clone());
        Box::new(move || stall_reason(&progress.borrow(), page.borrow().made, Instant::now()))
    };
    let status = Status::new(state.subscribe(), watch_progress(), path);
    let is_stuck = watch_progress();
    let state = state.subscribe();
    Routes {
        telemetry_path: path.to_owned(),
        telemetry_type: metrics::CONTENT_TYPE,
        telemetry: Box::new(move || (document.borrow().clone(), metrics::process_text())),
        missing: Box::new(move || not_ready_reason(&state.borrow())),
        stuck: is_stuck,
        reload: reload_tx.map(|reload_tx| -> http::Reload {
            Box::new(move || {
                let reload_tx = reload_tx.clone();
                Box::pin(async move { request_reload(&reload_tx).await.map_err(|error| error.to_string()) })
            })
        }),
        pages: Box::new(move |path, query| {
            let (status, path, query) = (status.clone(), path.to_owned(), query.to_owned());
            Box::pin(async move { status.page(&path, &query).await })
        }),
    }
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
async fn feed_watchdog(state: watch::Receiver<State>, document: watch::Receiver<Arc<Exposition>>) {
    let Some(interval) = systemd::watchdog_interval() else { return pending().await };
    loop {
        if stall_reason(&state.borrow(), document.borrow().made, Instant::now()).is_none() {
            systemd::notify_watchdog();
        }
        sleep(interval).await;
    }
}
