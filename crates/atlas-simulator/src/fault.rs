//! What can be made to go wrong, for which requests and how often.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Effect, Endpoint, Provider, StatusFault, asked::Asked, period};

/// Something that goes wrong with the requests it matches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// Only for this endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Endpoint>,
    /// Only for this group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Only for lists of the peerings of this provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// Only for this page of any list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// For so many requests; without it until it is cleared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// Also for requests without accepted credentials, and counted for them.
    pub before_auth: bool,
    /// How much later the answer comes.
    #[serde(with = "period::optional", skip_serializing_if = "Option::is_none")]
    pub delay: Option<Duration>,
    /// What happens instead of the usual answer; without it there is only the delay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
}

impl Fault {
    /// A fault for every request until it is cleared.
    #[must_use]
    pub fn new(effect: Effect) -> Fault {
        Fault { effect: Some(effect), ..Fault::default() }
    }

    /// A fault that answers every request with this status and its usual error.
    #[must_use]
    pub fn status(code: u16) -> Fault {
        Fault::new(Effect::Status(StatusFault { code, ..StatusFault::default() }))
    }

    /// What is missing for it to do anything at all.
    pub(super) fn lacks(&self) -> Option<&'static str> {
        match (&self.effect, self.delay, self.times) {
            (None, None, _) => Some("a fault needs an `effect`, a `delay` or both"),
            (_, _, Some(0)) => Some("`times` must be at least 1"),
            _ => None,
        }
    }

    fn matches(&self, asked: &Asked, authenticated: bool) -> bool {
        // A connection that dies does not wait for credentials.
        let at_once = self.before_auth || matches!(self.effect, Some(Effect::Close | Effect::Never));
        let part = asked.part();
        let provider = part.and_then(|part| part.filter.provider());
        (authenticated || at_once)
            && self.group.as_deref().is_none_or(|group| asked.group() == Some(group))
            && self.endpoint.is_none_or(|endpoint| asked.route.endpoint() == Some(endpoint))
            && self.provider.is_none_or(|wanted| provider == Some(wanted))
            && self.page.is_none_or(|page| part.is_some_and(|part| part.page_num == page))
    }
}

/// The faults that are set, in the order they were.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn set(&mut self, fault: Fault) {
        if fault.times != Some(0) {
            self.0.push(fault);
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn all(&self) -> &[Fault] {
        &self.0
    }

    /// The newest fault for this request, once less from now on.
    pub(super) fn take(&mut self, asked: &Asked, authenticated: bool) -> Option<Fault> {
        let index = self.0.iter().rposition(|fault| fault.matches(asked, authenticated))?;
        let fault = self.0[index].clone();
        match &mut self.0[index].times {
            Some(1) => drop(self.0.remove(index)),
            Some(times) => *times -= 1,
            None => {}
        }
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Asked {
        let uri = format!("/api/atlas/v2/groups/5f3a556351db42631e16f301/peers?{query}");
        Asked::read(&hyper::Request::get(uri).body(()).unwrap())
    }

    #[test]
    fn a_fault_ends_after_its_times() {
        let mut faults = Faults::default();
        faults.set(Fault { times: Some(2), ..Fault::status(500) });
        let taken = (0..3).filter(|_| faults.take(&asked(""), true).is_some()).count();
        assert_eq!(taken, 2);
        assert!(faults.all().is_empty());
    }

    #[test]
    fn the_newest_fault_that_matches_wins_until_it_ends() {
        let mut faults = Faults::default();
        faults.set(Fault::status(500));
        faults.set(Fault { times: Some(1), ..Fault::status(503) });
        faults.set(Fault { provider: Some(Provider::Gcp), ..Fault::status(404) });
        let mut taken = || faults.take(&asked(""), true);
        assert_eq!(taken(), Some(Fault { times: Some(1), ..Fault::status(503) }));
        assert_eq!(taken(), Some(Fault::status(500)));
    }

    #[test]
    fn a_fault_without_consequences_is_told_from_others() {
        let delay = Fault { delay: Some(Duration::ZERO), ..Fault::default() };
        assert!(Fault::default().lacks().is_some_and(|sentence| sentence.contains("`effect`")));
        assert!(Fault { times: Some(0), ..Fault::status(500) }.lacks().is_some());
        assert!(delay.lacks().is_none() && Fault::status(500).lacks().is_none());
    }

    #[test]
    fn a_fault_hits_only_its_group_provider_and_page() {
        let mut faults = Faults::default();
        faults.set(Fault {
            group: Some("5f3a556351db42631e16f301".to_owned()),
            provider: Some(Provider::Gcp),
            page: Some(2),
            ..Fault::status(500)
        });
        for query in ["providerName=GCP", "pageNum=2", "providerName=GCP&pageNum=x"] {
            assert_eq!(faults.take(&asked(query), true), None, "{query}");
        }
        assert!(faults.take(&asked("providerName=GCP&pageNum=2"), true).is_some());
    }

    #[test]
    fn a_fault_hits_only_its_endpoint_and_any_list_has_pages() {
        let asked = |path: &str| Asked::read(&hyper::Request::get(path).body(()).unwrap());
        let hits = |fault: Fault, path| fault.matches(&asked(path), true);
        let groups = || Fault { endpoint: Some(Endpoint::Groups), page: Some(2), ..Fault::status(500) };
        assert!(hits(groups(), "/api/atlas/v2/groups?pageNum=2"));
        assert!(!hits(groups(), "/api/atlas/v2/groups"));
        assert!(!hits(groups(), "/api/atlas/v2/orgs/5f3a556351db42631e16f301/groups?pageNum=2"));
        assert!(hits(Fault { endpoint: Some(Endpoint::Token), ..Fault::status(500) }, "/api/oauth/token"));
        for path in ["/api/oauth/revoke", "/api/atlas/v2", "/nowhere"] {
            assert!(hits(Fault::status(500), path) && !hits(Fault { page: Some(1), ..Fault::status(500) }, path));
        }
    }

    #[test]
    fn only_a_dying_connection_does_not_wait_for_credentials() {
        let hits = |fault: Fault| fault.matches(&asked(""), false);
        assert!(!hits(Fault::status(500)));
        assert!(hits(Fault { before_auth: true, ..Fault::status(500) }));
        assert!(hits(Fault::new(Effect::Close)));
        assert!(hits(Fault::new(Effect::Never)));
    }

    #[test]
    fn a_fault_is_written_as_json() {
        let json = r#"{"times": 3, "delay": "2s", "effect": {"status": {"code": 503, "html": true}}}"#;
        let fault: Fault = serde_json::from_str(json).unwrap();
        let status = StatusFault { code: 503, html: true, ..StatusFault::default() };
        let expected =
            Fault { times: Some(3), delay: Some(Duration::from_secs(2)), ..Fault::new(Effect::Status(status)) };
        assert_eq!(fault, expected);
        let again: Fault = serde_json::from_str(&serde_json::to_string(&fault).unwrap()).unwrap();
        assert_eq!(again, expected);
        for json in [
            r#"{"effect": "close"}"#,
            r#"{"effect": {"endless": {}}}"#,
            r#"{"effect": {"oversize": 1000}}"#,
            r#"{"effect": {"drip": "10ms"}}"#,
        ] {
            assert!(serde_json::from_str::<Fault>(json).is_ok(), "{json}");
        }
        for json in [
            r#"{"effect": "boom"}"#,
            r#"{"time": 1}"#,
            r#"{"effect": {"status": {}}}"#,
            r#"{"effect": {"status": {"code": 99}}}"#,
        ] {
            assert!(serde_json::from_str::<Fault>(json).is_err(), "{json}");
        }
    }
}
