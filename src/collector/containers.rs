//! Reads the containers of groups: rarely, and apart from the polls. They only add labels.

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures_util::stream::{StreamExt, poll_fn};
use parking_lot::Mutex;
use tokio::{sync::mpsc::UnboundedReceiver, time::Instant};
use tracing::debug;

use super::{context::AccountContext, rate_limit::Bucket};
use atlas::{Container, GroupId, Listing};

/// Time between two requests when all containers are known; they hardly ever change.
const REFRESH_INTERVAL: Duration = Duration::from_secs(3600);

/// Time to the next request after a failure; nothing depends on it.
const RETRY_DELAY: Duration = Duration::from_secs(300);

/// Reads the containers of each group that is received, up to half as many at a time as polls. A failure is only logged
/// for debugging.
pub(super) async fn read_due(
    context: Arc<AccountContext>,
    mut due: UnboundedReceiver<(GroupId, Arc<ContainerSchedule>)>,
) {
    let requests = (context.poll.concurrency / 2).max(1);
    let due = poll_fn(|task| due.poll_recv(task));
    due.for_each_concurrent(requests, |(group, schedule)| read(&context, group, schedule)).await;
}

async fn read(context: &AccountContext, group: GroupId, schedule: Arc<ContainerSchedule>) {
    let AccountContext { account, poll, client, backoffs, state, .. } = context;
    let outcome = match backoffs.remaining(&Bucket::Group(group.clone())) {
        None => client.list_containers(&group, poll.deadline).await.map_err(|error| error.error_chain()),
        Some(_) => Err("the project is rate limited".to_owned()),
    };
    match outcome {
        Ok(found) => {
            schedule.succeeded(&found);
            state.update(|state| state.record_containers(&group, found));
        }
        Err(error) => {
            schedule.failed();
            debug!(account = account.name, group = group.as_str(), "containers not read: {error}");
        }
    }
}

/// Shared by the listings of one group: a request returns the containers of all providers.
#[derive(Default)]
pub(super) struct ContainerSchedule(Mutex<Requested>);

#[derive(Default)]
struct Requested {
    /// Whether a request is due or running.
    is_pending: bool,
    /// No request before this time.
    not_before: Option<Instant>,
    /// A request is due from this time on, whatever the listing contains.
    due: Option<Instant>,
    /// Ids that a request returned, or failed to return although a peering names them.
    ids: HashSet<String>,
}

impl ContainerSchedule {
    /// Whether a request is due: the listing names an unknown container, or the last request is long ago, and the last
    /// request has ended and is at least `min_delay` ago. If so, the caller sends it.
    pub(super) fn start_if_due(&self, listing: &Listing, min_delay: Duration) -> bool {
        let mut requested = self.0.lock();
        let ids: HashSet<&str> = listing.peerings.iter().map(|peering| peering.container_id.as_str()).collect();
        let ids: Vec<&str> = ids.into_iter().filter(|id| !id.is_empty()).collect();
        let now = Instant::now();
        let is_old = requested.due.is_none_or(|due| due <= now);
        let is_due = is_old || ids.iter().any(|id| !requested.ids.contains(*id));
        if ids.is_empty()
            || !is_due
            || requested.is_pending
            || requested.not_before.is_some_and(|not_before| now < not_before)
        {
            return false;
        }
        if is_old {
            // This drops containers that no longer exist.
            requested.ids.clear();
        }
        requested.ids.extend(ids.into_iter().map(str::to_owned));
        requested.is_pending = true;
        requested.not_before = Some(now + min_delay);
        requested.due = Some(now + REFRESH_INTERVAL);
        true
    }

    /// Records the containers that a request returned.
    pub(super) fn succeeded(&self, containers: &[Container]) {
        let mut requested = self.0.lock();
        requested.is_pending = false;
        requested.ids.extend(containers.iter().map(|container| container.id.clone()));
    }

    /// Records that the request failed.
    pub(super) fn failed(&self) {
        let later = Some(Instant::now() + RETRY_DELAY);
        let mut requested = self.0.lock();
        requested.is_pending = false;
        (requested.not_before, requested.due) = (later, later);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use atlas::Peering;

    const MINUTE: Duration = Duration::from_secs(60);

    fn is_due(schedule: &ContainerSchedule, containers: &[&str]) -> bool {
        let peering = |id: &&str| Peering { container_id: (*id).to_owned(), ..Peering::default() };
        let peerings = containers.iter().map(peering).collect();
        schedule.start_if_due(&Listing { peerings, duplicates: 0 }, MINUTE)
    }

    #[tokio::test(start_paused = true)]
    async fn known_containers_are_requested_once_an_hour() {
        let schedule = ContainerSchedule::default();
        assert!(is_due(&schedule, &["a", "b", "a"]));
        schedule.succeeded(&[]);
        for _ in 0..59 {
            advance(MINUTE).await;
            assert!(!is_due(&schedule, &["b"]));
        }
        advance(MINUTE).await;
        assert!(is_due(&schedule, &["b"]));
    }

    #[tokio::test(start_paused = true)]
    async fn an_unknown_container_is_requested_once_and_not_before_the_minimum_delay() {
        let schedule = ContainerSchedule::default();
        assert!(!is_due(&schedule, &[]) && !is_due(&schedule, &[""]), "a group without peerings");
        assert!(is_due(&schedule, &["a"]));
        advance(MINUTE).await;
        assert!(!is_due(&schedule, &["b"]), "while a request is due or running");
        schedule.succeeded(&[]);
        assert!(is_due(&schedule, &["b"]));
        schedule.succeeded(&["c"].map(|id| Container { id: id.to_owned(), ..Container::default() }));
        advance(MINUTE).await;
        assert!(!is_due(&schedule, &["a", "b"]), "requested already, though not returned");
        assert!(!is_due(&schedule, &["c"]), "returned for another provider");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_request_is_retried_after_five_minutes() {
        let schedule = ContainerSchedule::default();
        assert!(is_due(&schedule, &["a"]));
        schedule.failed();
        advance(MINUTE * 4).await;
        assert!(!is_due(&schedule, &["a", "b"]));
        advance(MINUTE).await;
        assert!(is_due(&schedule, &["a"]));
    }
}
