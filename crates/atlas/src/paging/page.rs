//! One page of a listing, as Atlas sends it.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};

use crate::model::wire::{Lenient, Text};

/// Twice the largest page. A body with more items is rejected while it is parsed, to bound memory.
const MAX_ITEMS: usize = 1000;

/// Longer than `next`, the only relation that matters.
const MAX_REL: usize = 16;

/// One page. An error with status 200 has no `results`, and must not count as an empty listing.
#[derive(Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
pub(crate) struct Page<T> {
    results: BoundedList<T>,
    links: Option<BoundedList<Link>>,
    /// An estimate: a page whose total is not a count is valid.
    #[serde(rename = "totalCount", default)]
    total: Lenient<Option<u64>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Link {
    rel: Text<MAX_REL>,
}

/// Whether a page has a successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Successor {
    /// It is the last.
    None,
    /// It is not the last.
    Some,
    /// It is shorter than requested and has no links. Either it is the last, or the server limits pages to fewer
    /// results than requested.
    IfTotalSaysMore,
}

impl<T> Page<T> {
    /// Only a missing `next` link ends a listing: Atlas calls `totalCount` an estimate. If there are no links at all,
    /// not even one to the page itself, a full page counts as having a successor.
    pub(crate) fn successor(&self, items_per_page: u16) -> Successor {
        match &self.links {
            Some(links) if !links.0.is_empty() => {
                let has_next = links.0.iter().any(|link| link.rel.kept.as_deref() == Some("next"));
                if has_next { Successor::Some } else { Successor::None }
            }
            _ if self.results.0.len() >= usize::from(items_per_page) => Successor::Some,
            _ => Successor::IfTotalSaysMore,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.results.0.is_empty()
    }

    /// How many results the whole listing has, as Atlas estimates.
    pub(crate) fn total(&self) -> Option<u64> {
        self.total.0
    }

    pub(crate) fn into_results(self) -> Vec<T> {
        self.results.0
    }
}

/// A list of at most [`MAX_ITEMS`] items.
struct BoundedList<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for BoundedList<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_seq(BoundedVisitor(PhantomData))
    }
}

struct BoundedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for BoundedVisitor<T> {
    type Value = BoundedList<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MAX_ITEMS} items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<BoundedList<T>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            if items.len() == MAX_ITEMS {
                return Err(A::Error::custom(format!("more than {MAX_ITEMS} items")));
            }
            items.push(item);
        }
        Ok(BoundedList(items))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn page(results: usize) -> Result<Page<Value>, serde_json::Error> {
        serde_json::from_str(&format!(r#"{{"results":[{}]}}"#, vec!["{}"; results].join(",")))
    }

    #[test]
    fn an_overlong_list_is_refused_while_it_is_parsed() {
        assert_eq!(page(MAX_ITEMS).unwrap().into_results().len(), MAX_ITEMS);
        let error = page(MAX_ITEMS + 1).err().unwrap();
        assert!(error.to_string().starts_with("more than 1000 items"), "{error}");
    }

    #[test]
    fn a_page_whose_total_is_not_a_count_is_valid() {
        for (total, expected) in [
            ("7", Some(7)),
            ("null", None),
            ("-1", None),
            ("7.5", None),
            ("\"7\"", None),
            ("[7]", None),
            ("1e99", None),
        ] {
            let page: Page<Value> = serde_json::from_str(&format!(r#"{{"results":[],"totalCount":{total}}}"#)).unwrap();
            assert_eq!(page.total(), expected, "{total}");
        }
    }

    #[test]
    fn an_error_with_status_200_is_not_an_empty_listing() {
        for body in [r#"{"error":500,"errorCode":"UNEXPECTED_ERROR"}"#, r#"{"results":null}"#, "[]", "null"] {
            assert!(serde_json::from_str::<Page<Value>>(body).is_err(), "{body}");
        }
    }
}
