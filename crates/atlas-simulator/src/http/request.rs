//! A request of the API as the simulator understands it: endpoint, query, credentials and form.

use axum::{
    body::{Bytes, to_bytes},
    extract::Request,
    http::{
        header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderName},
        request::Parts,
    },
};
use url::form_urlencoded;

use super::{auth::PresentedCredentials, error::ApiError};
use crate::{endpoint::SimulatedEndpoint, scenario::provider::ScenarioProvider};

const FORM: &str = "application/x-www-form-urlencoded";

/// Many times what the fields of a token endpoint need.
const MAX_FORM: usize = 16 * 1024;

const MAX_ITEMS_PER_PAGE: u32 = 500;

/// A request of the API. It holds secrets, so it is not `Debug`.
pub(crate) struct ApiRequest {
    pub(crate) head: Parts,
    pub(crate) endpoint: SimulatedEndpoint,
    /// v2 rather than v1.0 of the API.
    pub(crate) is_v2: bool,
    /// The ID of the group or organization in the path, or nothing.
    pub(crate) id: String,
    /// The query as the endpoint understands it.
    pub(crate) query: Result<PageQuery, ApiError>,
    pub(crate) credentials: PresentedCredentials,
    form: Bytes,
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
    /// Reads the form too if one is expected and announced. A form that is too long or breaks off is empty.
    pub(crate) async fn read(request: Request) -> ApiRequest {
        let (head, body) = request.into_parts();
        let mut request = ApiRequest::parse(head);
        let has_form = request.header(CONTENT_TYPE).is_some_and(|content_type| content_type.starts_with(FORM));
        if request.endpoint.is_oauth() && has_form {
            request.form = to_bytes(body, MAX_FORM).await.unwrap_or_default();
        }
        request
    }

    /// A request without a form.
    pub(crate) fn parse(head: Parts) -> ApiRequest {
        let (endpoint, is_v2, id) = route(head.uri.path());
        ApiRequest {
            endpoint,
            is_v2,
            id: id.to_owned(),
            query: PageQuery::parse(endpoint, head.uri.query().unwrap_or_default()),
            credentials: PresentedCredentials::parse(header(&head, AUTHORIZATION).as_deref()),
            form: Bytes::new(),
            head,
        }
    }

    pub(crate) fn path(&self) -> &str {
        self.head.uri.path()
    }

    pub(crate) fn header(&self, name: HeaderName) -> Option<String> {
        header(&self.head, name)
    }

    /// A field of the form. RFC 6749 forbids repeated fields, so these are none.
    pub(crate) fn form_field(&self, name: &str) -> Option<String> {
        let mut values = form_urlencoded::parse(&self.form).filter(|(field, _)| field == name);
        let (_, value) = values.next()?;
        values.next().is_none().then(|| value.into_owned())
    }

    /// The group in the path.
    pub(crate) fn group(&self) -> Option<&str> {
        use SimulatedEndpoint::{Containers, Group, Peers};
        matches!(self.endpoint, Group | Peers | Containers).then_some(&self.id)
    }

    /// The query, if this is a valid request for a list.
    pub(crate) fn page_query(&self) -> Option<&PageQuery> {
        self.query.as_ref().ok().filter(|_| self.endpoint.is_list())
    }

    /// The content type of a success.
    pub(crate) fn content_type(&self) -> &'static str {
        if self.is_v2 { "application/vnd.atlas.2023-01-01+json;charset=utf-8" } else { "application/json" }
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

/// The endpoint of a path, whether it is one of v2, and the ID in the path. Not a route of axum: faults, the request
/// log and the need for credentials also apply to unknown paths.
fn route(path: &str) -> (SimulatedEndpoint, bool, &str) {
    use SimulatedEndpoint::{Containers, Group, Groups, OrgGroups, Peers, Revoke, Root, Token, Unknown};
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
            _ => (Unknown, ""),
        },
        _ => (Unknown, ""),
    };
    (endpoint, segments.get(2) == Some(&"v2"), id)
}

impl PageQuery {
    /// Parses the parameters that the endpoint takes. Any other is an error.
    fn parse(endpoint: SimulatedEndpoint, text: &str) -> Result<PageQuery, ApiError> {
        let mut query = PageQuery {
            pretty: false,
            envelope: false,
            page_num: 1,
            items_per_page: 100,
            include_count: true,
            provider: (endpoint == SimulatedEndpoint::Peers).then_some(ScenarioProvider::Aws),
            name: (endpoint == SimulatedEndpoint::OrgGroups).then(String::new),
        };
        let is_list = endpoint.is_list();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            let invalid = || ApiError::InvalidQueryParameter(name.to_string());
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
                    query.provider = Some(provider.map_err(|_| ApiError::InvalidEnumValue(value.into()))?);
                }
                "name" if query.name.is_some() => query.name = Some(value.into()),
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
            let encoded: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
            format!("&name={encoded}")
        });
        provider.or(name).unwrap_or_default()
    }
}
