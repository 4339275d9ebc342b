//! Reads every network peering of every group and provider from MongoDB Atlas and serves them to Prometheus.
//!
//! ```text
//! config     YAML text -> Config, or everything that is wrong with it
//! section    one mapping of a YAML file, with its faults
//! scheduler  when to poll which target
//! atlas      one poll: every page of a group and provider, or an error
//! state      what we know now
//! metrics    the state -> exposition text
//! telemetry  renders that text when the state changes
//! roster     the accounts that are watched, and how another config changes them
//! process    the families about this process
//! server     HTTP: routes, limits, the end
//! shard      which groups are this exporter's, where several share an organization
//! simulator  a simulated Atlas API for demo, drills and tests
//! journal    what a client of Atlas tells, into the state and the log
//! healthcheck asks a running exporter whether it is healthy
//! doctor     checks every account and group of a config against Atlas
//! web        the web config: TLS, passwords, headers, a rate limit
//! demo       the exporter on top of the simulator
//! cli        commands and flags
//! logging    what is logged, and how a line looks
//! ```

pub mod atlas;
pub mod cli;
pub mod config;
pub mod demo;
pub mod doctor;
pub mod healthcheck;
pub mod journal;
pub mod logging;
pub mod metrics;
pub mod process;
pub mod roster;
pub mod scheduler;
mod section;
pub mod server;
pub mod shard;
pub mod simulator;
pub mod state;
pub mod telemetry;
pub mod web;

use std::{pin::pin, sync::Arc, time::Instant};

use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot, watch},
    task::spawn_blocking,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

pub use self::roster::once;
use self::{
    config::{Config, ConfigError},
    roster::Roster,
    server::{Limits, Routes},
    shard::Shard,
    state::State,
    web::Web,
};

/// Reads the config again.
pub type ReadConfig = Box<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>;

/// Asks for the config to be read again; told what came of it.
pub type Reload = oneshot::Sender<Result<(), String>>;

/// How the config is read again, and by whose wish.
pub struct Reloads {
    /// Who wishes it.
    pub wishes: mpsc::Receiver<Reload>,
    /// Reads it.
    pub read: ReadConfig,
}

/// Polls and serves until `shutdown`; the config is read again as often as `reloads` wish, if there are any.
///
/// # Errors
/// What keeps the exporter from its work; that Atlas cannot be reached does not.
pub async fn run(
    config: &Config,
    shard: Shard,
    listeners: Vec<TcpListener>,
    telemetry_path: &str,
    web: watch::Receiver<Arc<Web>>,
    shutdown: CancellationToken,
    reloads: Option<Reloads>,
) -> anyhow::Result<()> {
    let state = watch::Sender::new(roster::initial_state(config, shard));
    let mut roster = Roster::new(state.clone(), shard);
    roster.follow(config).await?;
    let document = watch::Sender::new(telemetry::page(&state.subscribe())?);
    let routes = routes(telemetry_path, &state, document.subscribe());
    let targets = state.borrow().targets.len();
    info!(targets, accounts = config.accounts.len(), "polling every {:?}", config.poll.interval);
    tokio::spawn(tell_when_ready(state.subscribe()));
    let (mut wishes, read) = match reloads {
        Some(Reloads { wishes, read }) => (wishes, Arc::new(read)),
        None => (mpsc::channel(1).1, Arc::new(unreadable())),
    };
    let mut serving = pin!(server::serve(listeners, routes, web, Limits::default(), shutdown));
    let mut rendering = pin!(telemetry::keep_current(state.subscribe(), document));
    let end = loop {
        tokio::select! {
            () = &mut serving => break Ok(()),
            end = &mut rendering => break end,
            error = roster.watch() => break Err(error),
            Some(answer) = wishes.recv() => {
                let outcome = reload(&mut roster, &state, read.clone()).await;
                // Whoever asked may not wait for it.
                let _ = answer.send(outcome);
            }
        }
    };
    roster.close().await;
    end
}

/// There is no file to read, and nobody to wish it.
fn unreadable() -> ReadConfig {
    Box::new(|| Err(ConfigError { faults: Vec::new() }))
}

/// Reads the config again, and follows it if it has no faults.
async fn reload(roster: &mut Roster, state: &watch::Sender<State>, read: Arc<ReadConfig>) -> Result<(), String> {
    let config = spawn_blocking(move || read()).await;
    let config = config.map_err(|error| error.to_string()).and_then(|read| read.map_err(|error| error.to_string()));
    let outcome = match config {
        Ok(config) => roster.follow(&config).await.map_err(|error| format!("{error:#}")),
        Err(faults) => Err(faults),
    };
    state.send_modify(|state| state.config_is_good = outcome.is_ok());
    match &outcome {
        Ok(()) => {
            let state = state.borrow();
            let (accounts, groups, targets) = (state.accounts.len(), state.groups.len(), state.targets.len());
            info!(accounts, groups, targets, "the config was read again");
        }
        Err(faults) => error!("the config is not used, and nothing changes: {}", faults.replace('\n', "; ")),
    }
    outcome
}

/// The metrics of a state as text.
#[must_use]
pub fn render(state: &State) -> String {
    metrics::render(state, Instant::now())
}

fn routes(path: &str, state: &watch::Sender<State>, document: watch::Receiver<Arc<server::Document>>) -> Routes {
    let state = state.subscribe();
    Routes {
        telemetry_path: path.to_owned(),
        telemetry_type: metrics::CONTENT_TYPE,
        telemetry: Box::new(move || (document.borrow().clone(), process::text())),
        missing: Box::new(move || missing(&state.borrow())),
        landing: include_str!("landing.html").replace("{telemetry_path}", path),
    }
}

/// The first thing to look for in the log after a start.
async fn tell_when_ready(mut state: watch::Receiver<State>) {
    if let Ok(state) = state.wait_for(State::is_ready).await {
        let succeeded = state.targets.values().filter(|target| target.succeeded()).count();
        let targets = state.targets.len();
        if state.all_succeeded() {
            info!(targets, "every target was polled once, all well");
        } else {
            warn!(targets, succeeded, "every target that is known was polled once, not all well; see the lines before");
        }
    }
}

fn missing(state: &State) -> Option<String> {
    if state.is_ready() {
        return None;
    }
    Some(match state.pending() {
        (0, targets) => format!("{targets} of {} targets were not polled yet", state.targets.len()),
        (accounts, _) => format!("the groups of {accounts} of {} accounts are not known yet", state.accounts.len()),
    })
}
