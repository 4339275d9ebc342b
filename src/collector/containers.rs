//! When to ask for the containers of a group: rarely.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use atlas::{Container, Listing};

/// Containers hardly ever change.
const INTERVAL: Duration = Duration::from_secs(3600);

/// After a failure; nothing depends on it.
const RETRY: Duration = Duration::from_secs(300);

/// Shared by the listings of one group: one request brings the containers of all.
#[derive(Default)]
pub(super) struct Containers(Mutex<Asked>);

#[derive(Default)]
struct Asked {
    /// Too soon before.
    not_before: Option<Instant>,
    /// Due from then on, whatever the listing names.
    next: Option<Instant>,
    /// Every id that Atlas named, or that it was asked for in vain.
    ids: HashSet<String>,
}

impl Containers {
    /// Whether to ask now, which the caller then does: the listing names a container that is not known, or the last
    /// time is long ago; but never twice within `shortest`.
    pub(super) fn are_due(&self, listing: &Listing, shortest: Duration) -> bool {
        let mut asked = self.asked();
        let named: HashSet<&str> = listing.peerings.iter().map(|peering| peering.container_id.as_str()).collect();
        let named: Vec<&str> = named.into_iter().filter(|id| !id.is_empty()).collect();
        let now = Instant::now();
        let is_old = asked.next.is_none_or(|next| next <= now);
        let is_due = is_old || named.iter().any(|id| !asked.ids.contains(*id));
        if named.is_empty() || !is_due || asked.not_before.is_some_and(|not_before| now < not_before) {
            return false;
        }
        if is_old {
            // Those that are gone are forgotten.
            asked.ids.clear();
        }
        asked.ids.extend(named.into_iter().map(str::to_owned));
        asked.not_before = Some(now + shortest);
        asked.next = Some(now + INTERVAL);
        true
    }

    /// One request brought all there are.
    pub(super) fn known(&self, containers: &[Container]) {
        self.asked().ids.extend(containers.iter().map(|container| container.id.clone()));
    }

    /// The request failed.
    pub(super) fn failed(&self) {
        let later = Some(Instant::now() + RETRY);
        let mut asked = self.asked();
        (asked.not_before, asked.next) = (later, later);
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use atlas::Peering;

    const MINUTE: Duration = Duration::from_secs(60);

    fn listing(containers: &[&str]) -> Listing {
        let peering = |id: &&str| Peering { container_id: (*id).to_owned(), ..Peering::default() };
        Listing { peerings: containers.iter().map(peering).collect(), duplicates: 0 }
    }

    #[tokio::test(start_paused = true)]
    async fn one_request_an_hour_is_enough_for_what_is_known() {
        let containers = Containers::default();
        assert!(containers.are_due(&listing(&["a", "b", "a"]), MINUTE));
        for _ in 0..59 {
            advance(MINUTE).await;
            assert!(!containers.are_due(&listing(&["b"]), MINUTE));
        }
        advance(MINUTE).await;
        assert!(containers.are_due(&listing(&["b"]), MINUTE));
    }

    #[tokio::test(start_paused = true)]
    async fn an_unknown_container_is_asked_for_once_and_not_at_once_again() {
        let containers = Containers::default();
        assert!(containers.are_due(&listing(&["a"]), MINUTE));
        assert!(!containers.are_due(&listing(&["b"]), MINUTE), "too soon");
        advance(MINUTE).await;
        assert!(containers.are_due(&listing(&["b"]), MINUTE));
        advance(MINUTE).await;
        assert!(!containers.are_due(&listing(&["a", "b"]), MINUTE), "asked for in vain is asked for");
    }

    #[tokio::test(start_paused = true)]
    async fn one_answer_is_for_every_provider() {
        let containers = Containers::default();
        assert!(containers.are_due(&listing(&["a"]), MINUTE));
        containers.known(&["a", "b"].map(|id| Container { id: id.to_owned(), ..Container::default() }));
        advance(MINUTE).await;
        assert!(!containers.are_due(&listing(&["b"]), MINUTE));
    }

    #[tokio::test(start_paused = true)]
    async fn a_group_without_peerings_is_not_asked_about() {
        assert!(!Containers::default().are_due(&listing(&[]), MINUTE));
        assert!(!Containers::default().are_due(&listing(&[""]), MINUTE));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_repeated_after_some_minutes() {
        let containers = Containers::default();
        assert!(containers.are_due(&listing(&["a"]), MINUTE));
        containers.failed();
        advance(MINUTE * 4).await;
        assert!(!containers.are_due(&listing(&["a", "b"]), MINUTE));
        advance(MINUTE).await;
        assert!(containers.are_due(&listing(&["a"]), MINUTE));
    }
}
