//! What a person on call wants to see without Grafana, and the same as JSON.
//!
//! ```text
//! view    the state -> rows: peerings, targets, accounts
//! search  which of them are asked for
//! html    rows -> the page at `/`
//! tables  its tables
//! time    a moment, for people and for JSON
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

use self::{search::Search, time::Time, view::View};
use crate::{http::Page, state::State};

/// A listing in JSON is made once in this time, however many ask for it: it may have megabytes.
const JSON_LIVES: Duration = Duration::from_secs(1);

/// So many pages are made at the same time; each takes some milliseconds of a processor.
const AT_ONCE: usize = 2;

/// So many pages for people are in memory at the same time, those that slow clients take included.
const PAGES: usize = 64;

/// A listing in JSON counts as so many of them: it has megabytes.
const PAGES_OF_JSON: u32 = 16;

/// Whoever waits for longer comes again: slow clients hold what there is room for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Says why the exporter does not go on, if so.
pub type Stuck = Box<dyn Fn() -> Option<String> + Send + Sync>;

/// Makes the pages about what is known now.
pub struct Status {
    state: watch::Receiver<State>,
    stuck: Stuck,
    telemetry_path: String,
    making: Arc<Semaphore>,
    pages: Arc<Semaphore>,
    peerings: Json,
    targets: Json,
}

/// What was made last, and when.
type Json = Mutex<Option<(Instant, Bytes)>>;

/// One listing in JSON.
#[derive(Serialize)]
struct Listing<'a> {
    made: Time,
    stuck: Option<&'a str>,
    shard_index: u32,
    shards: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    peerings: Option<&'a [view::Peering<'a>]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    targets: Option<&'a [view::ListingRow<'a>]>,
}

/// What is sent, and the right to be in memory for as long.
struct Held(Vec<u8>, #[allow(dead_code, reason = "it is given back when this is dropped")] OwnedSemaphorePermit);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Status {
    /// Of a state; the page links to the metrics.
    #[must_use]
    pub fn new(state: watch::Receiver<State>, stuck: Stuck, telemetry_path: &str) -> Arc<Self> {
        Arc::new(Self {
            state,
            stuck,
            telemetry_path: telemetry_path.to_owned(),
            making: Arc::new(Semaphore::new(AT_ONCE)),
            pages: Arc::new(Semaphore::new(PAGES)),
            peerings: Json::default(),
            targets: Json::default(),
        })
    }

    /// The page under a path, nothing if there is none.
    ///
    /// # Errors
    /// None that are known: it is made in memory.
    pub async fn page(self: Arc<Self>, path: &str, query: &str) -> anyhow::Result<Option<Page>> {
        match timeout(PATIENCE, self.made(path, query)).await {
            Ok(page) => page,
            Err(_) => Ok(Some(Page::busy())),
        }
    }

    async fn made(self: Arc<Self>, path: &str, query: &str) -> anyhow::Result<Option<Page>> {
        Ok(Some(match path {
            "/" => {
                let (search, path) = (Search::parse(query), self.telemetry_path.clone());
                let html = self.make(1, move |view| Ok(html::page(view, &search, &path).into_bytes())).await?;
                Page::of("text/html; charset=utf-8", html)
            }
            "/-/page.css" => Page::of("text/css; charset=utf-8", include_str!("page.css")),
            "/-/page.js" => Page::of("text/javascript; charset=utf-8", include_str!("page.js")),
            "/api/v1/peerings" => Page::of("application/json", self.json(|status| &status.peerings, peerings).await?),
            "/api/v1/targets" => Page::of("application/json", self.json(|status| &status.targets, targets).await?),
            _ => return Ok(None),
        }))
    }

    /// Made by a task of its own: whoever asked may hang up, and the next shall find it done.
    async fn json(
        self: Arc<Self>,
        made: fn(&Self) -> &Json,
        make: fn(&View<'_>) -> serde_json::Result<Vec<u8>>,
    ) -> anyhow::Result<Bytes> {
        let task = tokio::spawn(async move {
            let mut made = made(&self).lock().await;
            if let Some((_, json)) = made.as_ref().filter(|(at, _)| at.elapsed() < JSON_LIVES) {
                return Ok(json.clone());
            }
            // The one before is not to keep its place while the next wants one.
            *made = None;
            let json = self.make(PAGES_OF_JSON, move |view| make(view).context("write JSON")).await?;
            *made = Some((Instant::now(), json.clone()));
            Ok(json)
        });
        task.await.context("make JSON")?
    }

    /// Polls may wait for a few milliseconds meanwhile, and requests do not wait at all. The places belong to the work
    /// and to what comes of it, not to whoever asked, who may hang up.
    async fn make(
        &self,
        pages: u32,
        make: impl FnOnce(&View<'_>) -> anyhow::Result<Vec<u8>> + Send + 'static,
    ) -> anyhow::Result<Bytes> {
        let page = self.pages.clone().acquire_many_owned(pages).await?;
        let place = self.making.clone().acquire_owned().await?;
        let (state, stuck) = (self.state.clone(), (self.stuck)());
        let made = spawn_blocking(move || {
            let _place = place;
            let state = state.borrow();
            let view = View::of(&state, stuck, Instant::now(), SystemTime::now());
            Ok(Bytes::from_owner(Held(make(&view)?, page)))
        });
        made.await.context("make the page")?
    }
}

fn peerings(view: &View<'_>) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Listing { peerings: Some(&view.peerings), ..listing(view) })
}

fn targets(view: &View<'_>) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Listing { targets: Some(&view.targets), ..listing(view) })
}

fn listing<'a>(view: &'a View<'_>) -> Listing<'a> {
    let (shard_index, shards) = view.shard;
    Listing { made: view.made, stuck: view.stuck.as_deref(), shard_index, shards, peerings: None, targets: None }
}

#[cfg(test)]
mod tests;
