//! One connection: the TLS handshake if there is one, then requests until the end.

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
    sync::watch,
    time::timeout,
};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::{Limits, Routes, handshakes::Handshakes, idle::Requests, router::Answer};
use web_config::WebConfig;

/// Requests at once on one connection of HTTP/2. A scraper has one.
const STREAMS: u32 = 16;

/// To a client that speaks HTTP where TLS is spoken, in the words of Go's servers.
const NO_TLS: &[u8] = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

/// What all connections share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) routes: Arc<Routes>,
    /// Asked anew for each connection and each request.
    pub(super) web: watch::Receiver<Arc<WebConfig>>,
    pub(super) handshakes: Arc<Handshakes>,
    pub(super) limits: Limits,
    pub(super) shutdown: CancellationToken,
}

impl Shared {
    /// Answers until the client or the exporter wants no more.
    pub(super) async fn serve(self, stream: TcpStream, client: SocketAddr) {
        let web = self.web.borrow().clone();
        let ended = if web.has_tls() { self.serve_tls(stream, &web).await } else { self.serve_plain(stream).await };
        if let Err(error) = ended {
            debug!(%client, "a connection ended early: {error}");
        }
    }

    async fn serve_plain(self, stream: TcpStream) -> Result<(), Error> {
        let stream = self.bounded(stream);
        self.http1(stream).await
    }

    async fn serve_tls(self, stream: TcpStream, web: &WebConfig) -> Result<(), Error> {
        let handshake = self.handshakes.begin();
        let stream = tokio::select! {
            shaken = timeout(self.limits.header, self.shake_hands(stream, web)) => {
                shaken.map_err(|_| "no handshake in time")??
            }
            () = handshake.cut() => return Err("no handshake, and newer ones wait".into()),
            () = self.shutdown.cancelled() => return Err("the end came before the handshake".into()),
        };
        drop(handshake);
        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            self.http2(stream).await
        } else {
            self.http1(stream).await
        }
    }

    async fn shake_hands(&self, mut stream: TcpStream, web: &WebConfig) -> Result<Encrypted, Error> {
        let mut first = [0];
        stream.peek(&mut first).await?;
        if first[0].is_ascii_alphabetic() {
            stream.write_all(NO_TLS).await?;
            linger(stream).await;
            return Err("it spoke HTTP instead of TLS".into());
        }
        // It was there a moment ago, and what has TLS does not lose it.
        let config = web.server_config().await.ok_or("TLS is off")?;
        match TlsAcceptor::from(config).accept(self.bounded(stream)).into_fallible().await {
            Ok(stream) => Ok(stream),
            Err((error, stream)) => {
                linger(stream).await;
                Err(error.into())
            }
        }
    }

    fn bounded(&self, stream: TcpStream) -> Bounded {
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
        // It watches for idle clients itself.
        self.drive(connection, pending()).await
    }

    async fn http2<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S) -> Result<(), Error> {
        let (shared, limits, requests) = (self.clone(), self.limits, Requests::new());
        let begun = requests.clone();
        let service = service_fn(move |request| {
            let under_way = begun.begin();
            let response = shared.clone().respond(request);
            async move {
                let response = response.await;
                drop(under_way);
                response
            }
        });
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .serve_connection(TokioIo::new(stream), service);
        self.drive(connection, requests.none_for(limits.header)).await
    }

    /// To the end, which is a graceful one if it is ours.
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
                return Ok(timeout(self.limits.write, connection).await.map_err(|_| "an answer was not taken")??);
            }
        }
        connection.as_mut().graceful_shutdown();
        Ok(connection.await?)
    }

    async fn respond(self, request: Request<Incoming>) -> Result<Answer, Infallible> {
        let web = self.web.borrow().clone();
        let access = web.access();
        let mut response = match access.authorize(request.headers()).await {
            Ok(()) => self.routes.answer(&request).await,
            Err(status) => self.routes.refuse(&request, status),
        };
        access.apply_headers(&mut response);
        Ok(response)
    }
}

/// Waits until the client has heard what was said to it. If it were not read from meanwhile, the system would take
/// that back.
async fn linger(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    if stream.shutdown().await.is_ok() {
        // A client that breaks off has heard enough.
        drop(copy(&mut stream, &mut sink()).await);
    }
}

type Error = Box<dyn std::error::Error + Send + Sync>;

type Bounded = Pin<Box<TimeoutStream<TcpStream>>>;

type Encrypted = tokio_rustls::server::TlsStream<Bounded>;
