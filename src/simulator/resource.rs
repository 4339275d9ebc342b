//! The usual answer to a request with good credentials: the checks in the order of the real API.

use std::time::Instant;

use serde_json::{Value, json};

use super::{
    AccessList, Peering, RateLimit,
    answer::Answer,
    api_error::ApiError,
    asked::{Asked, Route},
    bucket::{Bucket, Exceeded},
    groups::{Inhabited, Placed},
    handle::State,
    object_id,
    page::Page,
    peering::Shape,
    query::Query,
};

const V2: &str = "application/vnd.atlas.2023-01-01+json;charset=utf-8";

/// What the reference says of `GET /groups/{id}`, which no scenario changes.
const GROUP_LIMIT: RateLimit = RateLimit { capacity: 1200, refill_per_minute: 500 };

/// A list that never ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endless {
    /// Every page has the results of the first.
    Same,
    /// Every page has results that were never seen.
    Fresh,
}

pub(super) fn answer(state: &mut State, asked: &Asked, endless: Option<Endless>, now: Instant) -> Answer {
    let answer = allowed(state, asked).and_then(|()| match asked.group() {
        Some(group) => metered(state, asked, group, endless, now),
        None => Err(ApiError::resource_not_found(&asked.path)),
    });
    answer.unwrap_or_else(ApiError::into_answer)
}

/// The content type of a success.
pub(super) fn content_type(asked: &Asked) -> &'static str {
    if asked.is_v2() { V2 } else { "application/json" }
}

/// Everything that is refused without looking at the resource.
fn allowed(state: &State, asked: &Asked) -> Result<(), ApiError> {
    if state.settings.access_list == AccessList::Deny {
        return Err(ApiError::address_not_allowed());
    }
    match &asked.route {
        Route::Unknown => Err(ApiError::resource_not_found(&asked.path)),
        _ if asked.method != "GET" => Err(ApiError::method_not_allowed(&asked.method)),
        _ if asked.is_v2() && !asked.accepts_known_version() => {
            Err(ApiError::version_date(asked.accept.as_deref().unwrap_or_default()))
        }
        _ => Ok(()),
    }
}

fn find<'a>(state: &'a State, asked: &Asked, id: &str) -> Result<&'a Inhabited, ApiError> {
    if !object_id::is_valid(id) {
        return Err(ApiError::malformed_path(&asked.path));
    }
    match state.groups.get(id) {
        None => Err(ApiError::group_not_found(id)),
        Some(group) if !group.access => Err(ApiError::not_in_group()),
        Some(group) => Ok(group),
    }
}

/// Answers for a token of the group's bucket.
fn metered(
    state: &mut State,
    asked: &Asked,
    id: &str,
    endless: Option<Endless>,
    now: Instant,
) -> Result<Answer, ApiError> {
    find(state, asked, id)?;
    let limit = limit(state, asked);
    let buckets = if asked.is_listing() { &mut state.buckets } else { &mut state.group_buckets };
    let bucket = buckets.entry(id.to_owned()).or_insert_with(|| Bucket::full(limit, now));
    let left = match bucket.take(now) {
        Ok(left) => left,
        Err(Exceeded { retry_after }) => {
            let answer = ApiError::rate_limited(&asked.path, retry_after, limit).into_answer();
            return Ok(counted(answer.with("retry-after", retry_after.to_string()), limit, 0));
        }
    };
    let group = find(state, asked, id)?;
    let answer = match &asked.parameters {
        Err(error) => error.clone().into_answer(),
        Ok(query) if asked.is_listing() => page(state, asked, *query, group, endless).into_answer(),
        Ok(query) => group_answer(state, asked, *query, group),
    };
    Ok(counted(answer, limit, left))
}

/// The size of the bucket that a request takes its token from.
pub(super) fn limit(state: &State, asked: &Asked) -> RateLimit {
    match asked.route {
        Route::Group { .. } => GROUP_LIMIT,
        Route::Peers { .. } | Route::Unknown => state.settings.rate_limit,
    }
}

/// The same with the headers that say how full the bucket is.
pub(super) fn counted(answer: Answer, limit: RateLimit, left: u64) -> Answer {
    answer.with("ratelimit-limit", limit.capacity.to_string()).with("ratelimit-remaining", left.to_string())
}

fn page<'a>(state: &State, asked: &'a Asked, query: Query, group: &Inhabited, endless: Option<Endless>) -> Page<'a> {
    let shape = Shape { nulls: state.settings.nulls, provider_name: asked.is_v2() };
    let wanted = |placed: &&Placed| placed.peering.provider == query.provider;
    let all: Vec<_> = group.peerings.iter().filter(wanted).collect();
    let size = query.items_per_page as usize;
    let before = match endless {
        Some(Endless::Same) => 0,
        _ => (query.page_num as usize - 1).saturating_mul(size),
    };
    let shown = all.iter().skip(before).take(size);
    let results = match endless {
        Some(Endless::Fresh) => fresh(query, shape),
        _ => shown.map(|placed| placed.peering.body(&placed.id, shape)).collect(),
    };
    let count = i64::try_from(all.len()).unwrap_or(i64::MAX);
    Page {
        path: &asked.path,
        query,
        results,
        total_count: count.saturating_add(state.settings.count_error).max(0),
        has_next: endless.is_some() || before.saturating_add(size) < all.len(),
        content_type: content_type(asked),
    }
}

/// A full page of peerings that are on no other page.
fn fresh(query: Query, shape: Shape) -> Vec<Value> {
    let peering = Peering::new(query.provider, "AVAILABLE");
    let ids = (0..query.items_per_page).map(|item| format!("{:016x}{item:08x}", query.page_num));
    ids.map(|id| peering.body(&id, shape)).collect()
}

fn group_answer(state: &State, asked: &Asked, query: Query, group: &Inhabited) -> Answer {
    let body = json!({
        "clusterCount": 0,
        "created": "2024-01-01T00:00:00Z",
        "id": group.id,
        "links": [{"href": format!("https://cloud.mongodb.com{}", asked.path), "rel": "self"}],
        "name": group.name,
        "orgId": state.settings.org_id,
        "tags": [],
        "withDefaultAlertsSettings": true,
    });
    let body = if query.envelope { json!({"status": 200, "content": body}) } else { body };
    Answer::of_resource("ok", 200, content_type(asked), query.written(&body))
}
