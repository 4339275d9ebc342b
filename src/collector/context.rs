//! What the tasks of one account share.

use std::sync::Arc;

use anyhow::Context;
use tokio::sync::Notify;

use super::{events, log_limiter::LogLimiter, rate_limit::RateLimitBackoffs};
use crate::{
    config::{AccountConfig, PollConfig},
    shard::Shard,
    state::{ClientIdentity, SharedState, State},
};
use atlas::Client;

/// Shared by the tasks of one account.
pub(super) struct AccountContext {
    pub(super) account: AccountConfig,
    pub(super) poll: PollConfig,
    pub(super) shard: Shard,
    pub(super) client: Client,
    pub(super) identity: ClientIdentity,
    pub(super) backoffs: Arc<RateLimitBackoffs>,
    pub(super) log_limiter: LogLimiter,
    /// Requests a discovery before the next one is due.
    pub(super) rediscover: Notify,
    /// Signals that a discovery may have changed the listings.
    pub(super) discovered: Notify,
    pub(super) state: SharedState,
}

impl AccountContext {
    /// The context of a configured account. Events of its client go to the state and the log.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub(super) fn new(
        account: &AccountConfig,
        poll: &PollConfig,
        shard: Shard,
        state: &SharedState,
    ) -> anyhow::Result<Self> {
        let backoffs = Arc::new(RateLimitBackoffs::new(poll.interval));
        let identity = ClientIdentity::default();
        let handler = events::handler(account.name.clone(), identity.clone(), state.clone(), backoffs.clone());
        let client = Client::new(account.settings(poll), handler);
        Ok(Self {
            account: account.clone(),
            poll: poll.clone(),
            shard,
            client: client.context("make the HTTP client; are CA certificates installed?")?,
            identity,
            backoffs,
            log_limiter: LogLimiter::default(),
            rediscover: Notify::new(),
            discovered: Notify::new(),
            state: state.clone(),
        })
    }

    /// Makes its client that of the account: from now on, events of another one say nothing.
    pub(super) fn take_over(&self, state: &mut State) {
        if let Some(account) = state.accounts.get_mut(&self.account.name) {
            account.client = self.identity.clone();
        }
    }

    /// Whether a reload with this config leaves the account as it is.
    pub(super) fn is_unchanged(&self, account: &AccountConfig, poll: &PollConfig) -> bool {
        self.account == *account && self.poll == *poll
    }
}
