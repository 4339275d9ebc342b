//! The HTTP server: listeners, limits on what a client may do, and the end.

mod document;
mod routes;

use std::{
    convert::Infallible,
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

pub use document::Document;
pub use routes::Routes;

/// What a client may do.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// More connections than this wait until one of them ends.
    pub connections: usize,
    /// A client that has not sent its whole request header by then is cut off; so is one that idles between requests.
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
pub async fn serve(listeners: Vec<TcpListener>, routes: Routes, limits: Limits, shutdown: CancellationToken) {
    let graceful = Arc::new(GracefulShutdown::new());
    let routes = Arc::new(routes);
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut loops = JoinSet::new();
    for listener in listeners {
        let server = Server { routes: routes.clone(), places: places.clone(), graceful: graceful.clone(), limits };
        let shutdown = shutdown.clone();
        loops.spawn(async move {
            tokio::select! {
                () = server.accept(listener) => {}
                () = shutdown.cancelled() => {}
            }
        });
    }
    loops.join_all().await;
    // The loops were the others that held it.
    let Some(graceful) = Arc::into_inner(graceful) else { return };
    match timeout(limits.drain, graceful.shutdown()).await {
        Ok(()) => info!("stopped listening; every answer under way is complete"),
        Err(_) => warn!("stopped listening; connections still busy after {:?} are cut off", limits.drain),
    }
}

struct Server {
    routes: Arc<Routes>,
    places: Arc<Semaphore>,
    graceful: Arc<GracefulShutdown>,
    limits: Limits,
}

impl Server {
    async fn accept(&self, listener: TcpListener) {
        loop {
            let place = self.places.clone().acquire_owned().await;
            match listener.accept().await {
                Ok((stream, client)) => self.answer(stream, client, place),
                Err(error) => {
                    warn!("cannot accept a connection: {error}");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Answers one connection, in a task of its own that keeps its place until the end.
    fn answer<P: Send + 'static>(&self, stream: TcpStream, client: SocketAddr, place: P) {
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.limits.write));
        let routes = self.routes.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let response = routes.answer(&request);
            async { Ok::<_, Infallible>(response) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header)
            .serve_connection(TokioIo::new(Box::pin(stream)), service);
        let connection = self.graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!(%client, "a connection ended early: {error}");
            }
            drop(place);
        });
    }
}

#[cfg(test)]
mod tests;
