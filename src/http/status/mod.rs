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
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use anyhow::Context;
use bytes::Bytes;
use serde::Serialize;
use tokio::{
    sync::{Mutex, OwnedSemaphorePermit, Semaphore, watch},
    task::spawn_blocking,
    time::timeout,
};

use self::{
    search::Search,
    time::Timestamp,
    view::{ListingRow, PeeringRow, View},
};
use super::exposition::Exposition;
use crate::state::{State, stall_reason};

/// Requests within this time share one rendering of the JSON, which may have megabytes.
const JSON_TTL: Duration = Duration::from_secs(1);

/// Renderings at the same time; each takes some milliseconds of processor time.
const MAX_RENDERS: usize = 2;

/// Rendered bodies in memory at the same time, including those that slow clients are still reading.
const MAX_BODIES: usize = 64;

/// How many of [`MAX_BODIES`] one body in JSON counts as, because it may have megabytes.
const BODIES_PER_JSON: u32 = 16;

/// A request that waits longer gets [`StatusError::Busy`]: slow clients hold all permits.
const RENDER_TIMEOUT: Duration = Duration::from_secs(5);

/// The status page and its JSON, rendered on request from what the exporter knows.
pub struct Status {
    pub(super) state: watch::Receiver<State>,
    pub(super) exposition: watch::Receiver<Arc<Exposition>>,
    /// The path of the metrics, such as `/metrics`.
    pub(super) telemetry_path: String,
    renders: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
    /// By [`List`]: the last JSON, and when it was rendered.
    json: [Mutex<Option<(Instant, Bytes)>>; 2],
}

#[derive(Clone, Copy)]
enum List {
    Peerings,
    Listings,
}

/// What is under a path.
#[derive(Debug)]
pub struct Content {
    /// The media type.
    pub media_type: &'static str,
    /// The content.
    pub body: Bytes,
}

/// Why there is no content.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// No permit became free in time.
    #[error("too many slow clients; try again")]
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

/// A body and its permit, which is returned when the body is dropped.
struct PermittedBody(Vec<u8>, #[allow(dead_code, reason = "dropped with the body")] OwnedSemaphorePermit);

impl AsRef<[u8]> for PermittedBody {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Status {
    /// The page links to the metrics at `telemetry_path`; the exposition only shows whether the exporter has stalled.
    #[must_use]
    pub fn new(
        state: watch::Receiver<State>,
        exposition: watch::Receiver<Arc<Exposition>>,
        telemetry_path: &str,
    ) -> Arc<Self> {
        Arc::new(Self {
            state,
            exposition,
            telemetry_path: telemetry_path.to_owned(),
            renders: Arc::new(Semaphore::new(MAX_RENDERS)),
            bodies: Arc::new(Semaphore::new(MAX_BODIES)),
            json: Default::default(),
        })
    }

    /// Why the exporter has stalled, if it has.
    #[must_use]
    pub fn stall_reason(&self) -> Option<String> {
        stall_reason(&self.state.borrow(), self.exposition.borrow().rendered_at, Instant::now())
    }

    /// The content under a path; `None` if there is no such path.
    pub async fn get(self: &Arc<Self>, path: &str, query: &str) -> Result<Option<Content>, StatusError> {
        let content = timeout(RENDER_TIMEOUT, self.content(path, query));
        Ok(content.await.map_err(|_| StatusError::Busy)??)
    }

    async fn content(self: &Arc<Self>, path: &str, query: &str) -> anyhow::Result<Option<Content>> {
        let (media_type, body) = match path {
            "/" => {
                let (search, path) = (Search::parse(query), self.telemetry_path.clone());
                let html = self.render(1, move |view| Ok(html::render(view, &search, &path).into_bytes())).await?;
                ("text/html; charset=utf-8", html)
            }
            "/-/page.css" => ("text/css; charset=utf-8", include_str!("page.css").into()),
            "/-/page.js" => ("text/javascript; charset=utf-8", include_str!("page.js").into()),
            "/api/v1/peerings" => ("application/json", self.json(List::Peerings).await?),
            "/api/v1/targets" => ("application/json", self.json(List::Listings).await?),
            _ => return Ok(None),
        };
        Ok(Some(Content { media_type, body }))
    }

    /// Renders in a task, so that the result is cached even if the client disconnects.
    async fn json(self: &Arc<Self>, list: List) -> anyhow::Result<Bytes> {
        let status = self.clone();
        let task = tokio::spawn(async move {
            let mut cached = status.json[list as usize].lock().await;
            if let Some((_, json)) = cached.as_ref().filter(|(at, _)| at.elapsed() < JSON_TTL) {
                return Ok(json.clone());
            }
            // Returns the permit of the old body before the new one needs one.
            *cached = None;
            let serialize = move |view: &View<'_>| {
                let (rendered_at, stall_reason) = (view.rendered_at, view.stall_reason.as_deref());
                let (shard_index, shards) = (view.state.shard.index, view.state.shard.count);
                let peerings = matches!(list, List::Peerings).then_some(&*view.peerings);
                let listings = matches!(list, List::Listings).then_some(&*view.listings);
                let body = JsonBody { rendered_at, stall_reason, shard_index, shards, peerings, listings };
                serde_json::to_vec(&body).context("serialize JSON")
            };
            let json = status.render(BODIES_PER_JSON, serialize).await?;
            *cached = Some((Instant::now(), json.clone()));
            Ok(json)
        });
        task.await.context("render JSON")?
    }

    /// Renders in a blocking task, which may delay polls by a few milliseconds but no requests. The permits belong to the
    /// task and the body, because the client may disconnect before they are ready.
    async fn render(
        self: &Arc<Self>,
        bodies: u32,
        render: impl FnOnce(&View<'_>) -> anyhow::Result<Vec<u8>> + Send + 'static,
    ) -> anyhow::Result<Bytes> {
        let body_permit = self.bodies.clone().acquire_many_owned(bodies).await?;
        let render_permit = self.renders.clone().acquire_owned().await?;
        let status = self.clone();
        let task = spawn_blocking(move || {
            let _render_permit = render_permit;
            let stall_reason = status.stall_reason();
            let state = status.state.borrow();
            let view = View::new(&state, stall_reason, Instant::now(), SystemTime::now());
            Ok(Bytes::from_owner(PermittedBody(render(&view)?, body_permit)))
        });
        task.await.context("render the status page")?
    }
}

#[cfg(test)]
pub(super) mod tests;
