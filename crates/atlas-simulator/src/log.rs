//! What the simulator was asked, in order.

use std::{collections::VecDeque, time::SystemTime};

use serde::Serialize;
use tracing::info;

use super::{Endpoint, Provider, asked::Asked, authorization::Authorization};

/// Older requests are forgotten.
const MAX_REQUESTS: usize = 100_000;

/// One request and what became of it. Never holds a secret.
#[derive(Clone, Debug, Serialize)]
pub struct Request {
    /// When it came, in seconds since 1970.
    pub at: f64,
    /// Its method.
    pub method: String,
    /// Its path.
    pub path: String,
    /// Its query, without the question mark; not of the token endpoints, where none belongs and a secret might be.
    pub query: String,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
    /// What it asks for: `peers`, `group`, `groups`, `org_groups`, `containers`, `root`, `token`, `revoke` or
    /// `unknown`.
    pub endpoint: &'static str,
    /// The group in its path.
    pub group_id: Option<String>,
    /// The provider whose peerings it lists, AWS by default.
    pub provider: Option<Provider>,
    /// The page it lists.
    pub page_num: Option<u32>,
    /// How many results a page has.
    pub items_per_page: Option<u32>,
    /// The status it was answered with, if at all.
    pub status: Option<u16>,
    /// The kind of credentials: `none`, `digest`, `basic`, `bearer` or `other`.
    pub authorization: &'static str,
    /// The nonce it answered.
    pub nonce: Option<String>,
    /// The count of that nonce.
    pub nc: Option<u32>,
    /// What became of it, in a word: `challenge`, `stale`, `bad_credentials`, `replayed_nc`, `bad_token`, `ok`,
    /// `fault`, `rate_limited`, `token_limit`, `not_found`, `no_access`, `access_list`, `bad_request` or
    /// `not_acceptable`.
    pub outcome: &'static str,
    /// The header of that name.
    pub user_agent: Option<String>,
    /// The header of that name.
    pub accept: Option<String>,
    /// The header of that name.
    pub accept_encoding: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Log(VecDeque<Request>);

impl Log {
    pub(super) fn record(&mut self, asked: &Asked, status: Option<u16>, outcome: &'static str) {
        let request = Request::new(asked, status, outcome);
        info!(
            method = request.method,
            path = request.path,
            query = request.query,
            status = request.status,
            outcome,
            "asked"
        );
        if self.0.len() == MAX_REQUESTS {
            self.0.pop_front();
        }
        self.0.push_back(request);
    }

    pub(super) fn all(&self) -> Vec<Request> {
        self.0.iter().cloned().collect()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Request {
    fn new(asked: &Asked, status: Option<u16>, outcome: &'static str) -> Request {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let part = asked.part();
        let answer = asked.proof.digest();
        Request {
            at: since.map_or(0.0, |since| since.as_secs_f64()),
            method: asked.method.clone(),
            path: asked.path.clone(),
            query: if asked.route.is_oauth() { String::new() } else { asked.query.clone() },
            version: asked.version.clone(),
            endpoint: asked.route.endpoint().map_or("unknown", Endpoint::word),
            group_id: asked.group().map(str::to_owned),
            provider: part.and_then(|part| part.filter.provider()),
            page_num: part.map(|part| part.page_num),
            items_per_page: part.map(|part| part.items_per_page),
            status,
            authorization: asked.proof.kind(),
            nonce: answer.and_then(|answer| answer.get("nonce")).map(str::to_owned),
            nc: answer.and_then(Authorization::nonce_count),
            outcome,
            user_agent: asked.user_agent.clone(),
            accept: asked.accept.clone(),
            accept_encoding: asked.accept_encoding.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_says_what_was_asked_but_no_secret() {
        let request = hyper::Request::get("/api/atlas/v2/groups/g/peers?pageNum=2")
            .header("authorization", r#"Digest username="u", nonce="n", nc=00000003, response="secret""#)
            .header("user-agent", "tester")
            .body(())
            .unwrap();
        let mut log = Log::default();
        log.record(&Asked::read(&request), Some(200), "ok");
        let logged = &log.all()[0];
        assert_eq!(logged.group_id.as_deref(), Some("g"));
        assert_eq!((logged.provider, logged.page_num), (Some(Provider::Aws), Some(2)));
        assert_eq!((logged.nonce.as_deref(), logged.nc), (Some("n"), Some(3)));
        assert!(!serde_json::to_string(logged).unwrap().contains("secret"));
    }

    #[test]
    fn the_log_forgets_the_oldest() {
        let mut log = Log::default();
        let asked = Asked::read(&hyper::Request::get("/first").body(()).unwrap());
        log.record(&asked, None, "fault");
        let asked = Asked::read(&hyper::Request::get("/later").body(()).unwrap());
        for _ in 0..MAX_REQUESTS {
            log.record(&asked, None, "fault");
        }
        assert_eq!(log.0.len(), MAX_REQUESTS);
        assert_eq!(log.0[0].path, "/later");
    }
}
