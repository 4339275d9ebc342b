//! When to poll which listing, and which listings there are.
//!
//! Every listing has a task of its own, so that none waits for another but for a place among the polls of its account.

mod account;
mod changes;
mod containers;
mod discovery;
pub mod events;
mod log_limiter;
mod outage;
mod poller;
mod rate_limit;
pub mod roster;
mod slots;

use std::{convert::Infallible, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
};

use self::account::AccountTask;
pub use self::{discovery::DiscoverySettings, rate_limit::RateLimitBackoffs};
use crate::state::{Failure, State};
use atlas::{Client, ListError, Reason};

/// How polls follow each other.
#[derive(Clone, Copy, Debug)]
pub struct PollSchedule {
    /// From the start of one poll of a listing to the start of its next.
    pub interval: Duration,
    /// Bound on one poll.
    pub deadline: Duration,
    /// Polls of one account at the same time, at most.
    pub concurrency: usize,
}

/// An account, whose listings are those that the state knows.
pub struct AccountSettings {
    /// As the config names it.
    pub name: String,
    /// Asks Atlas with the account's credential.
    pub client: Arc<Client>,
    /// Fed with what the client reports.
    pub pauses: Arc<RateLimitBackoffs>,
    /// How groups are found, if they are.
    pub discovery: Option<DiscoverySettings>,
    /// Whether Atlas is asked, rarely, where peerings end on its side.
    pub asks_for_containers: bool,
}

/// Polls every listing of an account when it is due, for as long as it is awaited.
///
/// # Errors
/// A poll panicked.
pub async fn watch(
    account: AccountSettings,
    pace: PollSchedule,
    state: watch::Sender<State>,
) -> Result<Infallible, JoinError> {
    AccountTask::poll_for_ever(account, pace, state).await
}

/// Polls every listing once.
///
/// # Errors
/// A poll panicked.
pub async fn poll_once(
    accounts: Vec<AccountSettings>,
    pace: PollSchedule,
    state: watch::Sender<State>,
) -> Result<(), JoinError> {
    let mut tasks = JoinSet::new();
    for account in accounts {
        tasks.spawn(AccountTask::poll_once(account, pace, state.clone()));
    }
    while let Some(end) = tasks.join_next().await {
        end??;
    }
    Ok(())
}

fn failure(error: &ListError) -> Failure {
    Failure {
        reason: error.kind.reason(),
        message: error.error_chain(),
        advice: error.kind.advice(),
        is_account_wide: error.kind.is_account_wide(),
    }
}

impl Failure {
    /// A failure of ours, before Atlas was asked.
    fn of(reason: Reason, message: String) -> Self {
        Self { reason, message, advice: reason.advice(), is_account_wide: false }
    }
}
