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
//! process    the families about this process
//! server     HTTP: routes, limits, the end
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
pub mod scheduler;
mod section;
pub mod server;
pub mod simulator;
pub mod state;
pub mod telemetry;
pub mod web;

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use anyhow::Context;
use futures_util::future::join_all;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::{
    atlas::{Client, CredentialKind},
    config::{Config, Poll},
    scheduler::{Account, Discovery, Pace, Pauses},
    server::{Limits, Routes},
    state::{AccountState, DiscoveryState, Group, State, Target, TokenState},
    web::Web,
};

/// Polls and serves until `shutdown`.
///
/// # Errors
/// What keeps the exporter from its work; that Atlas cannot be reached does not.
pub async fn run(
    config: &Config,
    listeners: Vec<TcpListener>,
    telemetry_path: &str,
    web: watch::Receiver<Arc<Web>>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let state = watch::Sender::new(initial_state(config));
    let accounts = accounts(config, &state)?;
    let clients: Vec<_> = accounts.iter().map(|account| account.client.clone()).collect();
    let document = watch::Sender::new(telemetry::page(&state.subscribe())?);
    let routes = routes(telemetry_path, &state, document.subscribe());
    let targets = state.borrow().targets.len();
    info!(targets, accounts = config.accounts.len(), "polling every {:?}", config.poll.interval);
    tokio::spawn(tell_when_ready(state.subscribe()));
    let end = tokio::select! {
        () = server::serve(listeners, routes, web, Limits::default(), shutdown) => Ok(()),
        end = scheduler::poll_for_ever(accounts, pace(&config.poll), state.clone()) => {
            end.context("a poll panicked").map(|never| match never {})
        }
        end = telemetry::keep_current(state.subscribe(), document) => end,
    };
    close(&clients).await;
    end
}

/// Polls every target once.
///
/// # Errors
/// What keeps the exporter from its work; a poll that fails does not.
pub async fn once(config: &Config) -> anyhow::Result<State> {
    let state = watch::Sender::new(initial_state(config));
    let accounts = accounts(config, &state)?;
    let clients: Vec<_> = accounts.iter().map(|account| account.client.clone()).collect();
    scheduler::poll_once(accounts, pace(&config.poll), state.clone()).await.context("a poll panicked")?;
    close(&clients).await;
    Ok(state.send_replace(initial_state(config)))
}

/// The metrics of a state as text.
#[must_use]
pub fn render(state: &State) -> String {
    metrics::render(state, Instant::now())
}

/// Ends what Atlas would otherwise keep alive.
async fn close(clients: &[Arc<Client>]) {
    join_all(clients.iter().map(|client| client.close())).await;
}

fn initial_state(config: &Config) -> State {
    let accounts = config.accounts.iter().map(|account| (account.name.clone(), account_state(account)));
    let groups = config.accounts.iter().flat_map(|account| {
        account.groups.iter().map(move |group| (group.id.clone(), Group::listed(&account.name, &group.name)))
    });
    let targets = config.accounts.iter().flat_map(targets);
    let config_read = SystemTime::now();
    State::new(
        config.poll.interval,
        config.poll.max_staleness,
        config_read,
        accounts.collect(),
        groups.collect(),
        targets,
    )
}

fn account_state(account: &config::Account) -> AccountState {
    AccountState {
        api_version: account.api_version.as_str(),
        refused: false,
        token: (account.credential.kind == CredentialKind::ServiceAccount).then(TokenState::default),
        discovery: account.discover.as_ref().map(|discover| DiscoveryState::new(discover.interval)),
    }
}

fn targets(account: &config::Account) -> impl Iterator<Item = Target> {
    account.groups.iter().flat_map(|group| {
        group.providers.iter().map(|provider| Target { group: group.id.clone(), provider: *provider })
    })
}

fn accounts(config: &Config, state: &watch::Sender<State>) -> anyhow::Result<Vec<Account>> {
    config.accounts.iter().map(|account| watch_account(account, &config.poll, state)).collect()
}

fn watch_account(account: &config::Account, poll: &Poll, state: &watch::Sender<State>) -> anyhow::Result<Account> {
    let pauses = Arc::new(Pauses::new(poll.interval));
    let client =
        Client::new(account.settings(poll), journal::keep(account.name.clone(), state.clone(), pauses.clone()));
    let client = client.context("make the HTTP client; are CA certificates installed?")?;
    let discovery = account.discover.clone().map(|discover| Discovery {
        organization: discover.organization.clone(),
        interval: discover.interval,
        providers: discover.providers.clone(),
        selects: Box::new(move |group| discover.selects(group)),
    });
    Ok(Account {
        name: account.name.clone(),
        client: Arc::new(client),
        pauses,
        discovery,
        asks_for_containers: poll.containers,
    })
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
        let targets = state.targets.len();
        let discoveries = state.accounts.values().filter_map(|account| account.discovery.as_ref());
        let undiscovered = discoveries.filter(|discovery| !discovery.succeeded()).count();
        if undiscovered > 0 {
            warn!(
                targets,
                succeeded, "the groups of {undiscovered} accounts are not known; all others were polled once"
            );
        } else if succeeded < targets {
            warn!(targets, succeeded, "every target was polled once, not all well");
        } else {
            info!(targets, "every target was polled once, all well");
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
