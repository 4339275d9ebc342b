//! What is known of one listing, and how polls change it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::{Duration, Instant, SystemTime},
};

use super::{Cause, Failure, ListingEvent};
use atlas::{Listing, Peering, Reason};

/// A group answering 404 this often in a row is gone, not hidden by a passing fault.
const NOT_FOUND_ENDS_IT: u32 = 2;

/// What is known of one listing.
#[derive(Debug, Default)]
pub struct ListingState {
    /// Polls that ended.
    pub polls: u64,
    /// Those that failed, by reason.
    pub failures: BTreeMap<Reason, u64>,
    /// How long the last poll took.
    pub duration: Duration,
    /// When the next poll is due; nothing while nobody polls it.
    pub due: Option<Instant>,
    /// Why the last poll failed, if it did.
    pub failure: Option<Failure>,
    /// Why a poll last failed, and when, even if later ones succeeded.
    pub last_failure: Option<(Failure, SystemTime)>,
    /// When a poll last succeeded.
    pub last_success: Option<SystemTime>,
    /// The last complete listing. Ask [`ListingState::served`] for what may be shown of it.
    listing: Option<Known>,
    /// Failures since the last success.
    failed_in_a_row: u32,
    /// For which reasons, each of which is told once.
    told: BTreeSet<Reason>,
    /// Whether what was last told of them was of the account.
    told_of_the_account: bool,
    /// 404s since another outcome.
    not_found_in_a_row: u32,
}

#[derive(Debug)]
struct Known {
    listing: Listing,
    since: Instant,
}

impl ListingState {
    /// Whether the last poll succeeded; false before the first.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.polls > 0 && self.failure.is_none()
    }

    /// The last complete listing, unless it is too old at `now`.
    #[must_use]
    pub fn served(&self, now: Instant, max_staleness: Duration) -> Option<&Listing> {
        let known = self.listing.as_ref()?;
        (now.saturating_duration_since(known.since) <= max_staleness).then_some(&known.listing)
    }

    /// When the last complete listing came.
    pub(super) fn since(&self) -> Option<Instant> {
        Some(self.listing.as_ref()?.since)
    }

    pub(super) fn succeed(&mut self, listing: Listing, ended: Instant, ended_at: SystemTime) -> Vec<ListingEvent> {
        let mut events = Vec::new();
        if self.failure.take().is_some() {
            let is_account_wide = self.told_of_the_account;
            events.push(ListingEvent::Recovered { failed: self.failed_in_a_row, is_account_wide });
        }
        let duplicates = self.listing.as_ref().map_or(0, |known| known.listing.duplicates);
        if listing.duplicates > duplicates {
            events.push(ListingEvent::Duplicates(listing.duplicates));
        }
        match &self.listing {
            Some(known) => events.extend(differences(&known.listing.peerings, &listing.peerings)),
            None => {
                let unavailable = listing.peerings.iter().filter(|peering| !peering.is_available());
                events.extend(unavailable.cloned().map(ListingEvent::Unavailable));
            }
        }
        self.failed_in_a_row = 0;
        self.told.clear();
        self.not_found_in_a_row = 0;
        self.last_success = Some(ended_at);
        self.listing = Some(Known { listing, since: ended });
        events
    }

    pub(super) fn fail(
        &mut self,
        failure: Failure,
        ended: Instant,
        ended_at: SystemTime,
        max_staleness: Duration,
    ) -> Vec<ListingEvent> {
        let mut events = Vec::new();
        let reason = failure.reason;
        *self.failures.entry(reason).or_default() += 1;
        self.failed_in_a_row += 1;
        self.not_found_in_a_row = if reason == Reason::NotFound { self.not_found_in_a_row + 1 } else { 0 };
        self.failure = Some(failure.clone());
        self.last_failure = Some((failure.clone(), ended_at));
        if self.told.insert(reason) {
            self.told_of_the_account = failure.is_account_wide;
            events.push(ListingEvent::Failing(failure));
        }
        let cause = if self.not_found_in_a_row >= NOT_FOUND_ENDS_IT {
            Some(Cause::Gone)
        } else {
            self.served(ended, max_staleness).is_none().then_some(Cause::TooOld)
        };
        let dropped = self.listing.take_if(|_| cause.is_some()).map_or(0, |known| known.listing.peerings.len());
        if let Some(cause) = cause.filter(|_| dropped > 0) {
            events.push(ListingEvent::Dropped { peerings: dropped, cause });
        }
        events
    }
}

fn differences(before: &[Peering], after: &[Peering]) -> Vec<ListingEvent> {
    let mut gone: HashMap<&str, &Peering> = before.iter().map(|peering| (peering.id.as_str(), peering)).collect();
    let mut events = Vec::new();
    for peering in after {
        match gone.remove(peering.id.as_str()) {
            None => events.push(ListingEvent::Appeared(peering.clone())),
            Some(old) if (&old.status, &old.error) != (&peering.status, &peering.error) => {
                events.push(ListingEvent::Changed { from: old.status.clone(), to: peering.clone() });
            }
            Some(_) => {}
        }
    }
    let vanished = before.iter().filter(|peering| gone.contains_key(peering.id.as_str()));
    events.extend(vanished.cloned().map(ListingEvent::Vanished));
    if after.is_empty() && !before.is_empty() {
        events.push(ListingEvent::Emptied { peerings: before.len() });
    }
    events
}
