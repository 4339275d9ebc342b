//! The IDs of groups and organizations.

use std::{fmt, str::FromStr};

/// The text is not an Atlas ID.
#[derive(Debug, thiserror::Error)]
#[error("an ID is 24 hexadecimal digits, as in the URL of the page in Atlas")]
pub struct InvalidId;

macro_rules! id {
    ($(#[doc = $doc:literal])+ $name:ident) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The ID as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let is_object_id = text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
                if is_object_id { Ok(Self(text.to_ascii_lowercase())) } else { Err(InvalidId) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id! {
    /// The ID of a group, which the Atlas UI calls a project: 24 hexadecimal digits in lower case.
    GroupId
}

id! {
    /// The ID of an organization: 24 hexadecimal digits in lower case.
    OrgId
}
