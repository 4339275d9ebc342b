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

/// Requests within this time share one rendering of the page or of the JSON, which may have megabytes.
const SHARED_FOR: Duration = Duration::from_secs(1);

/// A request that waits longer gets the previous rendering, if that is not older than [`MAX_AGE`].
const PATIENCE: Duration = Duration::from_secs(1);

/// Older than this, it would show the past to somebody who asks rarely.
const MAX_AGE: Duration = Duration::from_secs(60);

/// A request that waits longer gets [`StatusError::Busy`].
const RENDER_TIMEOUT: Duration = Duration::from_secs(5);

/// The status page and its JSON, rendered on request from what the exporter knows.
pub struct Status {
    pub(super) state: watch::Receiver<State>,
    pub(super) exposition: watch::Receiver<Arc<Exposition>>,
    /// The path of the metrics, such as `/metrics`.
    pub(super) telemetry_path: String,
    /// One thread each, so that searches and requests for the JSON do not delay the page.
    pages: Renderer,
    searches: Renderer,
    jsons: Renderer,
    /// By [`Shared`]: the last rendering, and when it was made.
    last: [Mutex<Option<(Instant, Bytes)>>; 3],
}

/// What requests share.
#[derive(Clone, Copy)]
enum Shared {
    /// The page without a search.
    Page,
    /// The JSON of the peerings.
    Peerings,
    /// The JSON of the listings.
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
            searches: Renderer::start("status search")?,
            jsons: Renderer::start("status JSON")?,
            last: Default::default(),
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
            "/api/v1/peerings" => ("application/json", self.shared(Shared::Peerings).await?),
            "/api/v1/targets" => ("application/json", self.shared(Shared::Listings).await?),
            _ => return Ok(None),
        };
        Ok(Some(Content { media_type, body }))
    }

    async fn page(self: &Arc<Self>, query: &str) -> Result<Body, StatusError> {
        let search = Search::parse(query);
        if search == Search::parse("") {
            return self.shared(Shared::Page).await;
        }
        let status = self.clone();
        let render = move || whole(Kind::Page, Instant::now(), status.render_page(&search));
        let rendered = timeout(RENDER_TIMEOUT, self.searches.run(render)).await.map_err(|_| StatusError::Busy)?;
        Ok(rendered.context("render the status page")?)
    }

    /// At most [`SHARED_FOR`] old or, if it is not rendered in time, the last one of the last minute.
    async fn shared(self: &Arc<Self>, what: Shared) -> Result<Body, StatusError> {
        let (renderer, kind) = match what {
            Shared::Page => (&self.pages, Kind::Page),
            Shared::Peerings | Shared::Listings => (&self.jsons, Kind::Json),
        };
        let last = self.last(what, MAX_AGE);
        let patience = if last.is_some() { PATIENCE } else { RENDER_TIMEOUT };
        let (rendered_at, content) = match last {
            Some((rendered_at, content)) if rendered_at.elapsed() < SHARED_FOR => (rendered_at, content),
            last => {
                let status = self.clone();
                match timeout(patience, renderer.run(move || status.render_shared(what))).await {
                    Ok(rendered) => rendered.context("render the status page")??,
                    Err(_) => last.ok_or(StatusError::Busy)?,
                }
            }
        };
        Ok(whole(kind, rendered_at, content))
    }

    /// Renders it, unless an earlier request did. The result is kept even if its requester is gone.
    fn render_shared(&self, what: Shared) -> anyhow::Result<(Instant, Bytes)> {
        if let Some(last) = self.last(what, SHARED_FOR) {
            return Ok(last);
        }
        let content = match what {
            Shared::Page => self.render_page(&Search::parse("")),
            Shared::Peerings | Shared::Listings => self.render_json(what)?,
        };
        let rendered = (Instant::now(), content);
        *self.last[what as usize].lock() = Some(rendered.clone());
        Ok(rendered)
    }

    fn render_page(&self, search: &Search) -> Bytes {
        self.with_view(|view| html::render(view, search, &self.telemetry_path)).into()
    }

    fn render_json(&self, what: Shared) -> anyhow::Result<Bytes> {
        let json = self.with_view(|view| {
            let (rendered_at, stall_reason) = (view.rendered_at, view.stall_reason.as_deref());
            let (shard_index, shards) = (view.state.shard.index, view.state.shard.count);
            let peerings = matches!(what, Shared::Peerings).then_some(&*view.peerings);
            let listings = matches!(what, Shared::Listings).then_some(&*view.listings);
            serde_json::to_vec(&JsonBody { rendered_at, stall_reason, shard_index, shards, peerings, listings })
        });
        let mut json = json.context("serialize JSON")?;
        json.shrink_to_fit();
        Ok(json.into())
    }

    fn last(&self, what: Shared, max_age: Duration) -> Option<(Instant, Bytes)> {
        let last = self.last[what as usize].lock().clone();
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
