//! The families of polls.

use std::time::Instant;

use super::{
    family,
    text::{TextBuilder, unix_seconds},
};
use crate::state::{ListingState, State};

pub(super) fn write(text: &mut TextBuilder, state: &State, now: Instant) {
    // With the values of `group_id` and `provider`, the first labels of all families here.
    let listings = || state.listings.iter().map(|(key, known)| ([key.group.as_str(), key.provider.as_str()], known));
    let exports = |known: &ListingState| known.served(now, state.max_staleness).is_some();
    let success = listings().map(|(labels, known)| (labels, u8::from(known.succeeded() && exports(known))));
    text.family(&family::POLL_SUCCESS, success);
    let last_success = listings().map(|(labels, known)| (labels, known.last_success.map_or(0.0, unix_seconds)));
    text.family(&family::POLL_LAST_SUCCESS, last_success);
    let polled = listings().filter(|(_, known)| known.polls > 0);
    text.family(&family::POLL_DURATION, polled.map(|(labels, known)| (labels, known.duration.as_secs_f64())));
    let stale = listings().map(|(labels, known)| (labels, u8::from(!known.succeeded() && exports(known))));
    text.family(&family::POLL_STALE, stale);
    let duplicates =
        listings().filter_map(|(labels, known)| Some((labels, known.served(now, state.max_staleness)?.duplicates)));
    text.family(&family::POLL_DUPLICATES, duplicates);
    text.family(&family::POLLS, listings().map(|(labels, known)| (labels, known.polls)));
    let failures = listings().flat_map(|([group, provider], known)| {
        known.failures.iter().map(move |(reason, count)| ([group, provider, reason.as_str()], count))
    });
    text.family(&family::POLL_FAILURES, failures);
    let failure = listings()
        .filter_map(|([group, provider], known)| Some(([group, provider, known.failure.as_ref()?.reason.as_str()], 1)));
    text.family(&family::POLL_FAILURE, failure);
    text.family(&family::POLL_INTERVAL, [([], state.interval.as_secs_f64())]);
    text.family(&family::MAX_STALENESS, [([], state.max_staleness.as_secs_f64())]);
}
