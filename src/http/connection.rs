//! One connection: the TLS handshake, if TLS is on, then requests until it closes.

use std::{
    convert::Infallible,
    future::pending,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
};

use hyper::{
    Request,
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::GracefulConnection,
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
    router::{App, Response},
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
            self.http1(stream).await
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
        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            self.http2(stream).await
        } else {
            self.http1(stream).await
        }
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

    async fn http1<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S) -> Result<(), Error> {
        let (shared, limits) = (self.clone(), self.limits);
        let service = service_fn(move |request| shared.clone().respond(request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header)
            .serve_connection(TokioIo::new(stream), service);
        // Its header timeout also ends idle connections.
        self.drive(connection, pending()).await
    }

    async fn http2<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S) -> Result<(), Error> {
        let (shared, limits, requests) = (self.clone(), self.limits, InFlightRequests::new());
        let in_flight = requests.clone();
        let service = service_fn(move |request| {
            let request_in_flight = in_flight.begin();
            let response = shared.clone().respond(request);
            async move {
                let response = response.await;
                drop(request_in_flight);
                response
            }
        });
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .serve_connection(TokioIo::new(stream), service);
        self.drive(connection, requests.idle_for(limits.header)).await
    }

    /// Runs the connection until the client closes it; on shutdown or when it is idle, closes it gracefully.
    async fn drive<C>(&self, connection: C, idle: impl Future<Output = ()>) -> Result<(), Error>
    where
        C: GracefulConnection<Error = hyper::Error>,
    {
        let mut connection = pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => return Ok(ended?),
            () = self.shutdown.cancelled() => {}
            () = idle => {
                connection.as_mut().graceful_shutdown();
                return Ok(timeout(self.limits.write, connection).await.map_err(|_| "the client did not read a response")??);
            }
        }
        connection.as_mut().graceful_shutdown();
        Ok(connection.await?)
    }

    async fn respond(self, request: Request<Incoming>) -> Result<Response, Infallible> {
        Ok(self.app.respond(&request).await)
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
