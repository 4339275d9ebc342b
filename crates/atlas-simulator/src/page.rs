//! One page of a list: its results, and the links to itself and its neighbors.

use serde_json::{Map, Value, json};

use super::{
    answer::Answer,
    query::{Form, Part},
};

/// Links name this host whatever the client called us, as the real API's may.
pub(super) const HOST: &str = "https://cloud.mongodb.com";

/// A list that never ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endless {
    /// Every page has the results of the first.
    Same,
    /// Every page has results that were never seen.
    Fresh,
}

/// Which page of a list, and how it is shown.
pub(super) struct Page<'a> {
    pub(super) path: &'a str,
    pub(super) form: Form,
    pub(super) part: &'a Part,
    /// How far off the count is.
    pub(super) count_error: i64,
    pub(super) endless: Option<Endless>,
    pub(super) content_type: &'static str,
}

impl Page<'_> {
    /// The page of this list, each of whose items is `shown`; `made` makes one of this id that is not in it.
    pub(super) fn of<T>(&self, list: &[T], shown: impl Fn(&T) -> Value, made: impl Fn(&str) -> Value) -> Answer {
        let size = self.part.items_per_page as usize;
        let before = match self.endless {
            Some(Endless::Same) => 0,
            _ => (self.part.page_num as usize - 1).saturating_mul(size),
        };
        let results: Vec<_> = match self.endless {
            Some(Endless::Fresh) => self.fresh_ids().map(|id| made(&id)).collect(),
            _ => list.iter().skip(before).take(size).map(shown).collect(),
        };
        let has_next = self.endless.is_some() || before.saturating_add(size) < list.len();
        self.answer(results, list.len(), has_next)
    }

    /// Ids that are on no other page.
    fn fresh_ids(&self) -> impl Iterator<Item = String> {
        (0..self.part.items_per_page).map(|item| format!("{:016x}{item:08x}", self.part.page_num))
    }

    fn answer(&self, results: Vec<Value>, count: usize, has_next: bool) -> Answer {
        let mut body = Map::new();
        body.insert("links".to_owned(), self.links(has_next));
        body.insert("results".to_owned(), results.into());
        if self.part.include_count {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            body.insert("totalCount".to_owned(), count.saturating_add(self.count_error).max(0).into());
        }
        if self.form.envelope {
            body.insert("status".to_owned(), 200.into());
        }
        let text = self.form.written(&Value::Object(body));
        Answer::of_resource("ok", 200, self.content_type, text)
    }

    fn links(&self, has_next: bool) -> Value {
        let page = self.part.page_num;
        let mut links = Vec::new();
        if page > 1 {
            links.push(self.link("previous", page - 1));
        }
        links.push(self.link("self", page));
        if has_next {
            links.push(self.link("next", page.saturating_add(1)));
        }
        links.into()
    }

    // As recorded, the order of the parameters depends on the kind of link.
    fn link(&self, rel: &str, page: u32) -> Value {
        let Part { items_per_page, include_count, filter, .. } = self.part;
        let (path, filter) = (self.path, filter.in_link());
        let paging = match rel {
            "self" => format!("pageNum={page}&itemsPerPage={items_per_page}"),
            _ => format!("itemsPerPage={items_per_page}&pageNum={page}"),
        };
        let href = format!("{HOST}{path}?includeCount={include_count}&{paging}{filter}");
        json!({"href": href, "rel": rel})
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Endpoint, query::Query},
        *,
    };

    fn body(query: &str, length: usize) -> Value {
        serde_json::from_str(&text(query, length)).unwrap()
    }

    /// The page of a list of `length` items.
    fn text(query: &str, length: usize) -> String {
        let query = Query::parse(Some(Endpoint::Peers), query).unwrap();
        let page = Page {
            path: "/api/atlas/v2/groups/g/peers",
            form: query.form,
            part: &query.part,
            count_error: 1,
            endless: None,
            content_type: "application/json",
        };
        let list: Vec<_> = (1..=length).collect();
        String::from_utf8(page.of(&list, |item| json!(item), |id| json!(id)).body).unwrap()
    }

    fn rels(body: &Value) -> Vec<&str> {
        let links = body["links"].as_array().unwrap();
        links.iter().map(|link| link["rel"].as_str().unwrap()).collect()
    }

    #[test]
    fn only_the_first_page_has_no_previous_and_only_the_last_no_next() {
        assert_eq!(rels(&body("", 100)), ["self"]);
        assert_eq!(rels(&body("pageNum=1", 201)), ["self", "next"]);
        assert_eq!(rels(&body("pageNum=2", 201)), ["previous", "self", "next"]);
        assert_eq!(rels(&body("pageNum=3", 201)), ["previous", "self"]);
        assert_eq!(body("pageNum=3", 201)["results"], json!([201]));
        assert_eq!(body("pageNum=4294967295", 201)["results"], json!([]));
    }

    #[test]
    fn links_are_absolute_and_name_another_host() {
        let body = body("pageNum=2&itemsPerPage=1&providerName=GCP", 3);
        assert_eq!(
            body["links"][2]["href"],
            "https://cloud.mongodb.com/api/atlas/v2/groups/g/peers?includeCount=true&itemsPerPage=1&pageNum=3&providerName=GCP"
        );
    }

    #[test]
    fn count_and_envelope_follow_the_query() {
        assert_eq!(body("", 3)["totalCount"], 4);
        assert_eq!(body("", 3).get("status"), None);
        assert_eq!(body("includeCount=false", 3).get("totalCount"), None);
        assert_eq!(body("envelope=true", 3)["status"], 200);
    }

    #[test]
    fn a_pretty_body_is_the_same_but_indented() {
        let (plain, pretty) = (text("", 101), text("pretty=true", 101));
        assert!(pretty.starts_with("{\n  \"links\": [\n    {\n"), "{pretty}");
        assert!(!plain.contains('\n') && !plain.contains(": "), "{plain}");
        assert_eq!(body("", 101), body("pretty=true", 101));
    }
}
