//! Polls one listing, and records how that ended.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::{
    context::AccountContext,
    events,
    scheduler::{End, Record},
};
use crate::state::{Failure, ListingEvent, ListingKey, PollResult};
use atlas::{ListError, Listing};

/// Reads a listing once, without retries.
pub(super) async fn attempt(
    context: &AccountContext,
    key: &ListingKey,
    deadline: Duration,
) -> (End, Result<Listing, Failure>) {
    let outcome = context.client.list_peerings(&key.group, key.provider, deadline, 0).await;
    let end = outcome.as_ref().map_or_else(failed, |_| End::Succeeded);
    (end, outcome.map_err(|error| Failure::from(&error)))
}

fn failed(error: &ListError) -> End {
    End::Failed {
        failure: Failure::from(error),
        is_transient: error.kind.is_transient(),
        retry_after: error.kind.retry_after().unwrap_or_default(),
    }
}

/// Records the end of a poll in the state, and logs what changed.
pub(super) fn record(context: &AccountContext, key: &ListingKey, record: Record, outcome: Result<Listing, Failure>) {
    let AccountContext { account, state, log_limiter, rediscover, .. } = context;
    let poll = PollResult {
        ended: Instant::now().into_std(),
        ended_at: SystemTime::now(),
        run: record.run,
        due: record.due.into_std(),
        outcome,
    };
    let (changes, name) = state.update(|state| {
        let changes = state.record_poll(key, poll);
        let group = state.groups.get(&key.group).filter(|_| !changes.is_empty());
        let name = group.map(|group| group.name.clone()).unwrap_or_default();
        (changes, name)
    });
    // After the update, because writing the log may be slow and must not hold the state's lock.
    for change in changes {
        if change == ListingEvent::GroupMissing {
            rediscover.notify_one();
        }
        events::log_listing(&account.name, key, &name, log_limiter, change);
    }
}
