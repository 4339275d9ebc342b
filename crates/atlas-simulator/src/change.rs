//! What can happen to the peerings of a group.

use super::Peering;

/// The most peerings that a group can have from the start.
pub(super) const MAX_REPEAT: u32 = 100_000;

/// The most peerings that one change can add.
pub(super) const MAX_ADDED: u32 = 1_000;

/// A group with so many peerings takes no more.
pub(super) const MAX_PEERINGS: usize = 100_000;

/// With so many groups no other is added: forty times what an organization can have.
pub(super) const MAX_GROUPS: usize = 10_000;

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
    /// No copy, or more copies than anybody means.
    #[error("`repeat: {repeat}` is out of range: from 1 to {most}, and 1 with an `id`")]
    BadRepeat {
        /// What was asked for.
        repeat: u32,
        /// The most that is allowed here.
        most: u32,
    },
    /// An id or name would stand for two peerings.
    #[error("two peerings of group `{group}` would be called `{peering}`; `{{n}}` in a name numbers its copies")]
    Twice {
        /// The group of both.
        group: String,
        /// The id or name that both would have.
        peering: String,
    },
    /// There are more peerings than anybody can mean.
    #[error("group `{0}` has {MAX_PEERINGS} peerings and takes no more")]
    Full(String),
    /// A new group has more peerings than it can begin with.
    #[error("group `{group}` would begin with more than {most} peerings")]
    TooMany {
        /// The new group.
        group: String,
        /// The most that is allowed here.
        most: u32,
    },
    /// An id would stand for two containers.
    #[error("two containers of group `{group}` would have the id `{container}`")]
    ContainerTwice {
        /// The group of both.
        group: String,
        /// The id that both would have.
        container: String,
    },
    /// There are more groups than anybody can mean.
    #[error("there are {MAX_GROUPS} groups, and no other is added")]
    TooManyGroups,
}
