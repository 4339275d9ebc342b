//! The HTTP server: listeners, limits on what a client may do, and the end.

mod connection;
pub mod exposition;
mod handshakes;
mod idle;
pub mod render_loop;
mod router;
pub mod status;

use std::{
    io::{self, ErrorKind},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use self::{connection::Shared, handshakes::Handshakes};
use web_config::WebConfig;

pub use exposition::Exposition;
pub use router::{Making, Page, Pages, Reload, Routes};

/// What a client may do.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// More connections than this wait until one of them ends.
    pub connections: usize,
    /// A client that has not sent its whole request header by then is cut off; so is one that idles between requests,
    /// and one whose TLS handshake is not complete.
    pub header: Duration,
    /// A client that takes nothing of an answer for so long is cut off.
    pub write: Duration,
    /// How long answers under way may take when the end is asked for.
    pub drain: Duration,
}

impl Default for Limits {
    /// A scraper needs one connection and reads at once; container engines kill ten seconds after they ask.
    fn default() -> Self {
        Self {
            connections: 256,
            header: Duration::from_secs(20),
            write: Duration::from_secs(30),
            drain: Duration::from_secs(8),
        }
    }
}

/// After the system refused a connection, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("listen on `{address}`")]
pub struct BindError {
    address: String,
    #[source]
    source: io::Error,
}

impl BindError {
    /// Whether it is none, rather than taken or not there now.
    #[must_use]
    pub fn is_of_the_address(&self) -> bool {
        self.source.kind() == ErrorKind::InvalidInput
    }
}

/// Listens on every address, or on none.
///
/// # Errors
/// The first address that cannot be had.
pub async fn bind(addresses: &[String]) -> Result<Vec<TcpListener>, BindError> {
    let mut listeners = Vec::new();
    for address in addresses {
        let error = |source| BindError { address: address.clone(), source };
        // As other exporters do, `:9100` stands for every address of both families.
        let listener = match address.strip_prefix(':') {
            Some(port) => match TcpListener::bind(format!("[::]:{port}")).await {
                // A machine without IPv6 has more than one error for it.
                Err(error) if ![ErrorKind::AddrInUse, ErrorKind::PermissionDenied].contains(&error.kind()) => {
                    TcpListener::bind(format!("0.0.0.0:{port}")).await
                }
                bound => bound,
            },
            None => TcpListener::bind(address.as_str()).await,
        };
        listeners.push(listener.map_err(error)?);
    }
    Ok(listeners)
}

/// Answers until `shutdown`, then lets answers under way come to their end.
pub async fn serve(
    listeners: Vec<TcpListener>,
    routes: Routes,
    web: watch::Receiver<Arc<WebConfig>>,
    limits: Limits,
    shutdown: CancellationToken,
) {
    // Handshakes that never end must leave places for connections that have theirs behind them.
    let handshakes = Handshakes::new(limits.connections.div_ceil(2));
    let shared = Shared { routes: Arc::new(routes), web, handshakes, limits, shutdown: shutdown.clone() };
    let places = Arc::new(Semaphore::new(limits.connections));
    let connections = TaskTracker::new();
    let mut loops = JoinSet::new();
    for listener in listeners {
        let (shared, places, connections) = (shared.clone(), places.clone(), connections.clone());
        let shutdown = shutdown.clone();
        loops.spawn(async move {
            tokio::select! {
                () = accept(listener, &shared, &places, &connections) => {}
                () = shutdown.cancelled() => {}
            }
        });
    }
    loops.join_all().await;
    connections.close();
    match timeout(limits.drain, connections.wait()).await {
        Ok(()) => info!("stopped listening; every answer under way is complete"),
        Err(_) => warn!("stopped listening; connections still busy after {:?} are cut off", limits.drain),
    }
}

/// Gives each connection a task of its own, which keeps its place until the end.
async fn accept(listener: TcpListener, shared: &Shared, places: &Arc<Semaphore>, connections: &TaskTracker) {
    loop {
        let place = places.clone().acquire_owned().await;
        match listener.accept().await {
            Ok((stream, client)) => {
                let connection = shared.clone().serve(stream, client);
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) => {
                warn!("cannot accept a connection: {error}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;
