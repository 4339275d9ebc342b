//! The changes that can be made to the groups and peerings.

use crate::scenario::peering::ScenarioPeering;

/// The most peerings that a group can have from the start.
pub(crate) const MAX_REPEAT: u32 = 100_000;

/// The most peerings that one change can add.
pub(crate) const MAX_ADDED: u32 = 1_000;

/// The most peerings that a group can have.
pub(crate) const MAX_PEERINGS: usize = 100_000;

/// The most groups: forty times what an organization can have.
pub(crate) const MAX_GROUPS: usize = 10_000;

/// A change of a peering.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A new status and error.
    Status {
        /// The peering's ID or name.
        peering: String,
        /// The new status.
        status: String,
        /// The new error; none removes the old one.
        error: Option<String>,
    },
    /// The peering is removed.
    Remove {
        /// The peering's ID or name.
        peering: String,
    },
    /// The peering is added, or replaces the one with the same ID or name.
    Add(ScenarioPeering),
}

/// A change that cannot be made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The group does not exist.
    #[error("there is no group `{0}`")]
    NoGroup(String),
    /// The peering does not exist in the group.
    #[error("there is no peering `{peering}` in group `{group}`")]
    NoPeering {
        /// The group.
        group: String,
        /// The ID or name.
        peering: String,
    },
    /// An ID that is not in the format of Atlas.
    #[error("`{0}` is not an id of 24 hexadecimal digits")]
    BadId(String),
    /// No copy, too many copies, or several copies with one ID.
    #[error("`repeat: {repeat}` is out of range: from 1 to {most}, and 1 with an `id`")]
    BadRepeat {
        /// The requested number.
        repeat: u32,
        /// The most that is allowed here.
        most: u32,
    },
    /// Two peerings would have the same ID or name.
    #[error("two peerings of group `{group}` would be called `{peering}`; `{{n}}` in a name numbers its copies")]
    Twice {
        /// The group of both.
        group: String,
        /// The ID or name of both.
        peering: String,
    },
    /// The group has as many peerings as it can have.
    #[error("group `{0}` cannot have more than {MAX_PEERINGS} peerings")]
    Full(String),
    /// A new group has too many peerings.
    #[error("group `{group}` cannot start with more than {most} peerings")]
    TooMany {
        /// The new group.
        group: String,
        /// The most that is allowed here.
        most: u32,
    },
    /// Two containers would have the same ID.
    #[error("two containers of group `{group}` would have the id `{container}`")]
    ContainerTwice {
        /// The group of both.
        group: String,
        /// The ID of both.
        container: String,
    },
    /// There are as many groups as there can be.
    #[error("there cannot be more than {MAX_GROUPS} groups")]
    TooManyGroups,
}
