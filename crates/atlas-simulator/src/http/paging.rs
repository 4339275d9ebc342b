//! One page of a list: its results, and the links to itself and its neighbors.

use serde_json::{Value, json};

use super::request::PageQuery;
use crate::fault::Endless;

/// The host in links, regardless of the name that the client used: those of Atlas can differ too.
pub(crate) const HOST: &str = "https://cloud.mongodb.com";

/// Which page of a list.
pub(crate) struct Page<'a> {
    pub(crate) path: &'a str,
    pub(crate) query: &'a PageQuery,
    /// How far off `totalCount` is.
    pub(crate) count_error: i64,
    pub(crate) endless: Option<Endless>,
}

impl Page<'_> {
    /// The page of a list. `render` shows an item, and `new` one with this ID that is not in the list.
    pub(crate) fn body<T>(&self, items: &[T], render: impl Fn(&T) -> Value, new: impl Fn(String) -> Value) -> Value {
        let PageQuery { page_num, items_per_page, include_count, envelope, .. } = *self.query;
        let size = items_per_page as usize;
        let skipped = match self.endless {
            Some(Endless { fresh: false }) => 0,
            _ => (page_num as usize - 1).saturating_mul(size),
        };
        let results: Vec<_> = match self.endless {
            // Ids that are on no other page.
            Some(Endless { fresh: true }) => {
                (0..items_per_page).map(|item| new(format!("{page_num:016x}{item:08x}"))).collect()
            }
            _ => items.iter().skip(skipped).take(size).map(render).collect(),
        };
        let has_next = self.endless.is_some() || skipped.saturating_add(size) < items.len();
        let mut body = json!({"links": self.links(has_next), "results": results});
        if include_count {
            let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
            body["totalCount"] = count.saturating_add(self.count_error).max(0).into();
        }
        if envelope {
            body["status"] = 200.into();
        }
        body
    }

    fn links(&self, has_next: bool) -> Vec<Value> {
        let page = self.query.page_num;
        let previous = (page > 1).then(|| self.link("previous", page - 1));
        let next = has_next.then(|| self.link("next", page.saturating_add(1)));
        previous.into_iter().chain([self.link("self", page)]).chain(next).collect()
    }

    // As recorded, the order of the parameters depends on the kind of link.
    fn link(&self, rel: &str, page: u32) -> Value {
        let PageQuery { items_per_page, include_count, .. } = *self.query;
        let paging = match rel {
            "self" => format!("pageNum={page}&itemsPerPage={items_per_page}"),
            _ => format!("itemsPerPage={items_per_page}&pageNum={page}"),
        };
        let (path, filter) = (self.path, self.query.filter_in_link());
        json!({"href": format!("{HOST}{path}?includeCount={include_count}&{paging}{filter}"), "rel": rel})
    }
}
