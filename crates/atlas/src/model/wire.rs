//! Types for JSON from Atlas that stay within their bounds, whatever it sends.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, SeqAccess, Visitor},
};
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
    /// A response with status 200 has no access token.
    #[error("the access token is null")]
    NoAccessToken,
    /// An access token cannot be sent in a header.
    #[error("the access token contains characters that are not allowed in a header")]
    AccessToken,
}

/// An item of a listing.
pub(crate) trait HasId {
    /// The ID, which is unique in the listing.
    fn id(&mut self) -> &mut Option<String>;
}

/// A string of which at most `MAX` bytes are kept; null counts as missing.
#[derive(Debug, Default)]
pub(crate) struct Text<const MAX: usize> {
    pub(crate) kept: Option<String>,
    /// Whether it was truncated.
    pub(crate) is_cut: bool,
}

impl<const MAX: usize> Text<MAX> {
    pub(crate) fn cut(text: &str) -> Self {
        let end = (0..=MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        Self { kept: Some(text[..end].to_owned()), is_cut: end < text.len() }
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(TextVisitor)
    }
}

struct TextVisitor<const MAX: usize>;

impl<const MAX: usize> Visitor<'_> for TextVisitor<MAX> {
    type Value = Text<MAX>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or null")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text<MAX>, E> {
        Ok(Text::cut(text))
    }

    fn visit_unit<E: Error>(self) -> Result<Text<MAX>, E> {
        Ok(Text::default())
    }
}

/// The first `MAX` items of an array. The others are skipped.
#[derive(Debug)]
pub(crate) struct FirstItems<T, const MAX: usize>(pub(crate) Vec<T>);

impl<T, const MAX: usize> Default for FirstItems<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for FirstItems<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_seq(FirstItemsVisitor(PhantomData))
    }
}

struct FirstItemsVisitor<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for FirstItemsVisitor<T, MAX> {
    type Value = FirstItems<T, MAX>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<FirstItems<T, MAX>, A::Error> {
        let mut items = Vec::new();
        while items.len() < MAX {
            match list.next_element()? {
                Some(item) => items.push(item),
                None => return Ok(FirstItems(items)),
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(FirstItems(items))
    }
}

/// An informational value. Any other JSON type counts as missing, so that it does not invalidate the whole response.
#[derive(Debug, Default)]
pub(crate) struct Lenient<T>(pub(crate) T);

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(input)?;
        Ok(Self(serde_json::from_str(raw.get()).unwrap_or_default()))
    }
}

/// A string that is only a label.
pub(crate) type LabelText<const MAX: usize> = Lenient<Text<MAX>>;

impl<const MAX: usize> LabelText<MAX> {
    /// The string, truncated if it is longer; empty if it is missing.
    pub(crate) fn into_cut(self) -> String {
        self.0.kept.unwrap_or_default()
    }
}

/// The first text that is not empty.
pub(super) fn first_non_empty<const N: usize, const MAX: usize>(texts: [Text<MAX>; N]) -> Text<MAX> {
    texts.into_iter().find(|text| text.kept.as_ref().is_some_and(|text| !text.is_empty())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_while_it_is_read() {
        for (json, kept, is_cut) in [
            ("\"1234\"", "1234", false),
            ("\"12345\"", "1234", true),
            ("\"123é\"", "123", true),
            (r#""12\u00e9""#, "12é", false),
            (r#""\ud83d\ude00x""#, "😀", true),
        ] {
            let text: Text<4> = serde_json::from_str(json).unwrap();
            assert_eq!((text.kept.as_deref(), text.is_cut), (Some(kept), is_cut), "{json}");
        }
        assert!(serde_json::from_str::<Text<4>>("null").unwrap().kept.is_none());
        for other in ["1", "true", "[]", "{}"] {
            assert!(serde_json::from_str::<Text<4>>(other).is_err(), "{other}");
        }
    }

    #[test]
    fn only_the_first_items_are_kept() {
        for (json, expected) in [("[]", &[][..]), ("[1,2]", &[1, 2]), (r#"[1,2,{"a":["b"]},"c"]"#, &[1, 2])] {
            assert_eq!(serde_json::from_str::<FirstItems<u8, 2>>(json).unwrap().0, expected, "{json}");
        }
        for other in [r#"[1,"a"]"#, "[1,2,", "{}", "null"] {
            assert!(serde_json::from_str::<FirstItems<u8, 2>>(other).is_err(), "{other}");
        }
    }
}
