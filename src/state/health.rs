//! Whether the exporter is ready, and whether it is making progress.

use std::time::Instant;

use super::{STALL_INTERVALS, State};

/// Why the exporter counts as stalled at `now`, if it does. `rendered_at` is when the exposition was last rendered.
#[must_use]
pub fn stall_reason(state: &State, rendered_at: Instant, now: Instant) -> Option<String> {
    let (accounts, listings) = state.overdue(now);
    // Every poll changes the state, which renders the exposition.
    let is_frozen = !state.listings.is_empty() && rendered_at + state.interval * STALL_INTERVALS < now;
    let what = match (accounts, listings) {
        (0, 0) if is_frozen => "the exposition has not been rendered".to_owned(),
        (0, 0) => return None,
        (0, _) => format!("{listings} listings have not been polled"),
        _ => format!("{accounts} accounts have had no heartbeat"),
    };
    Some(format!("{what} for more than {STALL_INTERVALS} intervals; the exporter has stalled"))
}

/// What the exporter has yet to read before it is ready, if anything.
#[must_use]
pub fn not_ready_reason(state: &State) -> Option<String> {
    if state.is_ready() {
        return None;
    }
    Some(match state.pending() {
        (0, listings) => format!("{listings} of {} listings have not been polled yet", state.listings.len()),
        (accounts, _) => {
            format!("the projects of {accounts} of {} accounts have not been discovered yet", state.accounts.len())
        }
    })
}
