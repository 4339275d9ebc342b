//! One connection: the TLS handshake, if TLS is on, then requests until it closes.

use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy, sink},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConnection, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tracing::debug;
use web_config::WebConfig;

use super::{
    activity::{Overdue, ResponseData, UnderWay},
    connections::{Connections, Place},
    limits::Limits,
    router::App,
};

/// Concurrent requests on one HTTP/2 connection. A scraper sends one, a browser three.
const STREAMS: u32 = 4;

/// The bytes of a request body that a client may send before it is read; no request needs a body.
const HTTP2_STREAM_WINDOW: u32 = 1 << 10;

/// The minimum that the protocol allows.
const HTTP2_CONNECTION_WINDOW: u32 = 65_535;

/// A longer header of an HTTP/1.1 request is rejected, unless the last read completes it.
const HTTP1_BUFFER: usize = 32 << 10;

/// The size of the kernel's send buffer for a client that does not read, in bytes; the kernel may adjust it. The buffer
/// counts as memory of the exporter, and by default it grows to megabytes.
const SEND_BUFFER: usize = 128 << 10;

/// The send buffer of rustls: one TLS record.
const TLS_BUFFER: usize = 16 << 10;

/// How long a connection that was idle for too long has to close gracefully.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The response to an HTTP request on a TLS port, in the words of Go's servers.
const HTTP_ON_TLS_PORT: &[u8] = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

/// What connections share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) app: Arc<App>,
    pub(super) connections: Arc<Connections>,
    pub(super) limits: Limits,
    pub(super) shutdown: CancellationToken,
}

impl Shared {
    /// Responds to requests until the client or the exporter closes the connection.
    pub(super) async fn serve(self, stream: TcpStream, place: Place) {
        let ended = tokio::select! {
            ended = self.serve_stream(stream, &place) => ended,
            () = place.activity.is_cut() => Err("closed to make room for others".into()),
        };
        if let Err(error) = ended {
            debug!(client = %place.client, "a connection ended early: {error}");
        }
    }

    async fn serve_stream(&self, stream: TcpStream, place: &Place) -> Result<(), Error> {
        SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER)?;
        let web = self.app.web.borrow().clone();
        if web.has_tls() {
            self.serve_tls(stream, &web, place).await
        } else {
            self.serve_http(stream, false, place).await
        }
    }

    async fn serve_tls(&self, stream: TcpStream, web: &WebConfig, place: &Place) -> Result<(), Error> {
        let stream = tokio::select! {
            accepted = accept_tls(stream, web) => accepted?,
            _ = place.activity.overdue(&self.limits) => return Err("the TLS handshake timed out".into()),
            () = self.shutdown.cancelled() => return Err("shutdown before the TLS handshake was complete".into()),
        };
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        self.serve_http(stream, is_http2, place).await
    }

    /// Serves requests until the client closes the connection; on shutdown or when it is idle, closes it gracefully.
    async fn serve_http<S>(&self, stream: S, is_http2: bool, place: &Place) -> Result<(), Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (shared, client, activity) = (self.clone(), place.client, place.activity.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let (shared, under_way) = (shared.clone(), activity.begin());
            async move { Ok::<_, Infallible>(shared.respond(client, &request, under_way).await) }
        });
        let builder = Builder::new(TokioExecutor::new());
        let mut builder = if is_http2 { builder.http2_only() } else { builder.http1_only() };
        // `Activity` enforces all deadlines.
        builder.http1().header_read_timeout(None).max_buf_size(HTTP1_BUFFER);
        builder
            .http2()
            .max_concurrent_streams(STREAMS)
            .initial_stream_window_size(HTTP2_STREAM_WINDOW)
            .initial_connection_window_size(HTTP2_CONNECTION_WINDOW);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            ended = connection.as_mut() => return ended,
            () = self.shutdown.cancelled() => {}
            overdue = place.activity.overdue(&self.limits) => match overdue {
                Overdue::Response => return Err("the client did not read a response in time".into()),
                Overdue::Request => {
                    connection.as_mut().graceful_shutdown();
                    return timeout(CLOSE_TIMEOUT, connection).await.map_err(|_| "the client sent no request in time")?;
                }
            }
        }
        connection.as_mut().graceful_shutdown();
        connection.await
    }

    /// Responds to a request, which is in flight until the whole response is written. May close connections that keep
    /// too much in memory.
    async fn respond(
        &self,
        client: SocketAddr,
        request: &Request<Incoming>,
        under_way: UnderWay,
    ) -> hyper::Response<Full<ResponseData>> {
        let response = self.app.respond(client, request).await;
        let kind = response.body().version.map(|version| version.kind);
        let response = response.map(|body| Full::new(under_way.respond(body)));
        if let Some(kind) = kind {
            self.connections.enforce_budget(kind);
        }
        response
    }
}

async fn accept_tls(mut stream: TcpStream, web: &WebConfig) -> Result<TlsStream<TcpStream>, Error> {
    let mut first = [0];
    stream.peek(&mut first).await?;
    if first[0].is_ascii_alphabetic() {
        stream.write_all(HTTP_ON_TLS_PORT).await?;
        drain_peer(stream).await;
        return Err("an HTTP request on a TLS port".into());
    }
    let config = web.server_config().await.ok_or("TLS is off")?;
    let limit = |connection: &mut ServerConnection| connection.set_buffer_limit(Some(TLS_BUFFER));
    match TlsAcceptor::from(config).accept_with(stream, limit).into_fallible().await {
        Ok(stream) => Ok(stream),
        Err((error, stream)) => {
            drain_peer(stream).await;
            Err(error.into())
        }
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
