//! The families about polls.

use std::time::Instant;

use super::{
    family,
    text::{Labels, Page},
    unix_seconds,
};
use crate::state::{ListingKey, ListingState, State};

pub(super) fn write(page: &mut Page, state: &State, now: Instant) {
    let listings: Vec<(Labels, &ListingState)> =
        state.listings.iter().map(|(key, known)| (labels(key), known)).collect();
    write_outcome(page, &listings, state, now);
    write_served(page, &listings, state, now);
    write_counters(page, &listings);
    page.family(&family::POLL_INTERVAL).add(&Labels::default(), &[], state.interval.as_secs_f64());
    page.family(&family::MAX_STALENESS).add(&Labels::default(), &[], state.max_staleness.as_secs_f64());
}

fn labels(key: &ListingKey) -> Labels {
    Labels::new(&[("group_id", key.group.as_str()), ("provider", key.provider.as_str())])
}

fn write_outcome(page: &mut Page, listings: &[(Labels, &ListingState)], state: &State, now: Instant) {
    let mut success = page.family(&family::POLL_SUCCESS);
    for (labels, known) in listings {
        let is_fresh = known.succeeded() && known.served(now, state.max_staleness).is_some();
        success.add(labels, &[], u8::from(is_fresh));
    }
    let mut last_success = page.family(&family::POLL_LAST_SUCCESS);
    for (labels, known) in listings {
        last_success.add(labels, &[], known.last_success.map_or(0.0, unix_seconds));
    }
    let mut duration = page.family(&family::POLL_DURATION);
    for (labels, known) in listings.iter().filter(|(_, known)| known.polls > 0) {
        duration.add(labels, &[], known.duration.as_secs_f64());
    }
}

fn write_served(page: &mut Page, listings: &[(Labels, &ListingState)], state: &State, now: Instant) {
    let mut stale = page.family(&family::POLL_STALE);
    for (labels, known) in listings {
        let is_stale = !known.succeeded() && known.served(now, state.max_staleness).is_some();
        stale.add(labels, &[], u8::from(is_stale));
    }
    let mut duplicates = page.family(&family::POLL_DUPLICATES);
    for (labels, known) in listings {
        if let Some(listing) = known.served(now, state.max_staleness) {
            duplicates.add(labels, &[], listing.duplicates);
        }
    }
}

fn write_counters(page: &mut Page, listings: &[(Labels, &ListingState)]) {
    let mut polls = page.family(&family::POLLS);
    for (labels, known) in listings {
        polls.add(labels, &[], known.polls);
    }
    let mut failures = page.family(&family::POLL_FAILURES);
    for (labels, known) in listings {
        for (reason, count) in &known.failures {
            failures.add(labels, &[("reason", reason.as_str())], count);
        }
    }
    let mut failure = page.family(&family::POLL_FAILURE);
    for (labels, known) in listings {
        if let Some(why) = &known.failure {
            failure.add(labels, &[("reason", why.reason.as_str())], 1);
        }
    }
}
