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

/// A change of a peering, which it finds by ID or name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// A new status and error; without an error the old one is removed.
    Status {
        peering: String,
        status: String,
        error: Option<String>,
    },
    Remove {
        peering: String,
    },
    /// The peering is added, or replaces the one with the same ID or name.
    Add(ScenarioPeering),
}

/// A change that cannot be made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the fields are explained with their variants")]
pub enum ChangeError {
    /// The group does not exist.
    #[error("there is no group `{0}`")]
    NoGroup(String),
    /// The group has no peering with this ID or name.
    #[error("there is no peering `{peering}` in group `{group}`")]
    NoPeering { group: String, peering: String },
    /// An ID that is not in the format of Atlas.
    #[error("`{0}` is not an id of 24 hexadecimal digits")]
    BadId(String),
    /// No copy, too many copies, or several copies with one ID.
    #[error("`repeat: {repeat}` is out of range: from 1 to {most}, and 1 with an `id`")]
    BadRepeat { repeat: u32, most: u32 },
    /// Two peerings would have this ID or name.
    #[error("two peerings of group `{group}` would be called `{peering}`; `{{n}}` in a name numbers its copies")]
    Twice { group: String, peering: String },
    /// The group has as many peerings as it can have.
    #[error("group `{0}` cannot have more than {MAX_PEERINGS} peerings")]
    Full(String),
    /// A new group has too many peerings.
    #[error("group `{group}` cannot start with more than {most} peerings")]
    TooMany { group: String, most: u32 },
    /// Two containers would have this ID.
    #[error("two containers of group `{group}` would have the id `{container}`")]
    ContainerTwice { group: String, container: String },
    /// There are as many groups as there can be.
    #[error("there cannot be more than {MAX_GROUPS} groups")]
    TooManyGroups,
}
