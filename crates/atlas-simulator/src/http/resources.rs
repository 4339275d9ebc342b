//! The resources of the API: what they check, in the order of the real one, and what they respond.

use std::time::Instant;

use hyper::{Method, header::ACCEPT};
use serde_json::{Value, json};

use super::{
    body::ApiResponse,
    error::ApiError,
    paging::{HOST, Page},
    request::{ApiRequest, PageQuery, Route},
};
use crate::{
    caller::Caller,
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

/// The response to a request with accepted credentials.
pub(crate) fn respond(
    state: &mut State,
    request: &ApiRequest,
    caller: &Caller,
    endless: Option<Endless>,
) -> ApiResponse {
    let response = allowed(state, request).and_then(|route| limited(state, request, route, caller, endless));
    response.unwrap_or_else(ApiError::into_response)
}

/// The route, unless the request is rejected regardless of the resource.
fn allowed<'a>(state: &State, request: &'a ApiRequest) -> Result<&'a Route, ApiError> {
    if state.settings.access_list == AccessList::Deny {
        return Err(ApiError::address_not_allowed());
    }
    let route = request.resource().ok_or_else(|| ApiError::resource_not_found(request.path()))?;
    if request.head.method != Method::GET {
        return Err(ApiError::method_not_allowed(request.head.method.as_str()));
    }
    if route.is_v2 && !request.accepts_known_version() {
        return Err(ApiError::version_date(&request.header(ACCEPT).unwrap_or_default()));
    }
    Ok(route)
}

/// Responds and counts against the rate limit. What the caller cannot see does not count.
fn limited(
    state: &mut State,
    request: &ApiRequest,
    route: &Route,
    caller: &Caller,
    endless: Option<Endless>,
) -> Result<ApiResponse, ApiError> {
    if request.group().is_some() {
        find_group(state, request, route)?;
    } else if route.endpoint == SimulatedEndpoint::OrgGroups {
        find_org(state, request, route)?;
    }
    let limit = rate_limits::limit(&state.settings, Some(route.endpoint));
    let remaining = match state.rate_limits.take(route, caller, limit, Instant::now()) {
        Ok(remaining) => remaining,
        Err(retry_after) => {
            let response = ApiError::rate_limited(request.path(), retry_after, limit).into_response();
            return Ok(with_rate_limit(response.with("retry-after", retry_after.to_string()), limit, 0));
        }
    };
    let response = match &request.parameters {
        Err(error) => error.clone().into_response(),
        Ok(query) => {
            let body = content(state, request, route, query, caller, endless)?;
            let body = if query.pretty { format!("{body:#}") } else { body.to_string() };
            ApiResponse::from_resource(200, request.content_type(), body)
        }
    };
    Ok(with_rate_limit(response, limit, remaining))
}

/// Adds the headers that show how full the bucket is.
pub(crate) fn with_rate_limit(response: ApiResponse, limit: RateLimitSettings, remaining: u64) -> ApiResponse {
    response.with("ratelimit-limit", limit.capacity.to_string()).with("ratelimit-remaining", remaining.to_string())
}

fn find_org(state: &State, request: &ApiRequest, route: &Route) -> Result<(), ApiError> {
    let id = &route.id;
    if !groups::is_object_id(id) {
        return Err(ApiError::malformed_path(request.path()));
    }
    let mut orgs = state.groups.iter().map(|group| state.org_of(group));
    if state.settings.org_id == *id || orgs.any(|org| org == id) { Ok(()) } else { Err(ApiError::cannot_access_org()) }
}

fn find_group<'a>(state: &'a State, request: &ApiRequest, route: &Route) -> Result<&'a ScenarioGroup, ApiError> {
    if !groups::is_object_id(&route.id) {
        return Err(ApiError::malformed_path(request.path()));
    }
    match state.groups.get(&route.id) {
        None => Err(ApiError::group_not_found(&route.id)),
        Some(group) if !group.access => Err(ApiError::not_in_group()),
        Some(group) => Ok(group),
    }
}

fn content(
    state: &State,
    request: &ApiRequest,
    route: &Route,
    query: &PageQuery,
    caller: &Caller,
    endless: Option<Endless>,
) -> Result<Value, ApiError> {
    let page = Page { path: request.path(), query, count_error: state.settings.count_error, endless };
    let nulls = state.settings.nulls;
    let body = match route.endpoint {
        SimulatedEndpoint::Groups => groups_page(state, route, &page, |_| true),
        SimulatedEndpoint::OrgGroups => groups_page(state, route, &page, |group| state.org_of(group) == route.id),
        SimulatedEndpoint::Peers => {
            let dialect = Dialect { nulls, provider_name: route.is_v2 };
            let provider = query.provider.unwrap_or(ScenarioProvider::Aws);
            let peerings = find_group(state, request, route)?.peerings.iter();
            let peerings: Vec<_> = peerings.filter(|peering| peering.provider == provider).collect();
            let new =
                |id| ScenarioPeering { id: Some(id), ..ScenarioPeering::new(provider, "AVAILABLE") }.body(dialect);
            page.body(&peerings, |peering| peering.body(dialect), new)
        }
        SimulatedEndpoint::Containers => {
            let containers = &find_group(state, request, route)?.containers;
            let new =
                |id| ScenarioContainer { id: Some(id), ..ScenarioContainer::new(ScenarioProvider::Aws) }.body(nulls);
            page.body(containers, |container| container.body(nulls), new)
        }
        SimulatedEndpoint::Group => single(query, group_body(state, find_group(state, request, route)?, route)),
        SimulatedEndpoint::Root | SimulatedEndpoint::Token | SimulatedEndpoint::Revoke => {
            single(query, root(state, caller))
        }
    };
    Ok(body)
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
fn groups_page(state: &State, route: &Route, page: &Page<'_>, included: impl Fn(&ScenarioGroup) -> bool) -> Value {
    let visible = |group: &&ScenarioGroup| group.access && included(group) && page.query.includes_name(&group.name);
    let list: Vec<_> = state.groups.iter().filter(visible).collect();
    let body = |group: &ScenarioGroup| group_body(state, group, route);
    page.body(&list, |group| body(group), |id| body(&ScenarioGroup::new(&id, &id, Vec::new())))
}

fn group_body(state: &State, group: &ScenarioGroup, route: &Route) -> Value {
    let version = if route.is_v2 { "v2" } else { "v1.0" };
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
