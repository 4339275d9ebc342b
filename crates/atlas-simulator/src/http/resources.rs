//! The resources of the API: what they check, in the order of the real one, and what they respond.

use std::time::Instant;

use axum::http::{Method, header::ACCEPT};
use serde_json::{Value, json};

use super::{
    auth::Caller,
    body::ApiResponse,
    error::ApiError,
    paging::{HOST, Page},
    request::{ApiRequest, PageQuery},
};
use crate::{
    endpoint::SimulatedEndpoint,
    fault::Endless,
    scenario::{
        container::ScenarioContainer,
        group::ScenarioGroup,
        peering::{Dialect, ScenarioPeering},
        provider::ScenarioProvider,
        settings::{AccessList, RateLimitSettings},
    },
    state::{State, groups, rate_limits},
};

/// The ID of any API key.
const KEY_ID: &str = "5f0000000000000000000003";

/// A hash of the kind that is recorded.
const BUILD: &str = "0123456789abcdef0123456789abcdef01234567";

/// The response to a request with accepted credentials. The errors are those that do not count against the rate limit.
pub(crate) fn respond(
    state: &mut State,
    request: &ApiRequest,
    caller: &Caller,
    endless: Option<Endless>,
) -> Result<ApiResponse, ApiError> {
    check(state, request)?;
    let group = visible_group(state, request)?;
    let response = match &request.query {
        Err(error) => error.clone().into(),
        Ok(query) => {
            let page = Page { path: request.path(), query, count_error: state.settings.count_error, endless };
            let body = content(state, request, group, &page, caller);
            let body = if query.pretty { format!("{body:#}") } else { body.to_string() };
            ApiResponse::from_resource(200, request.content_type(), body)
        }
    };
    let limit = rate_limits::limit(&state.settings, request.endpoint);
    Ok(match state.rate_limits.take(request, caller, limit, Instant::now()) {
        Ok(remaining) => with_rate_limit(response, limit, remaining),
        Err(retry_after) => {
            let response = ApiResponse::from(ApiError::rate_limited(request.path(), retry_after, limit));
            with_rate_limit(response.with("retry-after", &retry_after.to_string()), limit, 0)
        }
    })
}

/// Rejects a request regardless of what it asks for.
fn check(state: &State, request: &ApiRequest) -> Result<(), ApiError> {
    if state.settings.access_list == AccessList::Deny {
        return Err(ApiError::address_not_allowed());
    }
    if request.endpoint == SimulatedEndpoint::Unknown {
        return Err(ApiError::ResourceNotFound(request.path().to_owned()));
    }
    if request.head.method != Method::GET {
        return Err(ApiError::MethodNotAllowed(request.head.method.to_string()));
    }
    if request.is_v2 && !request.accepts_known_version() {
        return Err(ApiError::InvalidVersionDate(request.header(ACCEPT).unwrap_or_default()));
    }
    Ok(())
}

/// The group in the path, if there is one. A group or organization that the caller cannot see is an error.
fn visible_group<'a>(state: &'a State, request: &ApiRequest) -> Result<Option<&'a ScenarioGroup>, ApiError> {
    let (id, is_org) = (&request.id, request.endpoint == SimulatedEndpoint::OrgGroups);
    if request.group().is_none() && !is_org {
        return Ok(None);
    }
    if !groups::is_object_id(id) {
        return Err(ApiError::PathParamParseError(request.path().to_owned()));
    }
    if is_org {
        let is_known = state.settings.org_id == *id || state.groups.iter().any(|group| state.org_of(group) == id);
        return if is_known { Ok(None) } else { Err(ApiError::UserCannotAccessOrg) };
    }
    match state.groups.get(id) {
        None => Err(ApiError::GroupNotFound(id.clone())),
        Some(group) if !group.access => Err(ApiError::NotInGroup),
        group => Ok(group),
    }
}

/// Adds the headers that show how full the bucket is.
pub(crate) fn with_rate_limit(response: ApiResponse, limit: RateLimitSettings, remaining: u64) -> ApiResponse {
    let response = response.with("ratelimit-limit", &limit.capacity.to_string());
    response.with("ratelimit-remaining", &remaining.to_string())
}

fn content(
    state: &State,
    request: &ApiRequest,
    group: Option<&ScenarioGroup>,
    page: &Page<'_>,
    caller: &Caller,
) -> Value {
    let nulls = state.settings.nulls;
    match (request.endpoint, group) {
        (SimulatedEndpoint::Groups, _) => groups_page(state, request, page, |_| true),
        (SimulatedEndpoint::OrgGroups, _) => {
            groups_page(state, request, page, |group| state.org_of(group) == request.id)
        }
        (SimulatedEndpoint::Peers, Some(group)) => {
            let dialect = Dialect { nulls, provider_name: request.is_v2 };
            let provider = page.query.provider.unwrap_or(ScenarioProvider::Aws);
            let peerings: Vec<_> = group.peerings.iter().filter(|peering| peering.provider == provider).collect();
            let new =
                |id| ScenarioPeering { id: Some(id), ..ScenarioPeering::new(provider, "AVAILABLE") }.body(dialect);
            page.body(&peerings, |peering| peering.body(dialect), new)
        }
        (SimulatedEndpoint::Containers, Some(group)) => {
            let new =
                |id| ScenarioContainer { id: Some(id), ..ScenarioContainer::new(ScenarioProvider::Aws) }.body(nulls);
            page.body(&group.containers, |container| container.body(nulls), new)
        }
        (_, Some(group)) => single(page.query, group_body(state, group, request)),
        _ => single(page.query, root(state, caller)),
    }
}

/// The body of a response that is not a list.
fn single(query: &PageQuery, body: Value) -> Value {
    if query.envelope { json!({"status": 200, "content": body}) } else { body }
}

fn root(state: &State, caller: &Caller) -> Value {
    let key = match caller {
        Caller::ServiceAccount(_) => Value::Null,
        Caller::ApiKey(public_key) => json!({
            "accessList": [],
            "id": KEY_ID,
            "publicKey": public_key,
            "roles": [{"orgId": state.settings.org_id, "roleName": "ORG_READ_ONLY"}],
        }),
    };
    json!({"apiKey": key, "appName": "MongoDB Atlas", "build": BUILD, "links": [], "throttling": false})
}

/// The groups that the caller can see, as far as they are included.
fn groups_page(
    state: &State,
    request: &ApiRequest,
    page: &Page<'_>,
    included: impl Fn(&ScenarioGroup) -> bool,
) -> Value {
    let visible = |group: &&ScenarioGroup| group.access && included(group) && page.query.includes_name(&group.name);
    let list: Vec<_> = state.groups.iter().filter(visible).collect();
    let body = |group: &ScenarioGroup| group_body(state, group, request);
    page.body(&list, |group| body(group), |id| body(&ScenarioGroup::new(&id, &id, Vec::new())))
}

fn group_body(state: &State, group: &ScenarioGroup, request: &ApiRequest) -> Value {
    let version = if request.is_v2 { "v2" } else { "v1.0" };
    let tags: Vec<_> = group.tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
    json!({
        "clusterCount": 0,
        "created": "2024-01-01T00:00:00Z",
        "id": group.id,
        "links": [{"href": format!("{HOST}/api/atlas/{version}/groups/{}", group.id), "rel": "self"}],
        "name": group.name,
        "orgId": state.org_of(group),
        "tags": tags,
        "withDefaultAlertsSettings": true,
    })
}
