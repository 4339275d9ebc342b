//! What the tasks of one account share.

use std::sync::Arc;

use tokio::sync::Notify;

use super::{
    log_limiter::LogLimiter, outage::OutageDetector, rate_limit::RateLimitBackoffs, settings::PollSchedule,
    slots::PollSlots,
};
use crate::state::SharedState;
use atlas::Client;

/// Retries of a page after a transient failure.
pub(super) const RETRIES: usize = 3;

/// Shared by the tasks of one account.
pub(super) struct AccountContext {
    /// The name in the config.
    pub(super) account: String,
    pub(super) client: Arc<Client>,
    pub(super) backoffs: Arc<RateLimitBackoffs>,
    pub(super) slots: PollSlots,
    pub(super) outage: OutageDetector,
    pub(super) log_limiter: LogLimiter,
    /// Asks for a discovery before the next one is due.
    pub(super) rediscover: Notify,
    /// Says that a discovery may have changed the listings.
    pub(super) discovered: Notify,
    pub(super) state: SharedState,
    pub(super) schedule: PollSchedule,
}
