//! The usual answer to a request with good credentials: the checks in the order of the real API.

use std::time::Instant;

use super::{
    AccessList, RateLimit,
    answer::Answer,
    api_error::ApiError,
    asked::Asked,
    bucket::Exceeded,
    buckets::{self, Scope},
    caller::Caller,
    content,
    inhabited::Inhabited,
    object_id,
    page::Endless,
    route::{Resource, Route},
    state::State,
};

const V2: &str = "application/vnd.atlas.2023-01-01+json;charset=utf-8";

pub(super) fn answer(
    state: &mut State,
    asked: &Asked,
    caller: &Caller,
    endless: Option<Endless>,
    now: Instant,
) -> Answer {
    let answer = allowed(state, asked).and_then(|resource| metered(state, asked, resource, caller, endless, now));
    answer.unwrap_or_else(ApiError::into_answer)
}

/// The content type of a success.
pub(super) fn content_type(asked: &Asked) -> &'static str {
    if asked.route.is_v2() { V2 } else { "application/json" }
}

/// The resource, unless the request is refused without looking at it.
fn allowed<'a>(state: &State, asked: &'a Asked) -> Result<&'a Resource, ApiError> {
    if state.settings.access_list == AccessList::Deny {
        return Err(ApiError::address_not_allowed());
    }
    match &asked.route {
        Route::Resource { .. } if asked.method != "GET" => Err(ApiError::method_not_allowed(&asked.method)),
        Route::Resource { v2: true, .. } if !asked.accepts_known_version() => {
            Err(ApiError::version_date(asked.accept.as_deref().unwrap_or_default()))
        }
        Route::Resource { resource, .. } => Ok(resource),
        Route::Token | Route::Revoke | Route::Unknown => Err(ApiError::resource_not_found(&asked.path)),
    }
}

/// Answers for a token of the bucket; what the caller cannot see costs none.
fn metered(
    state: &mut State,
    asked: &Asked,
    resource: &Resource,
    caller: &Caller,
    endless: Option<Endless>,
    now: Instant,
) -> Result<Answer, ApiError> {
    visible(state, asked, resource)?;
    let limit = buckets::limit(&state.settings, resource);
    let left = match state.buckets.take(Scope::of(resource, caller), limit, now) {
        Ok(left) => left,
        Err(Exceeded { retry_after }) => {
            let answer = ApiError::rate_limited(&asked.path, retry_after, limit).into_answer();
            return Ok(counted(answer.with("retry-after", retry_after.to_string()), limit, 0));
        }
    };
    let answer = match &asked.parameters {
        Err(error) => error.clone().into_answer(),
        Ok(query) => content::answer(state, asked, query, resource, caller, endless)?,
    };
    Ok(counted(answer, limit, left))
}

fn visible(state: &State, asked: &Asked, resource: &Resource) -> Result<(), ApiError> {
    match resource {
        Resource::Root | Resource::Groups => Ok(()),
        Resource::OrgGroups { org } => find_org(state, asked, org),
        Resource::Group { group } | Resource::Peers { group } | Resource::Containers { group } => {
            find_group(state, asked, group).map(drop)
        }
    }
}

fn find_org(state: &State, asked: &Asked, id: &str) -> Result<(), ApiError> {
    if !object_id::is_valid(id) {
        return Err(ApiError::malformed_path(&asked.path));
    }
    let known = state.settings.org_id == id || state.groups.iter().any(|group| group.org_id.as_deref() == Some(id));
    if known { Ok(()) } else { Err(ApiError::cannot_access_org()) }
}

pub(super) fn find_group<'a>(state: &'a State, asked: &Asked, id: &str) -> Result<&'a Inhabited, ApiError> {
    if !object_id::is_valid(id) {
        return Err(ApiError::malformed_path(&asked.path));
    }
    match state.groups.get(id) {
        None => Err(ApiError::group_not_found(id)),
        Some(group) if !group.access => Err(ApiError::not_in_group()),
        Some(group) => Ok(group),
    }
}

/// The same with the headers that say how full the bucket is.
pub(super) fn counted(answer: Answer, limit: RateLimit, left: u64) -> Answer {
    answer.with("ratelimit-limit", limit.capacity.to_string()).with("ratelimit-remaining", left.to_string())
}
