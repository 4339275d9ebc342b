//! What a person on call wants to see without Grafana, and the same as JSON.
//!
//! ```text
//! view    the state -> rows: peerings, targets, accounts
//! search  which of them are asked for
//! html    rows -> the page at `/`
//! time    a moment, for people and for JSON
//! ```

mod html;
mod search;
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
    sync::{Mutex, Semaphore, watch},
    task::spawn_blocking,
};

use self::{search::Search, time::Time, view::View};
use crate::{server::Page, state::State};

/// A listing in JSON is made once in this time, however many ask for it: it may have megabytes.
const JSON_LIVES: Duration = Duration::from_secs(1);

/// So many pages are made at the same time; each takes some milliseconds of a processor.
const AT_ONCE: usize = 2;

/// Makes the pages about what is known now.
pub struct Status {
    state: watch::Receiver<State>,
    telemetry_path: String,
    places: Semaphore,
    peerings: Json,
    targets: Json,
}

/// What was made last, and when.
type Json = Mutex<Option<(Instant, Bytes)>>;

#[derive(Serialize)]
struct Peerings<'a> {
    made: Time,
    peerings: &'a [view::Peering<'a>],
}

#[derive(Serialize)]
struct Targets<'a> {
    made: Time,
    targets: &'a [view::Target<'a>],
}

impl Status {
    /// Of a state; the page links to the metrics.
    #[must_use]
    pub fn new(state: watch::Receiver<State>, telemetry_path: &str) -> Arc<Self> {
        Arc::new(Self {
            state,
            telemetry_path: telemetry_path.to_owned(),
            places: Semaphore::new(AT_ONCE),
            peerings: Json::default(),
            targets: Json::default(),
        })
    }

    /// The page under a path, nothing if there is none.
    ///
    /// # Errors
    /// None that are known: it is made in memory.
    pub async fn page(self: Arc<Self>, path: &str, query: &str) -> anyhow::Result<Option<Page>> {
        Ok(Some(match path {
            "/" => Page::html(self.html(Search::parse(query)).await?),
            "/-/page.css" => Page::of("text/css; charset=utf-8", include_str!("page.css")),
            "/-/page.js" => Page::of("text/javascript; charset=utf-8", include_str!("page.js")),
            "/api/v1/peerings" => Page::of("application/json", self.json(&self.peerings, peerings).await?),
            "/api/v1/targets" => Page::of("application/json", self.json(&self.targets, targets).await?),
            _ => return Ok(None),
        }))
    }

    async fn html(&self, search: Search) -> anyhow::Result<String> {
        let path = self.telemetry_path.clone();
        self.make(move |view| Ok(html::page(view, &search, &path))).await
    }

    async fn json(&self, made: &Json, make: fn(&View<'_>) -> serde_json::Result<Vec<u8>>) -> anyhow::Result<Bytes> {
        let mut made = made.lock().await;
        if let Some((_, json)) = made.as_ref().filter(|(at, _)| at.elapsed() < JSON_LIVES) {
            return Ok(json.clone());
        }
        let json = Bytes::from(self.make(move |view| make(view).context("write JSON")).await?);
        *made = Some((Instant::now(), json.clone()));
        Ok(json)
    }

    /// Polls may wait for a few milliseconds meanwhile, and requests do not wait at all.
    async fn make<T: Send + 'static>(
        &self,
        make: impl FnOnce(&View<'_>) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let _place = self.places.acquire().await?;
        let state = self.state.clone();
        let made = spawn_blocking(move || make(&View::of(&state.borrow(), Instant::now(), SystemTime::now())));
        made.await.context("make the page")?
    }
}

fn peerings(view: &View<'_>) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Peerings { made: view.made, peerings: &view.peerings })
}

fn targets(view: &View<'_>) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Targets { made: view.made, targets: &view.targets })
}

#[cfg(test)]
mod tests;
