//! One connection: the TLS handshake, if TLS is on, then requests until it closes.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
};

use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy, sink},
    net::TcpStream,
    time::timeout,
};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tracing::debug;
use web_config::WebConfig;

use super::{
    limits::{Handshakes, InFlightRequests, Limits},
    router::App,
};

/// Requests at the same time on one HTTP/2 connection. A scraper has one.
const STREAMS: u32 = 16;

/// The response to an HTTP request on a TLS port, in the words of Go's servers.
const HTTP_ON_TLS_PORT: &[u8] = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

/// What connections share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) app: Arc<App>,
    pub(super) handshakes: Arc<Handshakes>,
    pub(super) limits: Limits,
    pub(super) shutdown: CancellationToken,
}

impl Shared {
    /// Responds to requests until the client or the exporter closes the connection.
    pub(super) async fn serve(self, stream: TcpStream, client: SocketAddr) {
        let web = self.app.web.borrow().clone();
        let ended = if web.has_tls() {
            self.serve_tls(stream, &web).await
        } else {
            let stream = self.with_write_timeout(stream);
            self.serve_http(stream, false).await
        };
        if let Err(error) = ended {
            debug!(%client, "a connection ended early: {error}");
        }
    }

    async fn serve_tls(self, stream: TcpStream, web: &WebConfig) -> Result<(), Error> {
        let handshake = self.handshakes.begin();
        let active = handshake.clone().drop_guard();
        let stream = tokio::select! {
            accepted = timeout(self.limits.header, self.accept_tls(stream, web)) => {
                accepted.map_err(|_| "the TLS handshake timed out")??
            }
            () = handshake.cancelled() => return Err("a newer TLS handshake evicted this one".into()),
            () = self.shutdown.cancelled() => return Err("shutdown before the TLS handshake was complete".into()),
        };
        drop(active);
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        self.serve_http(stream, is_http2).await
    }

    async fn accept_tls(&self, mut stream: TcpStream, web: &WebConfig) -> Result<TlsStream<WriteTimeoutStream>, Error> {
        let mut first = [0];
        stream.peek(&mut first).await?;
        if first[0].is_ascii_alphabetic() {
            stream.write_all(HTTP_ON_TLS_PORT).await?;
            drain_peer(stream).await;
            return Err("an HTTP request on a TLS port".into());
        }
        let config = web.server_config().await.ok_or("TLS is off")?;
        match TlsAcceptor::from(config).accept(self.with_write_timeout(stream)).into_fallible().await {
            Ok(stream) => Ok(stream),
            Err((error, stream)) => {
                drain_peer(stream).await;
                Err(error.into())
            }
        }
    }

    fn with_write_timeout(&self, stream: TcpStream) -> WriteTimeoutStream {
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.limits.write));
        Box::pin(stream)
    }

    /// Serves requests until the client closes the connection; on shutdown or when it is idle, closes it gracefully.
    async fn serve_http<S>(self, stream: S, is_http2: bool) -> Result<(), Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (app, requests) = (self.app, InFlightRequests::default());
        let in_flight = requests.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let (app, request_in_flight) = (app.clone(), in_flight.begin());
            async move {
                let response = app.respond(&request).await;
                drop(request_in_flight);
                Ok::<_, Infallible>(response)
            }
        });
        let builder = Builder::new(TokioExecutor::new());
        let mut builder = if is_http2 { builder.http2_only() } else { builder.http1_only() };
        builder.http1().timer(TokioTimer::new()).header_read_timeout(self.limits.header);
        builder.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            ended = connection.as_mut() => return ended,
            () = self.shutdown.cancelled() => {}
            // The header timeout of HTTP/1.1 also ends idle connections.
            () = requests.idle_for(self.limits.header), if is_http2 => {
                connection.as_mut().graceful_shutdown();
                return timeout(self.limits.write, connection).await.map_err(|_| "the client did not read a response")?;
            }
        }
        connection.as_mut().graceful_shutdown();
        connection.await
    }
}

/// Closes the sending side, and reads until the client closes its side. If data were left unread, the system would reset
/// the connection and discard what was sent.
async fn drain_peer(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    if stream.shutdown().await.is_ok() {
        // A client that resets the connection does not need the rest.
        drop(copy(&mut stream, &mut sink()).await);
    }
}

type Error = Box<dyn std::error::Error + Send + Sync>;

type WriteTimeoutStream = Pin<Box<TimeoutStream<TcpStream>>>;
