//! The exporter: everything that runs from the start to the end.

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
    metrics::{self, process},
    reload::{ReloadRequest, Reloads, read_configs, reload, request_reload},
    shard::Shard,
    state::{SharedState, State, not_ready_reason, stall_reason},
    systemd,
};

/// Polls and serves until `shutdown`; the config is read again as often as `reloads` wish, if there are any.
///
/// # Errors
/// What keeps the exporter from its work; that Atlas cannot be reached does not.
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
    let (reader, mut fresh) = mpsc::channel(1);
    let wish = reloads.and_then(|Reloads { wishes, wish, read }| {
        tokio::spawn(read_configs(wishes, Arc::new(read), reader));
        wish
    });
    let routes = routes(telemetry_path, &state, document.subscribe(), wish);
    let listings = state.read().listings.len();
    info!(listings, accounts = config.accounts.len(), "polling every {:?}", config.poll.interval);
    tokio::spawn(tell_when_ready(state.subscribe()));
    systemd::ready();
    let mut serving = pin!(http::serve(listeners, routes, web.subscribe(), Limits::default(), shutdown));
    // In this loop, so that it stands still where the loop does.
    let mut life = pin!(show_life(state.subscribe(), document.subscribe()));
    let mut rendering = pin!(render_loop::keep_current(state.subscribe(), document));
    let end = loop {
        tokio::select! {
            () = &mut serving => break Ok(()),
            end = &mut rendering => break end,
            () = &mut life => {}
            error = collector.wait_for_panic() => break Err(error),
            Some((read, answer)) = fresh.recv() => {
                // Whoever asked may not wait for it.
                let _ = answer.send(reload(&mut collector, &state, &web, read));
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
    wish: Option<mpsc::Sender<ReloadRequest>>,
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
        telemetry: Box::new(move || (document.borrow().clone(), process::text())),
        missing: Box::new(move || not_ready_reason(&state.borrow())),
        stuck: is_stuck,
        reload: wish.map(request_reload),
        pages: Box::new(move |path, query| {
            let (status, path, query) = (status.clone(), path.to_owned(), query.to_owned());
            Box::pin(async move { status.page(&path, &query).await })
        }),
    }
}

/// The first thing to look for in the log after a start.
async fn tell_when_ready(mut state: watch::Receiver<State>) {
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

/// Shows systemd that the exporter does its work, where it wants to know; never ends.
async fn show_life(state: watch::Receiver<State>, document: watch::Receiver<Arc<Exposition>>) {
    let Some(interval) = systemd::watchdog() else { return pending().await };
    loop {
        if stall_reason(&state.borrow(), document.borrow().made, Instant::now()).is_none() {
            systemd::alive();
        }
        sleep(interval).await;
    }
}
