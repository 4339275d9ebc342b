//! The families of polls.

use std::time::Instant;

use super::{
    family,
    text::{TextBuilder, unix_seconds},
};
use crate::state::{FailureReason, ListingKey, ListingState, State};

pub(super) fn write(text: &mut TextBuilder, state: &State, now: Instant) {
    write_listings(text, state, now);
    write_accounts(text, state);
    let concurrency = state.accounts.keys().map(|account| ([account.as_str()], state.concurrency));
    text.family(&family::POLL_CONCURRENCY, concurrency);
    let interval = state.accounts.keys().map(|account| ([account.as_str()], state.interval.as_secs_f64()));
    text.family(&family::POLL_INTERVAL, interval);
    text.family(&family::MAX_STALENESS, [([], state.max_staleness.as_secs_f64())]);
}

fn write_listings(text: &mut TextBuilder, state: &State, now: Instant) {
    // A group leaves the state together with its listings.
    let account = |key: &ListingKey| state.account_of(&key.group).unwrap_or_default();
    let labels = state.listings.keys().map(|key| [account(key), key.group.as_str(), key.provider.as_str()]);
    let listings: Vec<([&str; 3], &ListingState)> = labels.zip(state.listings.values()).collect();
    let listings = || listings.iter().copied();
    let exports = |known: &ListingState| known.served(now, state.max_staleness).is_some();
    let success = listings().map(|(labels, known)| (labels, u8::from(known.succeeded() && exports(known))));
    text.family(&family::POLL_SUCCESS, success);
    let last_success = listings().map(|(labels, known)| (labels, known.last_success.map_or(0.0, unix_seconds)));
    text.family(&family::POLL_LAST_SUCCESS, last_success);
    let duplicates = listings().filter_map(|(labels, known)| {
        let duplicates = known.served(now, state.max_staleness)?.duplicates;
        (duplicates > 0).then_some((labels, duplicates))
    });
    text.family(&family::POLL_DUPLICATES, duplicates);
    text.family(&family::POLLS, listings().map(|(labels, known)| (labels, known.polls)));
    text.family(&family::POLL_FAILURES, listings().map(|(labels, known)| (labels, known.failures)));
    let failure = listings().filter_map(|([account, group, provider], known)| {
        Some(([account, group, provider, known.failure.as_ref()?.reason.as_str()], 1))
    });
    text.family(&family::POLL_FAILURE, failure);
}

fn write_accounts(text: &mut TextBuilder, state: &State) {
    let accounts = || state.accounts.iter().map(|(account, known)| (account.as_str(), &known.polls));
    let failures = accounts().flat_map(|(account, polls)| {
        let count = |reason| polls.failures.get(&reason).copied().unwrap_or_default();
        FailureReason::all().map(move |reason| ([account, reason.as_str()], count(reason)))
    });
    text.family(&family::ACCOUNT_POLL_FAILURES, failures);
    text.family(&family::POLLS_QUEUED, accounts().map(|(account, polls)| ([account], polls.queued)));
    text.family(&family::POLLS_RUNNING, accounts().map(|(account, polls)| ([account], polls.running)));
    text.histograms(&family::POLL_LATENESS, accounts().map(|(account, polls)| ([account], &polls.lateness)));
    text.histograms(&family::POLL_DURATION, accounts().map(|(account, polls)| ([account], &polls.durations)));
}
