//! One page of a list: its results, and the links to itself and its neighbors.

use serde_json::{Map, Value, json};

use super::{answer::Answer, query::Query};

/// Links name this host whatever the client called us, as the real API's may.
const HOST: &str = "https://cloud.mongodb.com";

pub(super) struct Page<'a> {
    pub(super) path: &'a str,
    pub(super) query: Query,
    pub(super) results: Vec<Value>,
    pub(super) total_count: i64,
    pub(super) has_next: bool,
    pub(super) content_type: &'a str,
}

impl Page<'_> {
    pub(super) fn into_answer(self) -> Answer {
        let links = self.links();
        let mut body = Map::new();
        body.insert("links".to_owned(), links);
        body.insert("results".to_owned(), self.results.into());
        if self.query.include_count {
            body.insert("totalCount".to_owned(), self.total_count.into());
        }
        if self.query.envelope {
            body.insert("status".to_owned(), 200.into());
        }
        let text = self.query.written(&Value::Object(body));
        Answer::of_resource("ok", 200, self.content_type, text)
    }

    fn links(&self) -> Value {
        let page = self.query.page_num;
        let mut links = Vec::new();
        if page > 1 {
            links.push(self.link("previous", page - 1));
        }
        links.push(self.link("self", page));
        if self.has_next {
            links.push(self.link("next", page.saturating_add(1)));
        }
        links.into()
    }

    // As recorded, the order of the parameters depends on the kind of link.
    fn link(&self, rel: &str, page: u32) -> Value {
        let Query { provider, items_per_page, include_count, .. } = self.query;
        let (path, provider) = (self.path, provider.name());
        let paging = match rel {
            "self" => format!("pageNum={page}&itemsPerPage={items_per_page}"),
            _ => format!("itemsPerPage={items_per_page}&pageNum={page}"),
        };
        let href = format!("{HOST}{path}?includeCount={include_count}&{paging}&providerName={provider}");
        json!({"href": href, "rel": rel})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(query: &str, has_next: bool) -> Value {
        serde_json::from_str(&text(query, has_next)).unwrap()
    }

    fn text(query: &str, has_next: bool) -> String {
        let page = Page {
            path: "/api/atlas/v2/groups/g/peers",
            query: Query::parse(query).unwrap(),
            results: vec![json!({"id": "a"})],
            total_count: 3,
            has_next,
            content_type: "application/json",
        };
        String::from_utf8(page.into_answer().body).unwrap()
    }

    fn rels(body: &Value) -> Vec<&str> {
        let links = body["links"].as_array().unwrap();
        links.iter().map(|link| link["rel"].as_str().unwrap()).collect()
    }

    #[test]
    fn only_the_first_page_has_no_previous_and_only_the_last_no_next() {
        assert_eq!(rels(&body("", false)), ["self"]);
        assert_eq!(rels(&body("pageNum=1", true)), ["self", "next"]);
        assert_eq!(rels(&body("pageNum=2", true)), ["previous", "self", "next"]);
        assert_eq!(rels(&body("pageNum=3", false)), ["previous", "self"]);
    }

    #[test]
    fn links_are_absolute_and_name_another_host() {
        let body = body("pageNum=2&itemsPerPage=1&providerName=GCP", true);
        assert_eq!(
            body["links"][2]["href"],
            "https://cloud.mongodb.com/api/atlas/v2/groups/g/peers?includeCount=true&itemsPerPage=1&pageNum=3&providerName=GCP"
        );
    }

    #[test]
    fn count_and_envelope_follow_the_query() {
        assert_eq!(body("", false)["totalCount"], 3);
        assert_eq!(body("", false).get("status"), None);
        assert_eq!(body("includeCount=false", false).get("totalCount"), None);
        assert_eq!(body("envelope=true", false)["status"], 200);
    }

    #[test]
    fn a_pretty_body_is_the_same_but_indented() {
        let (plain, pretty) = (text("", true), text("pretty=true", true));
        assert!(pretty.starts_with("{\n  \"links\": [\n    {\n"), "{pretty}");
        assert!(!plain.contains('\n') && !plain.contains(": "), "{plain}");
        assert_eq!(body("", true), body("pretty=true", true));
    }
}
