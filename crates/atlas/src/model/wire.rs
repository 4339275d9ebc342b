//! What the JSON types of all listings share.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::provider::Provider;

/// A response is valid JSON, but its content cannot be what it claims to be.
#[derive(Debug, thiserror::Error)]
pub enum InvalidContent {
    /// A listing of the first provider's peerings has one of the second.
    #[error("requested {0} peerings, but the response contains one of {1}")]
    Provider(Provider, Provider),
    /// This field is longer than this limit, in bytes.
    #[error("a `{0}` is longer than {1} bytes")]
    TooLong(&'static str, usize),
    /// A group has no valid ID.
    #[error("a project's ID is not 24 hexadecimal digits")]
    GroupId,
    /// An access token cannot be sent in a header.
    #[error("the access token contains characters that are not allowed in a header")]
    AccessToken,
}

/// An item of a listing.
pub(crate) trait HasId {
    /// The ID, which is unique in the listing.
    fn id(&mut self) -> &mut Option<String>;
}

/// A text that is only a label. Any other JSON type counts as missing, so that it does not cost the whole listing.
#[derive(Default)]
pub(super) struct LabelText(pub(super) Option<String>);

impl<'de> Deserialize<'de> for LabelText {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let value = Box::<RawValue>::deserialize(input)?;
        Ok(Self(serde_json::from_str(value.get()).unwrap_or_default()))
    }
}

/// The first text that is not empty.
pub(super) fn first_non_empty<const N: usize>(texts: [Option<String>; N]) -> Option<String> {
    texts.into_iter().flatten().find(|text| !text.is_empty())
}
