//! Discovers the groups of one account.

use std::{sync::Arc, time::SystemTime};

use tokio::time::{Instant, sleep_until};

use super::{context::AccountContext, events, rate_limit::Bucket};
use crate::{config::Discover, state::Failure};
use atlas::{MAX_CREDENTIAL_PAUSE, Reason};

/// Retries of a page after a transient failure.
const PAGE_RETRIES: usize = 3;

/// Jitter of the interval, as a fraction in either direction, so that exporters do not synchronize.
const JITTER: f64 = 0.1;

/// Discovers each interval, and earlier when a group may be missing.
pub(super) async fn run(context: Arc<AccountContext>, discover: Discover) {
    let AccountContext { account, poll, backoffs, rediscover, discovered, state, .. } = &*context;
    loop {
        let started = Instant::now();
        set_due(&context, started);
        let is_rate_limited = discover_once(&context, &discover).await;
        discovered.notify_one();
        // At the pace of polls while there may be nothing to poll, or missing groups are unconfirmed.
        let is_settled = state.read().is_settled(&account.name);
        let interval = if is_settled { discover.interval } else { discover.interval.min(poll.interval) };
        let due = started + interval.mul_f64(1.0 - JITTER + 2.0 * JITTER * fastrand::f64());
        let remaining = backoffs.remaining(&Bucket::Groups).filter(|_| is_rate_limited);
        let due = remaining.map_or(due, |remaining| due.min(Instant::now() + remaining));
        let due = if fails_account_wide(&context) { due.min(Instant::now() + MAX_CREDENTIAL_PAUSE) } else { due };
        set_due(&context, due);
        tokio::select! {
            () = sleep_until(due) => {}
            () = rediscover.notified() => sleep_until(due.min(started + poll.interval)).await,
        }
    }
}

/// Whether the last discovery failed because of the credential, which the client tries again soon.
fn fails_account_wide(context: &AccountContext) -> bool {
    let state = context.state.read();
    let discovery = state.accounts.get(&context.account.name).and_then(|account| account.discovery.as_ref());
    let failure = discovery.and_then(|discovery| discovery.failure.as_ref());
    failure.is_some_and(|failure| failure.is_account_wide)
}

/// Lets the stall detection see a discovery that does not happen.
fn set_due(context: &AccountContext, due: Instant) {
    context.state.update_quietly(|state| {
        if let Some(discovery) = state.discovery_mut(&context.account.name) {
            discovery.due = Some(due.into_std());
        }
    });
}

/// Discovers once. Returns whether it is rate limited.
pub(super) async fn discover_once(context: &AccountContext, discover: &Discover) -> bool {
    let AccountContext { account, poll, shard, client, backoffs, state, .. } = context;
    let outcome = match backoffs.remaining(&Bucket::Groups) {
        None => {
            let found = client.list_groups(discover.organization.as_ref(), poll.deadline, PAGE_RETRIES).await;
            found.map_err(|error| Failure::from(&error))
        }
        Some(remaining) => {
            let seconds = remaining.as_secs();
            let message = format!("no request sent: the list of projects is rate limited for another {seconds} s");
            Err(Failure::without_request(Reason::RateLimited, message))
        }
    };
    let is_rate_limited = outcome.as_ref().is_err_and(|failure| failure.reason == Reason::RateLimited.into());
    let selected = outcome.map(|mut groups| {
        groups.retain(|group| shard.owns(group.id.as_str()) && discover.selects(group));
        groups
    });
    let now = SystemTime::now();
    let changes = state.update(|state| state.record_discovery(&account.name, selected, &discover.providers, now));
    events::log_discovery(&account.name, changes);
    is_rate_limited
}
