//! Whether the exporter does its work.

use std::time::Instant;

use super::{OVERDUE, State};

/// An exporter that lives lets nothing wait for as long as that, whatever Atlas does.
#[must_use]
pub fn stall_reason(state: &State, page_made: Instant, now: Instant) -> Option<String> {
    let (accounts, listings) = state.overdue(now);
    // Every poll changes the state, and so the page.
    let is_frozen = !state.listings.is_empty() && page_made + state.interval * OVERDUE < now;
    let what = match (accounts, listings) {
        (0, 0) if is_frozen => "the page was not made anew".to_owned(),
        (0, 0) => return None,
        (0, _) => format!("{listings} listings are due"),
        _ => format!("nobody looks after {accounts} accounts"),
    };
    Some(format!("{what} for more than {OVERDUE} intervals; the exporter is stuck"))
}

/// What is not known yet, until everything was read once.
#[must_use]
pub fn not_ready_reason(state: &State) -> Option<String> {
    if state.is_ready() {
        return None;
    }
    Some(match state.pending() {
        (0, listings) => format!("{listings} of {} listings were not polled yet", state.listings.len()),
        (accounts, _) => format!("the groups of {accounts} of {} accounts are not known yet", state.accounts.len()),
    })
}
