//! The result of a poll, and what it may change.

use std::time::{Duration, Instant, SystemTime};

use atlas::{ListError, Listing, Peering, Reason};

/// A poll that ended.
#[derive(Debug)]
pub struct PollResult {
    /// When it ended, on the monotonic clock that measures ages.
    pub ended: Instant,
    /// When it ended, on the wall clock.
    pub ended_at: SystemTime,
    /// How long it took.
    pub duration: Duration,
    /// When the next poll is due.
    pub due: Instant,
    /// A complete listing or a failure.
    pub outcome: Result<Listing, Failure>,
}

/// Why a poll or a discovery failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The label value that counts it.
    pub reason: Reason,
    /// The error with all its causes.
    pub message: String,
    /// What to do about it.
    pub advice: &'static str,
    /// Whether every request of the account fails for the same cause.
    pub is_account_wide: bool,
}

impl Failure {
    /// A failure before any request was sent.
    #[must_use]
    pub fn without_request(reason: Reason, message: String) -> Self {
        Self { reason, message, advice: reason.advice(), is_account_wide: false }
    }
}

impl From<&ListError> for Failure {
    fn from(error: &ListError) -> Self {
        Self {
            reason: error.kind.reason(),
            message: error.error_chain(),
            advice: error.kind.advice(),
            is_account_wide: error.kind.is_account_wide(),
        }
    }
}

/// What a poll changed.
#[derive(Debug, PartialEq, Eq)]
pub enum ListingEvent {
    /// Polls fail for a reason that is new since the last success.
    Failing(Failure),
    /// A poll succeeded after failures.
    Recovered {
        /// How many consecutive polls failed.
        failed: u32,
        /// Whether the last reported failure was account-wide.
        is_account_wide: bool,
    },
    /// Atlas reported often enough in a row that the group does not exist.
    GroupMissing,
    /// The listing is no longer exported.
    Dropped {
        /// How many peerings it held.
        peerings: usize,
        /// Why.
        cause: DropCause,
    },
    /// The listing has become empty; it held this many peerings before.
    Emptied(usize),
    /// Atlas sent this many peerings more than once in one listing, more than before.
    Duplicates(u64),
    /// A peering in the first listing is not available.
    Unavailable(Peering),
    /// A peering is new in the listing.
    Added(Peering),
    /// A peering is no longer in the listing.
    Removed(Peering),
    /// A peering has a new status or error.
    Changed {
        /// The previous status.
        from: String,
        /// The peering now.
        to: Peering,
    },
}

/// Why a listing is no longer exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropCause {
    /// Atlas reports that the group does not exist.
    GroupMissing,
    /// No poll succeeded within `poll.max_staleness`.
    Stale,
}
