//! The result of a poll, and what it may change.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant, SystemTime},
};

use atlas::{ListError, Listing, Peering, Reason};

use super::api::Histogram;

/// Upper bounds of the duration of a poll, in seconds: from one fast request to the largest useful `poll.deadline`.
const DURATION_BOUNDS: &[f64] = &[0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Upper bounds of the lateness of a poll, in seconds, up to half of the longest interval.
const LATENESS_BOUNDS: &[f64] = &[0.1, 1.0, 5.0, 15.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 43_200.0];

/// The polls of one account.
#[derive(Clone, Debug)]
pub struct PollStats {
    /// Polls that are due and wait for a concurrency permit.
    pub queued: usize,
    /// Polls that hold a concurrency permit.
    pub running: usize,
    /// Failed polls by reason.
    pub failures: BTreeMap<FailureReason, u64>,
    /// How long after their due time polls started.
    pub lateness: Histogram,
    /// How long polls took, retries included.
    pub durations: Histogram,
}

impl Default for PollStats {
    fn default() -> Self {
        Self {
            queued: 0,
            running: 0,
            failures: BTreeMap::new(),
            lateness: Histogram::new(LATENESS_BOUNDS),
            durations: Histogram::new(DURATION_BOUNDS),
        }
    }
}

impl PollStats {
    pub(super) fn record(&mut self, poll: &PollResult) {
        if let Some(PollRun { lateness, duration }) = poll.run {
            self.lateness.observe(lateness);
            self.durations.observe(duration);
        }
        if let Err(failure) = &poll.outcome {
            *self.failures.entry(failure.reason).or_default() += 1;
        }
    }
}

/// A poll that ended.
#[derive(Debug)]
pub struct PollResult {
    /// When it ended, on the monotonic clock that measures ages.
    pub ended: Instant,
    /// When it ended, on the wall clock.
    pub ended_at: SystemTime,
    /// How it ran; `None` if it failed without a request.
    pub run: Option<PollRun>,
    /// When the next poll is due.
    pub due: Instant,
    /// A complete listing or a failure.
    pub outcome: Result<Listing, Failure>,
}

/// The times of a poll that sent requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollRun {
    /// How long after its due time it started.
    pub lateness: Duration,
    /// How long it took, retries included.
    pub duration: Duration,
}

/// Why a poll or a discovery failed: the label `reason`, a closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureReason {
    /// A request failed, or was not sent for the same reason.
    Request(Reason),
    /// The poll got no concurrency permit in time.
    QueueTimeout,
}

impl FailureReason {
    /// Every reason.
    pub fn all() -> impl Iterator<Item = Self> {
        Reason::ALL.iter().copied().map(Self::Request).chain([Self::QueueTimeout])
    }

    /// The value of the label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request(reason) => reason.as_str(),
            Self::QueueTimeout => "queue_timeout",
        }
    }

    /// What to do about it, for an on-call engineer.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::Request(reason) => reason.advice(),
            Self::QueueTimeout => {
                "there are more polls than `poll.concurrency` allows within an interval; raise `poll.concurrency` or \
                 `poll.interval`"
            }
        }
    }
}

impl From<Reason> for FailureReason {
    fn from(reason: Reason) -> Self {
        Self::Request(reason)
    }
}

/// Why a poll or a discovery failed, in words too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The label value that counts it.
    pub reason: FailureReason,
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
    pub fn without_request(reason: impl Into<FailureReason>, message: String) -> Self {
        let reason = reason.into();
        Self { reason, message, advice: reason.advice(), is_account_wide: false }
    }
}

impl From<&ListError> for Failure {
    fn from(error: &ListError) -> Self {
        Self {
            reason: error.kind.reason().into(),
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
    /// A peering in the first listing since the start of the exporter is not available.
    Unavailable(Peering),
    /// A peering is new in the listing.
    Added(Peering),
    /// A peering is no longer in the listing.
    Removed(Peering),
    /// A peering has another network on your side.
    Moved {
        /// The previous network.
        from: String,
        /// The peering now.
        to: Peering,
    },
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
