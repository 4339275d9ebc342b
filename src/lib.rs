//! Reads every network peering of every group and provider from MongoDB Atlas and serves them to Prometheus.
//!
//! ```text
//! config     YAML text -> Config, or everything that is wrong with it
//! scheduler  when to poll which target
//! atlas      one poll: every page of a group and provider, or an error
//! state      what we know now
//! metrics    the state -> exposition text
//! telemetry  renders that text when the state changes
//! process    the families about this process
//! server     HTTP: routes, limits, the end
//! simulator  a simulated Atlas API for demo, drills and tests
//! healthcheck asks a running exporter whether it is healthy
//! demo       the exporter on top of the simulator
//! cli        commands and flags
//! logging    what is logged, and how a line looks
//! ```

pub mod atlas;
pub mod cli;
pub mod config;
pub mod demo;
pub mod healthcheck;
pub mod logging;
pub mod metrics;
pub mod process;
pub mod scheduler;
pub mod server;
pub mod simulator;
pub mod state;
pub mod telemetry;

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use anyhow::Context;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use self::{
    atlas::Client,
    config::{Config, Poll},
    scheduler::{Account, Pace},
    server::{Limits, Routes},
    state::{Group, State, Target},
};

/// Polls and serves until `shutdown`.
///
/// # Errors
/// What keeps the exporter from its work; that Atlas cannot be reached does not.
pub async fn run(
    config: &Config,
    listeners: Vec<TcpListener>,
    telemetry_path: &str,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let state = watch::Sender::new(initial_state(config));
    let accounts = accounts(config, &state)?;
    let document = watch::Sender::new(telemetry::page(&state.subscribe())?);
    let routes = routes(telemetry_path, &state, document.subscribe());
    let targets = state.borrow().targets.len();
    info!(targets, accounts = config.accounts.len(), "polling every {:?}", config.poll.interval);
    tokio::spawn(tell_when_ready(state.subscribe()));
    tokio::select! {
        () = server::serve(listeners, routes, Limits::default(), shutdown) => Ok(()),
        end = scheduler::poll_for_ever(accounts, pace(&config.poll), state.clone()) => end.context("a poll panicked"),
        end = telemetry::keep_current(state.subscribe(), document) => end,
    }
}

/// Polls every target once.
///
/// # Errors
/// What keeps the exporter from its work; a poll that fails does not.
pub async fn once(config: &Config) -> anyhow::Result<State> {
    let state = watch::Sender::new(initial_state(config));
    let accounts = accounts(config, &state)?;
    scheduler::poll_once(accounts, pace(&config.poll), state.clone()).await.context("a poll panicked")?;
    Ok(state.send_replace(initial_state(config)))
}

/// The metrics of a state as text.
#[must_use]
pub fn render(state: &State) -> String {
    metrics::render(state, Instant::now())
}

fn initial_state(config: &Config) -> State {
    let groups = config.accounts.iter().flat_map(|account| {
        let known = |group: &config::Group| Group { account: account.name.clone(), name: group.name.clone() };
        account.groups.iter().map(move |group| (group.id.clone(), known(group)))
    });
    let targets = config.accounts.iter().flat_map(targets);
    State::new(config.poll.interval, config.poll.max_staleness, SystemTime::now(), groups.collect(), targets)
}

fn targets(account: &config::Account) -> impl Iterator<Item = Target> {
    account.groups.iter().flat_map(|group| {
        group.providers.iter().map(|provider| Target { group: group.id.clone(), provider: *provider })
    })
}

fn accounts(config: &Config, state: &watch::Sender<State>) -> anyhow::Result<Vec<Account>> {
    let account = |account: &config::Account| {
        let settings = atlas::Settings {
            base_url: account.base_url.clone(),
            api_version: account.api_version,
            public_key: account.public_key.clone(),
            private_key: account.private_key.clone(),
            timeout: config.poll.timeout,
            items_per_page: config.poll.items_per_page,
        };
        let (name, state) = (account.name.clone(), state.clone());
        let client = Client::new(settings, move |exchange| {
            let (group, code, took) = (exchange.group.as_str(), exchange.code.as_str(), exchange.duration);
            debug!(account = name, group, endpoint = exchange.endpoint, code, ?took, "asked Atlas");
            // Not worth a new page: the poll that it belongs to will be.
            state.send_if_modified(|state| {
                state.record_exchange(&name, exchange);
                false
            });
        });
        let client = client.context("make the HTTP client; are CA certificates installed?")?;
        Ok(Account { name: account.name.clone(), client, targets: targets(account).collect() })
    };
    config.accounts.iter().map(account).collect()
}

fn pace(poll: &Poll) -> Pace {
    Pace { interval: poll.interval, deadline: poll.deadline, concurrency: poll.concurrency }
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
        match state.targets.len() {
            targets if succeeded < targets => warn!(targets, succeeded, "every target was polled once, not all well"),
            targets => info!(targets, "every target was polled once, all well"),
        }
    }
}

fn missing(state: &State) -> Option<String> {
    let unpolled = state.targets.values().filter(|target| target.polls == 0).count();
    (unpolled > 0).then(|| format!("{unpolled} of {} targets were not polled yet", state.targets.len()))
}
