//! The simulator on real sockets: connections, requests and the timeline.

use std::{convert::Infallible, future::pending, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Collected, Limited};
use hyper::{Response, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use tracing::{debug, info, warn};

use super::{
    Simulator,
    api::{Reply, decide},
    asked::Asked,
    control,
    delivery::{Delivery, Script, deliver},
};

/// How long to rest when no connection can be accepted, such as without file descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Many times what the fields of a token endpoint need.
const MAX_FORM: usize = 16 * 1024;

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed on purpose")]
struct Closed;

impl Simulator {
    /// Serves connections and plays the timeline until `shutdown`, which cuts what is open.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let never = tokio::select! {
            () = shutdown => return,
            never = self.accept(listener) => never,
            never = self.play_timeline() => never,
        };
        match never {}
    }

    /// Serves one connection with HTTP/1.1 or HTTP/2, whichever the client speaks.
    pub async fn serve_connection<I>(&self, io: I)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request| {
            let simulator = self.clone();
            async move { simulator.respond(request).await }
        });
        let connection = Builder::new(TokioExecutor::new());
        if let Err(error) = connection.serve_connection(TokioIo::new(io), service).await {
            debug!("a connection ended: {error}");
        }
    }

    async fn accept(&self, listener: TcpListener) -> Infallible {
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            match listener.accept().await {
                Ok((stream, _)) => {
                    let simulator = self.clone();
                    connections.spawn(async move { simulator.serve_connection(stream).await });
                }
                Err(error) => {
                    warn!("accept a connection: {error}");
                    sleep(ACCEPT_REST).await;
                }
            }
        }
    }

    async fn play_timeline(&self) -> Infallible {
        let start = Instant::now();
        let mut timeline = self.take_timeline();
        while let Some(entry) = timeline.next() {
            let Some(time) = start.checked_add(entry.after) else {
                break;
            };
            sleep_until(time).await;
            match self.change(&entry.group, &entry.change) {
                Ok(peerings) => info!(group.id = entry.group, ?peerings, "changed as planned"),
                Err(error) => warn!(group.id = entry.group, "change as planned: {error}"),
            }
        }
        pending().await
    }

    async fn respond(&self, request: hyper::Request<Incoming>) -> Result<Response<Script>, Closed> {
        if request.uri().path().starts_with("/simulator") {
            let is_head = request.method() == hyper::Method::HEAD;
            let mut response = deliver(control::answer(self, request).await, Delivery::Whole);
            if is_head {
                *response.body_mut() = Script::default();
            }
            return Ok(response);
        }
        let asked = Asked::read(&request);
        let asked = if asked.wants_form() { asked.with_form(&form(request).await) } else { asked };
        let decision = decide(&mut self.state(), &asked, std::time::Instant::now());
        if !decision.delay.is_zero() {
            sleep(decision.delay).await;
        }
        match decision.reply {
            Reply::Answer(answer, delivery) => Ok(deliver(answer, delivery)),
            Reply::Close => Err(Closed),
            Reply::Never => pending().await,
        }
    }
}

/// What came as a form; nothing where it is too long or breaks off.
async fn form(request: hyper::Request<Incoming>) -> Bytes {
    let body = Limited::new(request.into_body(), MAX_FORM).collect().await;
    body.map(Collected::to_bytes).unwrap_or_default()
}
