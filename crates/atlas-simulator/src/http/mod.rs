//! The simulator on real sockets: connections, requests and the timeline.

mod api;
pub(crate) mod auth;
mod body;
mod control;
mod error;
mod oauth;
mod paging;
pub(crate) mod request;
mod resources;

use std::{convert::Infallible, fmt::Debug, future::pending, mem};

use axum::serve::Listener;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use crate::{scenario::timeline::Timeline, simulator::Simulator};

impl Simulator {
    /// Serves HTTP/1.1 and HTTP/2 and plays the timeline until `shutdown`, which closes idle connections.
    pub async fn serve<L: Listener<Addr: Debug>>(self, listener: L, shutdown: impl Future<Output = ()>) {
        let routes = control::router().fallback(api::respond).with_state(self.clone());
        tokio::select! {
            () = shutdown => {}
            never = self.play_timeline() => match never {},
            _ = axum::serve(listener, routes).into_future() => {}
        }
    }

    async fn play_timeline(&self) -> Infallible {
        let start = Instant::now();
        let mut timeline = Timeline(mem::take(&mut self.state().settings.timeline));
        while let Some(entry) = timeline.next() {
            sleep_until(start + entry.after).await;
            match self.change(&entry.group, &entry.change) {
                Ok(peerings) => info!(group.id = entry.group, ?peerings, "changed by the timeline"),
                Err(error) => warn!(group.id = entry.group, "cannot change by the timeline: {error}"),
            }
        }
        pending().await
    }
}
