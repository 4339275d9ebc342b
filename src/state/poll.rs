//! A poll that ended, and what it may change.

use std::time::{Duration, Instant, SystemTime};

use atlas::{Listing, Peering, Reason};

/// A poll that ended.
#[derive(Debug)]
pub struct PollResult {
    /// By the clock that ages are reckoned with.
    pub ended: Instant,
    /// By the clock that is shown.
    pub ended_at: SystemTime,
    /// From its start to its end.
    pub duration: Duration,
    /// When the next one is due.
    pub due: Instant,
    /// A complete listing or a failure.
    pub outcome: Result<Listing, Failure>,
}

/// Why a poll failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The word it is counted under.
    pub reason: Reason,
    /// The whole chain of causes as a sentence.
    pub message: String,
    /// What to do about it.
    pub advice: &'static str,
    /// Whether everything of the account fails for the same cause.
    pub is_account_wide: bool,
}

/// A change that someone may want to read about in the log.
#[derive(Debug, PartialEq, Eq)]
pub enum ListingEvent {
    /// Polls of the listing begin to fail, or fail for a reason that they did not fail for yet.
    Failing(Failure),
    /// Polls succeed again.
    Recovered {
        /// How many failed in between.
        failed: u32,
        /// Whether everything of the account failed for the same cause.
        is_account_wide: bool,
    },
    /// The listing went because the group is gone or the listing is too old.
    Dropped {
        /// How many peerings it held.
        peerings: usize,
        /// Why.
        cause: Cause,
    },
    /// A listing without peerings where there were some.
    Emptied {
        /// How many there were.
        peerings: usize,
    },
    /// Atlas sent more peerings twice in one listing than before.
    Duplicates(u64),
    /// A peering of the first listing that is not available.
    Unavailable(Peering),
    /// A peering that was not in the listing before.
    Appeared(Peering),
    /// A peering that is in the listing no more.
    Vanished(Peering),
    /// Another status or error than before.
    Changed {
        /// The status before.
        from: String,
        /// The peering as it is now.
        to: Peering,
    },
}

/// Why a listing is not served any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The group is not there.
    Gone,
    /// No poll succeeded for too long.
    TooOld,
}
