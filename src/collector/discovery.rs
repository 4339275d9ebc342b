//! Discovers the groups of one account.

use std::{sync::Arc, time::SystemTime};

use tokio::time::{Instant, sleep_until};

use super::{
    context::{AccountContext, RETRIES},
    events,
    rate_limit::{Bucket, RateLimitBackoff},
    settings::DiscoverySettings,
};
use crate::state::Failure;
use atlas::Reason;

/// Random part by which an interval is longer or shorter, so that exporters do not stay in step.
const JITTER: f64 = 0.1;

/// Discovers the groups of one account.
pub(super) struct Discoverer {
    settings: DiscoverySettings,
    backoff: Arc<RateLimitBackoff>,
    context: Arc<AccountContext>,
}

impl Discoverer {
    pub(super) fn new(settings: DiscoverySettings, context: Arc<AccountContext>) -> Self {
        Self { settings, backoff: context.backoffs.of(Bucket::Groups), context }
    }

    /// Discovers each interval, and earlier when a group may be missing.
    pub(super) async fn run(self) {
        loop {
            let started = Instant::now();
            self.set_due(started);
            let is_rate_limited = self.discover().await;
            self.context.discovered.notify_one();
            // Soon, while there may be nothing to poll or missing groups are unconfirmed.
            let poll_interval = self.context.schedule.interval;
            let is_settled = self.context.state.read().is_settled(&self.context.account);
            let interval = if is_settled { self.settings.interval } else { self.settings.interval.min(poll_interval) };
            let due = started + interval.mul_f64(1.0 - JITTER + 2.0 * JITTER * fastrand::f64());
            let remaining = self.backoff.remaining().filter(|_| is_rate_limited);
            let due = remaining.map_or(due, |remaining| due.min(Instant::now() + remaining));
            self.set_due(due);
            tokio::select! {
                () = sleep_until(due) => {}
                () = self.context.rediscover.notified() => sleep_until(due.min(started + poll_interval)).await,
            }
        }
    }

    /// Lets the stall detection see a discovery that does not happen.
    fn set_due(&self, due: Instant) {
        self.context.state.update_quietly(|state| {
            if let Some(discovery) = state.discovery_mut(&self.context.account) {
                discovery.due = Some(due.into_std());
            }
        });
    }

    /// Discovers once. Returns whether it is rate limited.
    pub(super) async fn discover(&self) -> bool {
        let AccountContext { account, client, state, schedule, .. } = &*self.context;
        let outcome = match self.backoff.remaining() {
            None => {
                let found = client.groups(self.settings.organization.as_ref(), schedule.deadline, RETRIES).await;
                found.map_err(|error| Failure::from(&error))
            }
            Some(remaining) => {
                let seconds = remaining.as_secs();
                let message = format!("no request sent: the list of projects is rate limited for another {seconds} s");
                Err(Failure::without_request(Reason::RateLimited, message))
            }
        };
        let is_rate_limited = outcome.as_ref().is_err_and(|failure| failure.reason == Reason::RateLimited);
        let selected = outcome.map(|mut groups| {
            groups.retain(|group| (self.settings.selects)(group));
            groups
        });
        let providers = &self.settings.providers;
        let changes = state.update(|state| state.record_discovery(account, selected, providers, SystemTime::now()));
        events::log_discovery(account, changes);
        is_rate_limited
    }
}
