//! The HTTP server: its listeners and its shutdown.

mod activity;
mod body;
mod connection;
mod connections;
mod exposition;
mod limits;
mod renderer;
mod router;
pub mod status;

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::TcpListener,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};
use yaml_reader::Shown;

pub use self::{
    body::Body,
    exposition::{Exposition, render_loop},
    limits::Limits,
    router::App,
};
use self::{connection::Shared, connections::Connections};

/// The pause after a connection could not be accepted, for example because file descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What an invalid address should have been.
const LISTEN_ADDRESSES: &str = "an address is `:10917` for every address of this machine, or a host and a port such as \
                       `127.0.0.1:10917`, `[::1]:10917` or `localhost:10917`";

/// The exporter cannot listen on an address.
#[derive(Debug, thiserror::Error)]
#[error("listen on `{}`", Shown::from(&**address))]
pub struct BindError {
    address: String,
    #[source]
    source: io::Error,
}

impl BindError {
    /// Whether the address is not valid, rather than in use or not available.
    #[must_use]
    pub fn is_invalid_address(&self) -> bool {
        self.source.kind() == ErrorKind::InvalidInput
    }
}

/// Checks the syntax of the addresses, without listening on them.
///
/// # Errors
/// The first address that is not valid.
pub fn check_addresses(addresses: &[String]) -> Result<(), BindError> {
    let invalid = |address: &String| BindError {
        address: address.clone(),
        source: io::Error::new(ErrorKind::InvalidInput, LISTEN_ADDRESSES),
    };
    addresses.iter().find(|address| !is_listen_address(address)).map_or(Ok(()), |address| Err(invalid(address)))
}

/// Listens on all addresses, or on none.
///
/// # Errors
/// The first address on which the exporter cannot listen.
pub async fn bind(addresses: &[String]) -> Result<Vec<TcpListener>, BindError> {
    check_addresses(addresses)?;
    let mut listeners = Vec::new();
    for address in addresses {
        // As in other exporters, `:9100` means all addresses, IPv6 and IPv4.
        let listener = match address.strip_prefix(':') {
            Some(port) => match TcpListener::bind(format!("[::]:{port}")).await {
                // Several errors mean that the machine has no IPv6.
                Err(error) if ![ErrorKind::AddrInUse, ErrorKind::PermissionDenied].contains(&error.kind()) => {
                    TcpListener::bind(format!("0.0.0.0:{port}")).await
                }
                bound => bound,
            },
            None => TcpListener::bind(address.as_str()).await,
        };
        listeners.push(listener.map_err(|source| BindError { address: address.clone(), source })?);
    }
    Ok(listeners)
}

/// Whether the text is a port, with or without a host before it: an IP address, in brackets if it is an IPv6 address,
/// or a name.
fn is_listen_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    let is_name_like = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    // A name that ends with digits is an IPv4 address or nothing.
    let is_name =
        is_name_like && host.rsplit('.').next().is_some_and(|last| last.parse::<u64>().is_err() && !last.is_empty());
    is_port && (host.is_empty() || is_name || text.parse::<SocketAddr>().is_ok())
}

/// Serves until `shutdown`, then waits for in-flight requests, at most for `limits.drain`.
pub async fn serve(listeners: Vec<TcpListener>, app: App, limits: Limits, shutdown: CancellationToken) {
    let shared = Shared { app: Arc::new(app), connections: Connections::new(limits), limits, shutdown };
    let connections = TaskTracker::new();
    let mut loops = JoinSet::new();
    for listener in listeners {
        let (shared, connections) = (shared.clone(), connections.clone());
        loops.spawn(async move {
            shared.shutdown.run_until_cancelled(accept(listener, &shared, &connections)).await;
        });
    }
    loops.join_all().await;
    connections.close();
    match timeout(limits.drain, connections.wait()).await {
        Ok(()) => info!("stopped listening; all in-flight requests are complete"),
        Err(_) => warn!("stopped listening; closing connections that are still busy after {:?}", limits.drain),
    }
}

/// Spawns a task for each connection.
async fn accept(listener: TcpListener, shared: &Shared, connections: &TaskTracker) {
    loop {
        match listener.accept().await {
            Ok((stream, client)) => {
                let place = shared.connections.admit(client);
                connections.spawn(shared.clone().serve(stream, place));
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
