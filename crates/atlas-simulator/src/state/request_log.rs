//! The log of requests.

use std::{collections::VecDeque, time::SystemTime};

use axum::http::header::{ACCEPT, ACCEPT_ENCODING, USER_AGENT};
use serde::Serialize;
use tracing::info;

use crate::{
    http::{
        auth::{DigestResponse, PresentedCredentials},
        request::ApiRequest,
    },
    scenario::provider::ScenarioProvider,
};

/// Older requests are dropped.
const MAX_REQUESTS: usize = 100_000;

/// A request and its outcome. It never contains a secret.
#[derive(Clone, Debug, Serialize)]
pub struct LoggedRequest {
    /// When it arrived, in seconds since 1970.
    pub at: f64,
    /// Its method.
    pub method: String,
    /// Its path.
    pub path: String,
    /// Its query, without the question mark. Empty for the token endpoints, where it might contain a secret.
    pub query: String,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
    /// `peers`, `group`, `groups`, `org_groups`, `containers`, `root`, `token`, `revoke` or `unknown`.
    pub endpoint: &'static str,
    /// The group in its path.
    pub group_id: Option<String>,
    /// The provider whose peerings it lists; AWS by default.
    pub provider: Option<ScenarioProvider>,
    /// The page it lists.
    pub page_num: Option<u32>,
    /// The number of results on a page.
    pub items_per_page: Option<u32>,
    /// The status of the response, if there was one.
    pub status: Option<u16>,
    /// The kind of credentials: `none`, `digest`, `basic`, `bearer` or `other`.
    pub authorization: &'static str,
    /// The nonce of a digest response.
    pub nonce: Option<String>,
    /// The count of that nonce.
    pub nc: Option<u32>,
    /// `challenge`, `stale`, `bad_credentials`, `replayed_nc`, `bad_token`, `ok`, `fault`, `rate_limited`,
    /// `token_limit`, `not_found`, `no_access`, `access_list`, `bad_request` or `not_acceptable`.
    pub outcome: &'static str,
    /// The header of that name.
    pub user_agent: Option<String>,
    /// The header of that name.
    pub accept: Option<String>,
    /// The header of that name.
    pub accept_encoding: Option<String>,
}

/// Logs a request and its outcome.
pub(crate) fn record(
    log: &mut VecDeque<LoggedRequest>,
    request: &ApiRequest,
    status: Option<u16>,
    outcome: &'static str,
) {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let page = request.page_query();
    let digest = match &request.credentials {
        PresentedCredentials::Digest(response) => Some(response),
        _ => None,
    };
    let (method, path) = (request.head.method.as_str(), request.path());
    let query = request.head.uri.query().filter(|_| !request.endpoint.is_oauth()).unwrap_or_default();
    info!(method, path, query, status, outcome, "request");
    if log.len() == MAX_REQUESTS {
        log.pop_front();
    }
    log.push_back(LoggedRequest {
        at: since.map_or(0.0, |since| since.as_secs_f64()),
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        version: format!("{:?}", request.head.version),
        endpoint: request.endpoint.into(),
        group_id: request.group().map(str::to_owned),
        provider: page.and_then(|page| page.provider),
        page_num: page.map(|page| page.page_num),
        items_per_page: page.map(|page| page.items_per_page),
        status,
        authorization: (&request.credentials).into(),
        nonce: digest.and_then(|digest| digest.get("nonce")).map(str::to_owned),
        nc: digest.and_then(DigestResponse::nonce_count),
        outcome,
        user_agent: request.header(USER_AGENT),
        accept: request.header(ACCEPT),
        accept_encoding: request.header(ACCEPT_ENCODING),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_drops_the_oldest_request() {
        let request = |path| ApiRequest::parse(axum::http::Request::get(path).body(()).unwrap().into_parts().0);
        let mut log = VecDeque::new();
        record(&mut log, &request("/first"), None, "fault");
        let later = request("/later");
        for _ in 0..MAX_REQUESTS {
            record(&mut log, &later, None, "fault");
        }
        assert_eq!((log.len(), log[0].path.as_str()), (MAX_REQUESTS, "/later"));
    }
}
