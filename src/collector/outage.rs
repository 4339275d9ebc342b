//! Whether a whole account fails. If so, polls do not retry: with hundreds of listings, retries would take longer than
//! the interval, and the poll of the next listing serves as a retry.

use std::sync::atomic::{AtomicU32, Ordering};

use atlas::{ListError, Listing, Reason};

/// Consecutive polls of an account, of any listing, with a transient failure that make an outage.
const FAILURES_TO_DETECT: u32 = 3;

/// Shared by the listings of one account.
#[derive(Default)]
pub(super) struct OutageDetector(AtomicU32);

impl OutageDetector {
    pub(super) fn is_active(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= FAILURES_TO_DETECT
    }

    /// Records the outcome of a poll.
    pub(super) fn observe(&self, outcome: &Result<Listing, ListError>) {
        let is_transient =
            |reason| matches!(reason, Reason::Timeout | Reason::Dns | Reason::Connect | Reason::Tls | Reason::Server);
        if outcome.as_ref().is_err_and(|error| is_transient(error.kind.reason())) {
            self.0.fetch_add(1, Ordering::Relaxed);
        } else {
            self.0.store(0, Ordering::Relaxed);
        }
    }
}
