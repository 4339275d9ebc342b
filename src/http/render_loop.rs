//! Keeps the page of metrics up to date with the state.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio::{
    sync::watch,
    task::spawn_blocking,
    time::{sleep, sleep_until},
};

use crate::{http::Exposition, metrics, state::State};

/// Changes that come closer together are rendered together.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// Rendering rests this many times as long as it took, so it takes no more than a twentieth of a processor.
const REST: u32 = 19;

/// But never longer than this: it may have taken long because the whole machine stood still.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The page as of now.
///
/// # Errors
/// None that are known: it is made in memory.
pub fn page(state: &watch::Receiver<State>) -> io::Result<Arc<Exposition>> {
    // Compressing takes longer than rendering, and no poll should wait for it.
    let text = metrics::render(&state.borrow(), Instant::now());
    Exposition::new(text).map(Arc::new)
}

/// Renders the page whenever the state changes, and when a listing in it becomes too old.
///
/// # Errors
/// Rendering panicked: the page would be frozen from now on.
pub async fn keep_current(
    mut state: watch::Receiver<State>,
    document: watch::Sender<Arc<Exposition>>,
) -> anyhow::Result<()> {
    loop {
        let started = Instant::now();
        let expiry = state.borrow_and_update().next_expiry(started);
        let source = state.clone();
        let rendered = spawn_blocking(move || page(&source)).await.context("render the metrics")?;
        document.send_replace(rendered.context("compress the metrics")?);
        sleep((started.elapsed() * REST).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)).await;
        let expired = async {
            match expiry {
                // A moment later, so that it is past its end and not at it.
                Some(expiry) => sleep_until((expiry + Duration::from_millis(1)).into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = state.changed() => changed.context("the state is gone")?,
            () = expired => {}
        }
    }
}
