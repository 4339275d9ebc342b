//! Faults: what goes wrong, for which requests and how often.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, de::Error};

use crate::{
    endpoint::SimulatedEndpoint,
    http::request::ApiRequest,
    scenario::{duration_serde, provider::ScenarioProvider},
};

/// What goes wrong with the requests that it matches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// Only this endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<SimulatedEndpoint>,
    /// Only this group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Only lists of the peerings of this provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<ScenarioProvider>,
    /// Only this page of any list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// For this many requests; without it until it is cleared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// Also applies to, and is counted for, requests without accepted credentials.
    pub before_auth: bool,
    /// How much later the response is sent.
    #[serde(
        deserialize_with = "duration_serde::deserialize_optional",
        serialize_with = "duration_serde::serialize",
        skip_serializing_if = "Option::is_none"
    )]
    pub delay: Option<Duration>,
    /// What happens instead of the usual response; without it there is only the delay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
}

/// What happens instead of the usual response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Effect {
    /// An error status.
    Status(StatusFault),
    /// The headers and half of the body, then the end of the connection, or of the stream with HTTP/2.
    Cut,
    /// The connection is closed without a response; with HTTP/2 the stream is reset.
    Close,
    /// There is never a response.
    Never,
    /// Every page has a next one.
    Endless(Endless),
    /// The usual body as valid JSON of more than this many bytes.
    Oversize(u64),
    /// Status 200 and a body that is not JSON.
    Garbage,
    /// Status 200 and this body.
    Body(String),
    /// The usual response, byte by byte with this pause in between.
    Drip(#[serde(with = "duration_serde")] Duration),
}

impl Effect {
    /// Whether there is a response, complete or not.
    pub(crate) fn has_response(&self) -> bool {
        !matches!(self, Effect::Close | Effect::Never)
    }
}

/// A list that never ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endless {
    /// With new results on every page rather than those of the first.
    #[serde(default)]
    pub fresh: bool,
}

/// An error status and what comes with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusFault {
    /// From 200 to 599.
    #[serde(deserialize_with = "final_status")]
    pub code: u16,
    /// The error code of Atlas; without it the usual one for the status. On the token endpoints a code in lower
    /// case is one of OAuth and sent in its form, as are the errors 401, 403 and 500 without a code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// The header of that name, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// An HTML page rather than an error of the API.
    #[serde(default)]
    pub html: bool,
    /// Exactly this body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

fn final_status<'de, D: Deserializer<'de>>(input: D) -> Result<u16, D::Error> {
    let code = u16::deserialize(input)?;
    if (200..600).contains(&code) {
        return Ok(code);
    }
    Err(D::Error::custom(format!("`{code}` is not a status from 200 to 599")))
}

impl Fault {
    /// A fault for every request until it is cleared.
    #[must_use]
    pub fn new(effect: Effect) -> Fault {
        Fault { effect: Some(effect), ..Fault::default() }
    }

    /// A fault with this status and its usual error for every request.
    #[must_use]
    pub fn status(code: u16) -> Fault {
        Fault::new(Effect::Status(StatusFault { code, ..StatusFault::default() }))
    }

    /// Rejects a fault that would do nothing.
    pub(crate) fn validate(&self) -> Result<(), &'static str> {
        match (&self.effect, self.delay, self.times) {
            (None, None, _) => Err("a fault needs an `effect`, a `delay` or both"),
            (_, _, Some(0)) => Err("`times` must be at least 1"),
            _ => Ok(()),
        }
    }

    fn matches(&self, request: &ApiRequest, is_authenticated: bool) -> bool {
        // A connection breaks regardless of credentials.
        let before_auth = self.before_auth || !self.effect.as_ref().is_none_or(Effect::has_response);
        let query = request.page_query();
        (is_authenticated || before_auth)
            && self.group.as_deref().is_none_or(|group| request.group() == Some(group))
            && self.endpoint.is_none_or(|endpoint| request.endpoint == endpoint)
            && self.provider.is_none_or(|provider| query.is_some_and(|query| query.provider == Some(provider)))
            && self.page.is_none_or(|page| query.is_some_and(|query| query.page_num == page))
    }
}

/// The newest fault that matches the request, which uses it once. `faults` is sorted from the oldest to the newest.
pub(crate) fn take(faults: &mut Vec<Fault>, request: &ApiRequest, is_authenticated: bool) -> Option<Fault> {
    let index = faults.iter().rposition(|fault| fault.matches(request, is_authenticated))?;
    let fault = faults[index].clone();
    match &mut faults[index].times {
        Some(1) => drop(faults.remove(index)),
        Some(times) => *times -= 1,
        None => {}
    }
    Some(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEERS: &str = "/api/atlas/v2/groups/5f3a556351db42631e16f301/peers";

    fn request(uri: &str) -> ApiRequest {
        ApiRequest::parse(axum::http::Request::get(uri).body(()).unwrap().into_parts().0)
    }

    #[test]
    fn the_newest_fault_that_matches_applies_until_it_is_used_up() {
        let mut faults = vec![
            Fault { times: Some(2), ..Fault::status(500) },
            Fault { times: Some(1), ..Fault::status(503) },
            Fault { provider: Some(ScenarioProvider::Gcp), ..Fault::status(404) },
        ];
        for code in [503, 500, 500] {
            assert_eq!(take(&mut faults, &request(PEERS), true).unwrap().effect, Fault::status(code).effect);
        }
        assert_eq!(take(&mut faults, &request(PEERS), true), None);
        assert_eq!(faults.len(), 1);
    }

    #[test]
    fn a_fault_applies_only_to_what_it_names() {
        let fault = || Fault::status(500);
        let gcp = Fault {
            group: Some("5f3a556351db42631e16f301".to_owned()),
            provider: Some(ScenarioProvider::Gcp),
            page: Some(2),
            ..fault()
        };
        let groups = Fault { endpoint: Some(SimulatedEndpoint::Groups), page: Some(2), ..fault() };
        let token = Fault { endpoint: Some(SimulatedEndpoint::Token), ..fault() };
        let first_page = Fault { page: Some(1), ..fault() };
        for (fault, uri, expected) in [
            (&gcp, format!("{PEERS}?providerName=GCP"), false),
            (&gcp, format!("{PEERS}?pageNum=2"), false),
            (&gcp, format!("{PEERS}?providerName=GCP&pageNum=x"), false),
            (&gcp, format!("{PEERS}?providerName=GCP&pageNum=2"), true),
            (&groups, "/api/atlas/v2/groups?pageNum=2".to_owned(), true),
            (&groups, "/api/atlas/v2/groups".to_owned(), false),
            (&groups, "/api/atlas/v2/orgs/5f3a556351db42631e16f301/groups?pageNum=2".to_owned(), false),
            (&token, "/api/oauth/token".to_owned(), true),
            (&first_page, "/api/atlas/v2/groups".to_owned(), true),
            (&first_page, "/api/oauth/revoke".to_owned(), false),
            (&first_page, "/api/atlas/v2".to_owned(), false),
            (&first_page, "/nowhere".to_owned(), false),
            (&fault(), "/nowhere".to_owned(), true),
        ] {
            assert_eq!(fault.matches(&request(&uri), true), expected, "{uri}");
        }
    }

    #[test]
    fn only_a_broken_connection_precedes_authentication_by_default() {
        for (fault, expected) in [
            (Fault::status(500), false),
            (Fault { before_auth: true, ..Fault::status(500) }, true),
            (Fault::new(Effect::Close), true),
            (Fault::new(Effect::Never), true),
        ] {
            assert_eq!(fault.matches(&request(PEERS), false), expected, "{fault:?}");
        }
    }

    #[test]
    fn a_fault_is_read_from_and_written_as_json() {
        let json = r#"{"times": 3, "delay": "2s", "effect": {"status": {"code": 503, "html": true}}}"#;
        let fault: Fault = serde_json::from_str(json).unwrap();
        let status = StatusFault { code: 503, html: true, ..StatusFault::default() };
        let expected =
            Fault { times: Some(3), delay: Some(Duration::from_secs(2)), ..Fault::new(Effect::Status(status)) };
        assert_eq!(fault, expected);
        assert_eq!(serde_json::from_str::<Fault>(&serde_json::to_string(&fault).unwrap()).unwrap(), expected);
        for (json, is_valid) in [
            (r#"{"effect": "close"}"#, true),
            (r#"{"effect": {"endless": {}}}"#, true),
            (r#"{"effect": {"oversize": 1000}}"#, true),
            (r#"{"effect": {"drip": "10ms"}}"#, true),
            (r#"{"effect": "boom"}"#, false),
            (r#"{"time": 1}"#, false),
            (r#"{"effect": {"status": {}}}"#, false),
            (r#"{"effect": {"status": {"code": 99}}}"#, false),
        ] {
            assert_eq!(serde_json::from_str::<Fault>(json).is_ok(), is_valid, "{json}");
        }
    }
}
