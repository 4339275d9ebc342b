//! Whether the whole account fails. Then nothing is repeated within a poll: with hundreds of listings that takes longer
//! than the interval, and the next listing is repetition enough.

use std::sync::atomic::{AtomicU32, Ordering};

use atlas::{ListError, Listing, Reason};

/// So many polls in a row, of whichever listing, that failed for a passing reason.
const MANY: u32 = 3;

/// Shared by the listings of one account.
#[derive(Default)]
pub(super) struct OutageDetector(AtomicU32);

impl OutageDetector {
    pub(super) fn is_there(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= MANY
    }

    /// Learns from a poll that ended.
    pub(super) fn learn(&self, outcome: &Result<Listing, ListError>) {
        let is_passing =
            |reason| matches!(reason, Reason::Timeout | Reason::Dns | Reason::Connect | Reason::Tls | Reason::Server);
        if outcome.as_ref().is_err_and(|error| is_passing(error.kind.reason())) {
            self.0.fetch_add(1, Ordering::Relaxed);
        } else {
            self.0.store(0, Ordering::Relaxed);
        }
    }
}
