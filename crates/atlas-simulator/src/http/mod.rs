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

use std::{convert::Infallible, future::pending, mem, time::Duration};

use http_body_util::{BodyExt, Collected, Limited};
use hyper::{Method, Request, Response, body::Incoming, service::service_fn};
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

use self::{api::Action, body::FaultyBody, request::ApiRequest};
use crate::{scenario::timeline::Timeline, simulator::Simulator};

/// How long to wait when no connection can be accepted, such as without file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Many times what the fields of a token endpoint need.
const MAX_FORM: usize = 16 * 1024;

/// A fault closes the connection without a response.
#[derive(Debug, thiserror::Error)]
#[error("a fault closes the connection")]
struct Closed;

impl Simulator {
    /// Serves connections and plays the timeline until `shutdown`, which drops open connections.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let never = tokio::select! {
            () = shutdown => return,
            never = self.accept(listener) => never,
            never = self.play_timeline() => never,
        };
        match never {}
    }

    /// Serves one connection with HTTP/1.1 or HTTP/2, depending on the client.
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
            debug!("connection ended: {error}");
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
                    warn!("cannot accept a connection: {error}");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
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

    async fn respond(&self, request: Request<Incoming>) -> Result<Response<FaultyBody>, Closed> {
        if request.uri().path().starts_with("/simulator") {
            let is_head = request.method() == Method::HEAD;
            return Ok(control::respond(self, request).await.into_http(is_head));
        }
        let (head, body) = request.into_parts();
        let mut request = ApiRequest::parse(head);
        if request.has_form {
            // A form that is too long or breaks off is empty.
            let form = Limited::new(body, MAX_FORM).collect().await.map(Collected::to_bytes);
            request.set_form(&form.unwrap_or_default());
        }
        let (delay, action) = api::handle(&mut self.state(), &request);
        if !delay.is_zero() {
            sleep(delay).await;
        }
        match action {
            Action::Respond(response) => Ok(response.into_http(false)),
            Action::Close => Err(Closed),
            Action::Stall => pending().await,
        }
    }
}
