//! The status page, for people, and the same as JSON.
//!
//! ```text
//! view    the state -> rows: peerings, listings, accounts
//! search  which rows a query selects
//! html    rows -> the status page at `/`
//! tables  its tables
//! time    a time, for people and for JSON
//! ```

mod html;
mod search;
mod tables;
mod time;
mod view;

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use anyhow::Context;
use bytes::{Buf, Bytes};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::{sync::watch, time::timeout};

use self::{
    search::Search,
    time::Timestamp,
    view::{ListingRow, PeeringRow, View},
};
use super::{
    body::{Body, Kind, Version},
    exposition::Exposition,
    renderer::Renderer,
};
use crate::state::{State, stall_reason};

/// Requests within this time share one rendering of the JSON, which may have megabytes.
const JSON_TTL: Duration = Duration::from_secs(1);

/// A request that waits longer gets the previous JSON, if that is not older than [`JSON_MAX_AGE`].
const JSON_TIMEOUT: Duration = Duration::from_secs(1);

/// Older than this, the JSON would show the past to somebody who asks rarely.
const JSON_MAX_AGE: Duration = Duration::from_secs(60);

/// A request that waits longer gets [`StatusError::Busy`].
const RENDER_TIMEOUT: Duration = Duration::from_secs(5);

/// The status page and its JSON, rendered on request from what the exporter knows.
pub struct Status {
    pub(super) state: watch::Receiver<State>,
    pub(super) exposition: watch::Receiver<Arc<Exposition>>,
    /// The path of the metrics, such as `/metrics`.
    pub(super) telemetry_path: String,
    pages: Renderer,
    /// Separate, so that requests for the JSON do not delay the page.
    jsons: Renderer,
    /// By [`List`]: the last JSON, and when it was rendered.
    json: [Mutex<Option<(Instant, Bytes)>>; 2],
}

#[derive(Clone, Copy)]
enum List {
    Peerings,
    Listings,
}

/// What is under a path.
pub struct Content {
    /// The media type.
    pub media_type: &'static str,
    /// The content.
    pub body: Body,
}

/// Why there is no content.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// It was not rendered in time.
    #[error("too many requests for the status page; try again")]
    Busy,
    /// A bug: rendering in memory does not fail.
    #[error(transparent)]
    Render(#[from] anyhow::Error),
}

/// The body of a JSON response.
#[derive(Serialize)]
struct JsonBody<'a> {
    #[serde(rename = "made")]
    rendered_at: Timestamp,
    #[serde(rename = "stuck")]
    stall_reason: Option<&'a str>,
    shard_index: u32,
    shards: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    peerings: Option<&'a [PeeringRow<'a>]>,
    #[serde(rename = "targets", skip_serializing_if = "Option::is_none")]
    listings: Option<&'a [ListingRow<'a>]>,
}

impl Status {
    /// The page links to the metrics at `telemetry_path`; the exposition only shows whether the exporter has stalled.
    ///
    /// # Errors
    /// A rendering thread cannot be started.
    pub fn new(
        state: watch::Receiver<State>,
        exposition: watch::Receiver<Arc<Exposition>>,
        telemetry_path: &str,
    ) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            state,
            exposition,
            telemetry_path: telemetry_path.to_owned(),
            pages: Renderer::start("status page")?,
            jsons: Renderer::start("status JSON")?,
            json: Default::default(),
        }))
    }

    /// Why the exporter has stalled, if it has.
    #[must_use]
    pub fn stall_reason(&self) -> Option<String> {
        stall_reason(&self.state.borrow(), self.exposition.borrow().rendered_at, Instant::now())
    }

    /// The content under a path; `None` if there is no such path.
    ///
    /// # Errors
    /// The path exists, but its content cannot be rendered now.
    pub async fn get(self: &Arc<Self>, path: &str, query: &str) -> Result<Option<Content>, StatusError> {
        let (media_type, body) = match path {
            "/" => ("text/html; charset=utf-8", self.page(query).await?),
            "/-/page.css" => ("text/css; charset=utf-8", Body::short(include_str!("page.css").into())),
            "/-/page.js" => ("text/javascript; charset=utf-8", Body::short(include_str!("page.js").into())),
            "/api/v1/peerings" => ("application/json", self.json(List::Peerings).await?),
            "/api/v1/targets" => ("application/json", self.json(List::Listings).await?),
            _ => return Ok(None),
        };
        Ok(Some(Content { media_type, body }))
    }

    async fn page(self: &Arc<Self>, query: &str) -> Result<Body, StatusError> {
        let (status, search) = (self.clone(), Search::parse(query));
        let render = move || {
            let html = status.with_view(|view| html::render(view, &search, &status.telemetry_path));
            whole(Kind::Page, Instant::now(), html.into())
        };
        let rendered = timeout(RENDER_TIMEOUT, self.pages.run(render)).await.map_err(|_| StatusError::Busy)?;
        Ok(rendered.context("render the status page")?)
    }

    /// The JSON: at most [`JSON_TTL`] old or, if it is not rendered in time, the last one of the last minute.
    async fn json(self: &Arc<Self>, list: List) -> Result<Body, StatusError> {
        let last = self.last_json(list, JSON_MAX_AGE);
        let patience = if last.is_some() { JSON_TIMEOUT } else { RENDER_TIMEOUT };
        let (rendered_at, json) = match last {
            Some((rendered_at, json)) if rendered_at.elapsed() < JSON_TTL => (rendered_at, json),
            last => {
                let status = self.clone();
                match timeout(patience, self.jsons.run(move || status.render_json(list))).await {
                    Ok(rendered) => rendered.context("render JSON")??,
                    Err(_) => last.ok_or(StatusError::Busy)?,
                }
            }
        };
        Ok(whole(Kind::Json, rendered_at, json))
    }

    /// Renders the JSON, unless an earlier request did. The result is kept even if its requester is gone.
    fn render_json(&self, list: List) -> anyhow::Result<(Instant, Bytes)> {
        if let Some(last) = self.last_json(list, JSON_TTL) {
            return Ok(last);
        }
        let json = self.with_view(|view| {
            let (rendered_at, stall_reason) = (view.rendered_at, view.stall_reason.as_deref());
            let (shard_index, shards) = (view.state.shard.index, view.state.shard.count);
            let peerings = matches!(list, List::Peerings).then_some(&*view.peerings);
            let listings = matches!(list, List::Listings).then_some(&*view.listings);
            serde_json::to_vec(&JsonBody { rendered_at, stall_reason, shard_index, shards, peerings, listings })
        });
        let mut json = json.context("serialize JSON")?;
        json.shrink_to_fit();
        let rendered = (Instant::now(), json.into());
        *self.json[list as usize].lock() = Some(rendered.clone());
        Ok(rendered)
    }

    fn last_json(&self, list: List, max_age: Duration) -> Option<(Instant, Bytes)> {
        let last = self.json[list as usize].lock().clone();
        last.filter(|(rendered_at, _)| rendered_at.elapsed() < max_age)
    }

    /// Locks the state for a few milliseconds.
    fn with_view<T>(&self, render: impl FnOnce(&View<'_>) -> T) -> T {
        let stall_reason = self.stall_reason();
        let state = self.state.borrow();
        render(&View::new(&state, stall_reason, Instant::now(), SystemTime::now()))
    }
}

fn whole(kind: Kind, rendered_at: Instant, content: Bytes) -> Body {
    let version = Version { kind, rendered_at, bytes: content.len() };
    Body { data: content.chain(Bytes::new()), version: Some(version) }
}

#[cfg(test)]
pub(super) mod tests;
