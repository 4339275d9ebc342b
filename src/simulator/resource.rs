//! The usual answer to a request with good credentials: the checks in the order of the real API.

use std::time::Instant;

use serde_json::{Value, json};

use super::{
    AccessList, Peering,
    answer::Answer,
    api_error::ApiError,
    asked::{Asked, Route},
    bucket::Bucket,
    groups::Inhabited,
    handle::State,
    object_id,
    page::Page,
    peering::Shape,
    query::Query,
};

const V2: &str = "application/vnd.atlas.2023-01-01+json;charset=utf-8";

/// A list that never ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endless {
    /// Every page has the results of the first.
    Same,
    /// Every page has results that were never seen.
    Fresh,
}

pub(super) fn answer(state: &mut State, asked: &Asked, endless: Option<Endless>, now: Instant) -> Answer {
    let answer = allowed(state, asked).and_then(|()| match &asked.route {
        Route::Peers { v2, group } => peers(state, asked, *v2, group, endless, now),
        Route::Group { group, .. } => Ok(group_answer(state, asked, find(state, asked, group)?)),
        Route::Unknown => Err(ApiError::resource_not_found(&asked.path)),
    });
    answer.unwrap_or_else(ApiError::into_answer)
}

/// The content type of a success.
pub(super) fn content_type(asked: &Asked) -> &'static str {
    match asked.route {
        Route::Peers { v2: true, .. } | Route::Group { v2: true, .. } => V2,
        _ => "application/json",
    }
}

/// Everything that is refused without looking at the resource.
fn allowed(state: &State, asked: &Asked) -> Result<(), ApiError> {
    if state.settings.access_list == AccessList::Deny {
        return Err(ApiError::address_not_allowed());
    }
    match &asked.route {
        Route::Unknown => Err(ApiError::resource_not_found(&asked.path)),
        _ if asked.method != "GET" => Err(ApiError::method_not_allowed(&asked.method)),
        Route::Peers { v2: true, .. } | Route::Group { v2: true, .. } if !asked.accepts_known_version() => {
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

fn peers(
    state: &mut State,
    asked: &Asked,
    v2: bool,
    id: &str,
    endless: Option<Endless>,
    now: Instant,
) -> Result<Answer, ApiError> {
    find(state, asked, id)?;
    let limit = state.settings.rate_limit;
    let bucket = state.buckets.entry(id.to_owned()).or_insert_with(|| Bucket::full(limit, now));
    let answer = match (bucket.take(now), &asked.listing) {
        (Err(exceeded), _) => {
            let (capacity, refill) = (limit.capacity, limit.refill_per_minute);
            let error = ApiError::rate_limited(&asked.path, exceeded.retry_after, capacity, refill);
            error.into_answer().with("retry-after", exceeded.retry_after).with("ratelimit-remaining", 0)
        }
        (Ok(left), Err(error)) => error.clone().into_answer().with("ratelimit-remaining", left),
        (Ok(left), Ok(query)) => {
            let group = find(state, asked, id)?;
            let shape = Shape { nulls: state.settings.nulls, provider_name: v2 };
            let mut page = page(asked, *query, group, shape, endless);
            page.total_count = page.total_count.saturating_add(state.settings.count_error).max(0);
            page.into_answer().with("ratelimit-remaining", left)
        }
    };
    Ok(answer.with("ratelimit-limit", limit.capacity))
}

fn page<'a>(asked: &'a Asked, query: Query, group: &Inhabited, shape: Shape, endless: Option<Endless>) -> Page<'a> {
    let of_provider = || group.peerings.iter().filter(|placed| placed.peering.provider == query.provider);
    let total = of_provider().count();
    let size = query.items_per_page as usize;
    let number = if endless == Some(Endless::Same) { 1 } else { query.page_num as usize };
    let results = match endless {
        Some(Endless::Fresh) => fresh(query, shape),
        _ => {
            let shown = of_provider().skip((number - 1).saturating_mul(size)).take(size);
            shown.map(|placed| placed.peering.body(&placed.id, shape)).collect()
        }
    };
    Page {
        path: &asked.path,
        query,
        results,
        total_count: i64::try_from(total).unwrap_or(i64::MAX),
        has_next: endless.is_some() || number.saturating_mul(size) < total,
        content_type: content_type(asked),
    }
}

/// A full page of peerings that are on no other page.
fn fresh(query: Query, shape: Shape) -> Vec<Value> {
    let peering = Peering::new(query.provider, "AVAILABLE");
    let ids = (0..query.items_per_page).map(|item| format!("{:016x}{item:08x}", query.page_num));
    ids.map(|id| peering.body(&id, shape)).collect()
}

fn group_answer(state: &State, asked: &Asked, group: &Inhabited) -> Answer {
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
    Answer::new("ok", 200, content_type(asked), body.to_string())
}
