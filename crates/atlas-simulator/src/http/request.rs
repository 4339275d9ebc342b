//! A request of the API as the simulator understands it: route, query, credentials and form.

use hyper::{
    header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderName},
    http::request::Parts,
};

use super::{auth::PresentedCredentials, error::ApiError};
use crate::{endpoint::SimulatedEndpoint, scenario::provider::ScenarioProvider};

const FORM: &str = "application/x-www-form-urlencoded";

const MAX_ITEMS_PER_PAGE: u32 = 500;

/// A request of the API. It holds secrets, so it is not `Debug`.
pub(crate) struct ApiRequest {
    pub(crate) head: Parts,
    /// None for an unknown path.
    pub(crate) route: Option<Route>,
    /// The query as the endpoint understands it.
    pub(crate) parameters: Result<PageQuery, ApiError>,
    pub(crate) credentials: PresentedCredentials,
    /// Whether a form is expected and announced.
    pub(crate) has_form: bool,
    form: Vec<(String, String)>,
}

/// Where a path leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) endpoint: SimulatedEndpoint,
    /// v2 rather than v1.0 of the API.
    pub(crate) is_v2: bool,
    /// The ID of the group or organization in the path, or nothing.
    pub(crate) id: String,
}

/// The query parameters, with their defaults: how a response is formatted, and which page of a list it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PageQuery {
    pub(crate) pretty: bool,
    pub(crate) envelope: bool,
    pub(crate) page_num: u32,
    pub(crate) items_per_page: u32,
    pub(crate) include_count: bool,
    /// For peerings only, of which Atlas lists those of AWS by default.
    pub(crate) provider: Option<ScenarioProvider>,
    /// The prefix of the names, in any case. For the groups of an organization only.
    pub(crate) name: Option<String>,
}

impl ApiRequest {
    pub(crate) fn parse(head: Parts) -> ApiRequest {
        let route = Route::parse(head.uri.path());
        let endpoint = route.as_ref().map(|route| route.endpoint);
        ApiRequest {
            parameters: PageQuery::parse(endpoint, head.uri.query().unwrap_or_default()),
            credentials: PresentedCredentials::parse(header(&head, AUTHORIZATION).as_deref()),
            has_form: endpoint.is_some_and(SimulatedEndpoint::is_oauth)
                && header(&head, CONTENT_TYPE).is_some_and(|content_type| content_type.starts_with(FORM)),
            form: Vec::new(),
            route,
            head,
        }
    }

    pub(crate) fn path(&self) -> &str {
        self.head.uri.path()
    }

    pub(crate) fn header(&self, name: HeaderName) -> Option<String> {
        header(&self.head, name)
    }

    pub(crate) fn set_form(&mut self, body: &[u8]) {
        self.form = url::form_urlencoded::parse(body).into_owned().collect();
    }

    /// A field of the form. RFC 6749 forbids repeated fields, so these are none.
    pub(crate) fn form_field(&self, name: &str) -> Option<&str> {
        let mut values = self.form.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str());
        values.next().filter(|_| values.next().is_none())
    }

    pub(crate) fn endpoint(&self) -> Option<SimulatedEndpoint> {
        self.route.as_ref().map(|route| route.endpoint)
    }

    pub(crate) fn is_oauth(&self) -> bool {
        self.endpoint().is_some_and(SimulatedEndpoint::is_oauth)
    }

    /// The route, if it leads to a resource rather than to a token.
    pub(crate) fn resource(&self) -> Option<&Route> {
        self.route.as_ref().filter(|route| !route.endpoint.is_oauth())
    }

    /// The group in the path.
    pub(crate) fn group(&self) -> Option<&str> {
        use SimulatedEndpoint::{Containers, Group, Peers};
        let route = self.route.as_ref().filter(|route| matches!(route.endpoint, Group | Peers | Containers))?;
        Some(&route.id)
    }

    /// The query, if this is a valid request for a list.
    pub(crate) fn page_query(&self) -> Option<&PageQuery> {
        let is_list = self.endpoint().is_some_and(SimulatedEndpoint::is_list);
        self.parameters.as_ref().ok().filter(|_| is_list)
    }

    /// The content type of a success.
    pub(crate) fn content_type(&self) -> &'static str {
        match &self.route {
            Some(route) if route.is_v2 => "application/vnd.atlas.2023-01-01+json;charset=utf-8",
            _ => "application/json",
        }
    }

    pub(crate) fn accepts_gzip(&self) -> bool {
        self.header(ACCEPT_ENCODING).is_some_and(|codings| codings.contains("gzip"))
    }

    /// Whether `Accept` names a version date. Atlas resolves it to the newest version that is not later, and each
    /// resource has had one version since 2023.
    pub(crate) fn accepts_known_version(&self) -> bool {
        let accept = self.header(ACCEPT);
        let date = accept.as_ref().and_then(|accept| accept.strip_prefix("application/vnd.atlas."));
        date.and_then(|date| date.strip_suffix("+json"))
            .is_some_and(|date| date >= "2023" && humantime::parse_rfc3339(&format!("{date}T00:00:00Z")).is_ok())
    }
}

fn header(head: &Parts, name: HeaderName) -> Option<String> {
    Some(String::from_utf8_lossy(head.headers.get(name)?.as_bytes()).into_owned())
}

impl Route {
    fn parse(path: &str) -> Option<Route> {
        use SimulatedEndpoint::{Containers, Group, Groups, OrgGroups, Peers, Revoke, Root, Token};
        let segments: Vec<_> = path.split('/').skip(1).collect();
        let (endpoint, id) = match segments[..] {
            ["api", "oauth", "token"] => (Token, ""),
            ["api", "oauth", "revoke"] => (Revoke, ""),
            ["api", "atlas", "v2" | "v1.0", ref resource @ ..] => match *resource {
                [] => (Root, ""),
                ["groups"] => (Groups, ""),
                ["orgs", org, "groups"] => (OrgGroups, org),
                ["groups", group] => (Group, group),
                ["groups", group, "peers"] => (Peers, group),
                ["groups", group, "containers", "all"] => (Containers, group),
                _ => return None,
            },
            _ => return None,
        };
        Some(Route { endpoint, is_v2: segments[2] == "v2", id: id.to_owned() })
    }
}

impl PageQuery {
    /// Parses the parameters that the endpoint takes. Any other is an error.
    fn parse(endpoint: Option<SimulatedEndpoint>, text: &str) -> Result<PageQuery, ApiError> {
        let mut query = PageQuery {
            pretty: false,
            envelope: false,
            page_num: 1,
            items_per_page: 100,
            include_count: true,
            provider: (endpoint == Some(SimulatedEndpoint::Peers)).then_some(ScenarioProvider::Aws),
            name: (endpoint == Some(SimulatedEndpoint::OrgGroups)).then(String::new),
        };
        let is_list = endpoint.is_some_and(SimulatedEndpoint::is_list);
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            let invalid = || ApiError::query_parameter(&name);
            let flag = || value.parse().map_err(|_| invalid());
            let number = |max| value.parse().ok().filter(|number| (1..=max).contains(number)).ok_or_else(invalid);
            match name.as_ref() {
                "pretty" => query.pretty = flag()?,
                "envelope" => query.envelope = flag()?,
                "pageNum" if is_list => query.page_num = number(u32::MAX)?,
                "itemsPerPage" if is_list => query.items_per_page = number(MAX_ITEMS_PER_PAGE)?,
                "includeCount" if is_list => query.include_count = flag()?,
                "providerName" if query.provider.is_some() => {
                    let provider = ScenarioProvider::try_from(value.to_string());
                    query.provider = Some(provider.map_err(|_| ApiError::enum_value(&value))?);
                }
                "name" if query.name.is_some() => query.name = Some(value.into_owned()),
                _ => return Err(invalid()),
            }
        }
        Ok(query)
    }

    pub(crate) fn includes_name(&self, name: &str) -> bool {
        self.name.as_ref().is_none_or(|prefix| name.to_lowercase().starts_with(&prefix.to_lowercase()))
    }

    /// The part of a link that repeats the filter.
    pub(crate) fn filter_in_link(&self) -> String {
        let provider = self.provider.map(|provider| format!("&providerName={}", provider.name()));
        let name = self.name.as_ref().filter(|name| !name.is_empty()).map(|name| {
            let encoded: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
            format!("&name={encoded}")
        });
        provider.or(name).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use SimulatedEndpoint::{Containers, Group, Groups, OrgGroups, Peers, Root};

    use super::*;

    #[test]
    fn a_version_date_from_2023_on_is_known() {
        for (accept, expected) in [
            ("application/vnd.atlas.2023-01-01+json", true),
            ("application/vnd.atlas.2025-03-12+json", true),
            ("application/vnd.atlas.2022-12-31+json", false),
            ("application/vnd.atlas.2023-13-01+json", false),
            ("application/vnd.atlas.latest+json", false),
            ("application/json", false),
        ] {
            let request = hyper::Request::get("/").header("accept", accept).body(()).unwrap();
            assert_eq!(ApiRequest::parse(request.into_parts().0).accepts_known_version(), expected, "{accept}");
        }
    }

    #[test]
    fn a_name_is_a_prefix_in_any_case() {
        let query = PageQuery::parse(Some(OrgGroups), "name=%C3%89t%20").unwrap();
        assert!(
            query.includes_name("\u{e9}T eins") && !query.includes_name("et eins") && !query.includes_name("\u{e9}t")
        );
        assert_eq!(query.filter_in_link(), "&name=%C3%89t+");
    }

    #[test]
    fn invalid_and_unknown_parameters_are_rejected() {
        for (endpoint, texts) in [
            (Peers, "pageNum=0 pageNum=x itemsPerPage=0 itemsPerPage=501 includeCount=1 envelope=yes page=1 name=a"),
            (Groups, "name=a providerName=AWS"),
            (Containers, "providerName=AWS"),
            (Group, "pageNum=1 providerName=AWS pretty=1"),
            (Root, "includeCount=true"),
        ] {
            for text in texts.split(' ') {
                let error = PageQuery::parse(Some(endpoint), text).unwrap_err();
                assert!(format!("{error:?}").contains("INVALID_QUERY_PARAMETER"), "{endpoint:?} {text}");
            }
        }
    }
}
