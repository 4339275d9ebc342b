//! The exporter: everything that runs from the start to the end.

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
    collector::{self, roster::Collector},
    config::Config,
    http::{self, App, Exposition, Limits, render_loop, status::Status},
    reload::{Reloads, read_configs, reload},
    shard::Shard,
    state::State,
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
    let state = watch::Sender::new(collector::roster::initial_state(config, shard));
    let mut roster = Collector::new(state.clone(), shard);
    roster.follow(config)?;
    let exposition = watch::Sender::new(Exposition::render(&state.subscribe())?);
    let (reader, mut fresh) = mpsc::channel(1);
    let reload_tx = reloads.and_then(|Reloads { wishes, wish, read }| {
        tokio::spawn(read_configs(wishes, Arc::new(read), reader));
        wish
    });
    let status = Status::new(state.subscribe(), exposition.subscribe(), telemetry_path);
    let app = App {
        state: state.subscribe(),
        exposition: exposition.subscribe(),
        status: status.clone(),
        web: web.subscribe(),
        telemetry_path: telemetry_path.to_owned(),
        reload_tx,
    };
    let listings = state.borrow().listings.len();
    info!(listings, accounts = config.accounts.len(), "polling every {:?}", config.poll.interval);
    tokio::spawn(tell_when_ready(state.subscribe()));
    systemd::ready();
    let mut serving = pin!(http::serve(listeners, app, Limits::default(), shutdown));
    // In this loop, so that it stands still where the loop does.
    let mut life = pin!(show_life(status));
    let mut rendering = pin!(render_loop(state.subscribe(), exposition));
    let end = loop {
        tokio::select! {
            () = &mut serving => break Ok(()),
            end = &mut rendering => break end,
            () = &mut life => {}
            error = roster.watch() => break Err(error),
            Some((read, answer)) = fresh.recv() => {
                // Whoever asked may not wait for it.
                let _ = answer.send(reload(&mut roster, &state, &web, read));
            }
        }
    };
    roster.close().await;
    end
}

/// The first thing to look for in the log after a start.
async fn tell_when_ready(mut state: watch::Receiver<State>) {
    if let Ok(state) = state.wait_for(State::is_ready).await {
        let succeeded = state.listings.values().filter(|key| key.succeeded()).count();
        let listings = state.listings.len();
        if state.all_succeeded() {
            info!(listings, "every key was polled once, all well");
        } else {
            warn!(listings, succeeded, "every key that is known was polled once, not all well; see the lines before");
        }
    }
}

/// Shows systemd that the exporter does its work, where it wants to know; never ends.
async fn show_life(status: Arc<Status>) {
    let Some(interval) = systemd::watchdog() else { return pending().await };
    loop {
        if status.stall_reason().is_none() {
            systemd::alive();
        }
        sleep(interval).await;
    }
}
