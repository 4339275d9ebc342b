//! Reads every network peering of every group and provider from MongoDB Atlas and serves them to Prometheus.
//!
//! ```text
//! config     YAML text -> Config, or everything that is wrong with it
//! section    one mapping of a YAML file, with its faults
//! scheduler  when to poll which listing
//! atlas      one poll: every page of a group and provider, or an error
//! state      what we know now
//! status     the state -> a page for people, and JSON
//! metrics    the state -> exposition text
//! systemd    what systemd hands over and wants to be told
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

pub mod cli;
pub mod collector;
pub mod commands;
pub mod config;
pub mod http;
pub mod logging;
pub mod metrics;
pub mod shard;
pub mod state;
pub mod systemd;

use std::{
    future::pending,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot, watch},
    task::spawn_blocking,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

pub use self::collector::roster::once;
use self::{
    collector::roster::{self, Collector},
    config::Config,
    http::{
        self as server, Limits, Routes, render_loop as telemetry,
        status::{self, Status},
    },
    metrics::process,
    shard::Shard,
    state::{OVERDUE, State},
};
use web_config::WebConfig;

/// Reads both configs again, or says everything that is wrong with them.
pub type ReadConfigs = Box<dyn Fn() -> Result<Configs, String> + Send + Sync>;

/// What to watch, and what guards the server.
pub type Configs = (Config, Arc<WebConfig>);

/// For reading both configs and the secrets; longer than any disk that works.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Asks for the configs to be read again; told what came of it.
pub type Reload = oneshot::Sender<Result<(), String>>;

/// How the configs are read again, and by whose wish.
pub struct Reloads {
    /// Who wishes it.
    pub wishes: mpsc::Receiver<Reload>,
    /// For wishes over HTTP, where these are allowed.
    pub wish: Option<mpsc::Sender<Reload>>,
    /// Reads them.
    pub read: ReadConfigs,
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
    web: watch::Sender<Arc<WebConfig>>,
    shutdown: CancellationToken,
    reloads: Option<Reloads>,
) -> anyhow::Result<()> {
    let state = watch::Sender::new(roster::initial_state(config, shard));
    let mut roster = Collector::new(state.clone(), shard);
    roster.follow(config)?;
    let document = watch::Sender::new(telemetry::page(&state.subscribe())?);
    let (reader, mut fresh) = mpsc::channel(1);
    let wish = reloads.and_then(|Reloads { wishes, wish, read }| {
        tokio::spawn(read_configs(wishes, Arc::new(read), reader));
        wish
    });
    let routes = routes(telemetry_path, &state, document.subscribe(), wish);
    let listings = state.borrow().listings.len();
    info!(listings, accounts = config.accounts.len(), "polling every {:?}", config.poll.interval);
    tokio::spawn(tell_when_ready(state.subscribe()));
    systemd::ready();
    let mut serving = pin!(server::serve(listeners, routes, web.subscribe(), Limits::default(), shutdown));
    // In this loop, so that it stands still where the loop does.
    let mut life = pin!(show_life(state.subscribe(), document.subscribe()));
    let mut rendering = pin!(telemetry::keep_current(state.subscribe(), document));
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

/// Reads the configs for each wish. The main loop does not wait for that: a file may be on a disk that hangs.
async fn read_configs(
    mut wishes: mpsc::Receiver<Reload>,
    read: Arc<ReadConfigs>,
    reader: mpsc::Sender<(Result<Configs, String>, Reload)>,
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
fn reload(
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

/// Wishes the configs to be read again, and waits for what comes of it.
fn over_http(wish: mpsc::Sender<Reload>) -> server::Reload {
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

/// The metrics of a state as text.
#[must_use]
pub fn render(state: &State) -> String {
    metrics::render(state, Instant::now())
}

fn routes(
    path: &str,
    state: &watch::Sender<State>,
    document: watch::Receiver<Arc<server::Exposition>>,
    wish: Option<mpsc::Sender<Reload>>,
) -> Routes {
    let watch_progress = || -> status::Stuck {
        let (progress, page) = (state.subscribe(), document.clone());
        Box::new(move || stuck(&progress.borrow(), page.borrow().made, Instant::now()))
    };
    let status = Status::new(state.subscribe(), watch_progress(), path);
    let is_stuck = watch_progress();
    let state = state.subscribe();
    Routes {
        telemetry_path: path.to_owned(),
        telemetry_type: metrics::CONTENT_TYPE,
        telemetry: Box::new(move || (document.borrow().clone(), process::text())),
        missing: Box::new(move || missing(&state.borrow())),
        stuck: is_stuck,
        reload: wish.map(over_http),
        pages: Box::new(move |path, query| {
            let (status, path, query) = (status.clone(), path.to_owned(), query.to_owned());
            Box::pin(async move { status.page(&path, &query).await })
        }),
    }
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
async fn show_life(state: watch::Receiver<State>, document: watch::Receiver<Arc<server::Exposition>>) {
    let Some(interval) = systemd::watchdog() else { return pending().await };
    loop {
        if stuck(&state.borrow(), document.borrow().made, Instant::now()).is_none() {
            systemd::alive();
        }
        sleep(interval).await;
    }
}

/// An exporter that lives lets nothing wait for as long as that, whatever Atlas does.
fn stuck(state: &State, page_made: Instant, now: Instant) -> Option<String> {
    let (accounts, listings) = state.overdue(now);
    // Every poll changes the state, and so the page.
    let is_frozen = !state.listings.is_empty() && page_made + state.interval * OVERDUE < now;
    let what = match (accounts, listings) {
        (0, 0) if is_frozen => "the page was not made anew".to_owned(),
        (0, 0) => return None,
        (0, _) => format!("{listings} listings are due"),
        _ => format!("nobody looks after {accounts} accounts"),
    };
    Some(format!("{what} for more than {OVERDUE} intervals; the exporter is stuck"))
}

fn missing(state: &State) -> Option<String> {
    if state.is_ready() {
        return None;
    }
    Some(match state.pending() {
        (0, listings) => format!("{listings} of {} listings were not polled yet", state.listings.len()),
        (accounts, _) => format!("the groups of {accounts} of {} accounts are not known yet", state.accounts.len()),
    })
}
