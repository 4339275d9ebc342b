//! What can happen to the peerings of a group.

use super::Peering;

/// A `repeat` beyond this is taken for a typing error.
pub(super) const MAX_REPEAT: u32 = 100_000;

/// What can happen to a peering.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It has another status; an error that is not named is gone.
    Status {
        /// The peering's id or name.
        peering: String,
        /// The new status.
        status: String,
        /// The new error.
        error: Option<String>,
    },
    /// It vanishes.
    Remove {
        /// The peering's id or name.
        peering: String,
    },
    /// It appears, or replaces the one with the same id or name.
    Add(Peering),
}

/// A change that could not be made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The group does not exist.
    #[error("there is no group `{0}`")]
    NoGroup(String),
    /// The peering does not exist in that group.
    #[error("there is no peering `{peering}` in group `{group}`")]
    NoPeering {
        /// The group that was looked in.
        group: String,
        /// The id or name that was looked for.
        peering: String,
    },
    /// An id that Atlas would never make.
    #[error("`{0}` is not an id of 24 hexadecimal digits")]
    BadId(String),
    /// More copies than anybody means.
    #[error("`repeat: {0}` is too much: at most {MAX_REPEAT}, and only once with an id")]
    TooMany(u32),
}
