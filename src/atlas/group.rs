//! The id of a group, which Atlas's user interface calls a project.

use std::{fmt, str::FromStr};

/// The id of an Atlas group: 24 hexadecimal digits, kept in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(String);

/// The text is no group id.
#[derive(Debug, thiserror::Error)]
#[error("a group id is 24 hexadecimal digits, as in the address of the group's page in Atlas")]
pub struct InvalidGroupId;

impl GroupId {
    /// The id as Atlas writes it in a path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for GroupId {
    type Err = InvalidGroupId;

    fn from_str(text: &str) -> Result<Self, InvalidGroupId> {
        let is_object_id = text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_object_id { Ok(Self(text.to_ascii_lowercase())) } else { Err(InvalidGroupId) }
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
