//! What is known about one listing, and how polls change it.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant, SystemTime},
};

use super::poll::{DropCause, Failure, FailureReason, ListingEvent};
use atlas::{Listing, Peering, Reason};

/// Consecutive 404s that drop a listing; a single one may be a mistake of Atlas.
const NOT_FOUND_TO_DROP: u32 = 2;

/// What is known about one listing.
#[derive(Debug, Default)]
pub struct ListingState {
    /// Polls that ended.
    pub polls: u64,
    /// Failed polls.
    pub failures: u64,
    /// How long the last poll that sent requests took.
    pub duration: Duration,
    /// When the next poll is due; `None` until the listing is scheduled.
    pub due: Option<Instant>,
    /// Why the last poll failed, if it did.
    pub failure: Option<Failure>,
    /// The last failure and its time, even if later polls succeeded.
    pub last_failure: Option<(Failure, SystemTime)>,
    /// When a poll last succeeded.
    pub last_success: Option<SystemTime>,
    /// The last complete listing and when it was read. It stays after it is dropped, so that the next one is compared
    /// with it.
    complete: Option<(Listing, Instant)>,
    /// Whether the last complete listing is no longer exported.
    is_dropped: bool,
    /// Polls that only waited for a permit.
    queue_timeouts: u64,
    /// Failures since the last success.
    failed_in_a_row: u32,
    /// Their reasons, each reported once.
    reported: BTreeSet<FailureReason>,
    /// Whether the last reported failure was account-wide.
    reported_account_wide: bool,
    /// Consecutive 404s.
    not_found_in_a_row: u32,
}

impl ListingState {
    /// Whether the last poll succeeded; false before the first.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.polls > 0 && self.failure.is_none()
    }

    /// Whether readiness waits for the first poll.
    pub(super) fn is_pending(&self) -> bool {
        self.polls == self.queue_timeouts
    }

    /// The last complete listing, unless it is dropped or stale at `now`.
    #[must_use]
    pub fn served(&self, now: Instant, max_staleness: Duration) -> Option<&Listing> {
        let (listing, _) = self.complete.as_ref()?;
        (now <= self.expiry(max_staleness)?).then_some(listing)
    }

    /// When the last complete listing becomes stale, unless it is dropped.
    pub(super) fn expiry(&self, max_staleness: Duration) -> Option<Instant> {
        let (_, read) = self.complete.as_ref().filter(|_| !self.is_dropped)?;
        Some(*read + max_staleness)
    }

    pub(super) fn succeed(&mut self, listing: Listing, ended: Instant, ended_at: SystemTime) -> Vec<ListingEvent> {
        let mut events = Vec::new();
        if self.failure.take().is_some() {
            let is_account_wide = self.reported_account_wide;
            events.push(ListingEvent::Recovered { failed: self.failed_in_a_row, is_account_wide });
        }
        let before = self.complete.as_ref().map(|(listing, _)| listing);
        if listing.duplicates > before.map_or(0, |before| before.duplicates) {
            events.push(ListingEvent::Duplicates(listing.duplicates));
        }
        match before {
            Some(before) => events.extend(differences(&before.peerings, &listing.peerings)),
            None => {
                let unavailable = listing.peerings.iter().filter(|peering| !peering.is_available());
                events.extend(unavailable.cloned().map(ListingEvent::Unavailable));
            }
        }
        self.failed_in_a_row = 0;
        self.reported.clear();
        self.not_found_in_a_row = 0;
        self.last_success = Some(ended_at);
        self.complete = Some((listing, ended));
        self.is_dropped = false;
        events
    }

    /// `was_sent` says whether a request was sent: only a response can say that the group does not exist.
    pub(super) fn fail(
        &mut self,
        failure: Failure,
        was_sent: bool,
        ended: Instant,
        ended_at: SystemTime,
        max_staleness: Duration,
    ) -> Vec<ListingEvent> {
        let mut events = Vec::new();
        let reason = failure.reason;
        self.failures += 1;
        self.queue_timeouts += u64::from(reason == FailureReason::QueueTimeout);
        self.failed_in_a_row += 1;
        self.failure = Some(failure.clone());
        self.last_failure = Some((failure.clone(), ended_at));
        if self.reported.insert(reason) {
            self.reported_account_wide = failure.is_account_wide;
            events.push(ListingEvent::Failing(failure));
        }
        if was_sent {
            self.not_found_in_a_row = if reason == Reason::NotFound.into() { self.not_found_in_a_row + 1 } else { 0 };
            if self.not_found_in_a_row == NOT_FOUND_TO_DROP {
                events.push(ListingEvent::GroupMissing);
            }
        }
        let cause = if self.not_found_in_a_row >= NOT_FOUND_TO_DROP {
            Some(DropCause::GroupMissing)
        } else {
            self.served(ended, max_staleness).is_none().then_some(DropCause::Stale)
        };
        if let Some(cause) = cause
            && let Some((listing, _)) = self.complete.as_ref().filter(|_| !self.is_dropped)
        {
            let peerings = listing.peerings.len();
            self.is_dropped = true;
            if peerings > 0 {
                events.push(ListingEvent::Dropped { peerings, cause });
            }
        }
        events
    }
}

fn differences(before: &[Peering], after: &[Peering]) -> Vec<ListingEvent> {
    let mut removed: HashMap<&str, &Peering> = before.iter().map(|peering| (peering.id.as_str(), peering)).collect();
    let mut events = Vec::new();
    for peering in after {
        let Some(old) = removed.remove(peering.id.as_str()) else {
            events.push(ListingEvent::Added(peering.clone()));
            continue;
        };
        if old.vpc_id != peering.vpc_id {
            events.push(ListingEvent::Moved { from: old.vpc_id.clone(), to: peering.clone() });
        }
        if (&old.status, &old.error) != (&peering.status, &peering.error) {
            events.push(ListingEvent::Changed { from: old.status.clone(), to: peering.clone() });
        }
    }
    // In the order of the listing before.
    let removed = before.iter().filter(|peering| removed.contains_key(peering.id.as_str()));
    events.extend(removed.cloned().map(ListingEvent::Removed));
    if after.is_empty() && !before.is_empty() {
        events.push(ListingEvent::Emptied(before.len()));
    }
    events
}
