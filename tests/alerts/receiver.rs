//! The receiver of Alertmanager's notifications.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    thread,
};

use http_body_util::{BodyExt, Empty};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

/// A notification: its summary, such as `firing pager AtlasPeeringLost`, and its alerts.
#[derive(Clone, Debug)]
pub(crate) struct Notification {
    pub(crate) summary: String,
    pub(crate) alerts: Vec<Value>,
}

/// Both receivers of the example. The server runs until the test process exits.
pub(crate) struct Receiver {
    pub(crate) address: String,
    received: Arc<Mutex<Vec<Notification>>>,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let received = Arc::<Mutex<Vec<Notification>>>::default();
        let shared = received.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        thread::spawn(move || {
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let service = service_fn(|request| receive(request, shared.clone()));
                    // Alertmanager may close the connection at any time.
                    drop(http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service).await);
                }
            });
        });
        Self { address, received }
    }

    pub(crate) fn received(&self) -> Vec<Notification> {
        self.received.lock().unwrap().clone()
    }

    /// One line per notification, in order.
    pub(crate) fn summaries(&self) -> Vec<String> {
        self.received().into_iter().map(|notification| notification.summary).collect()
    }
}

async fn receive(
    request: Request<Incoming>,
    received: Arc<Mutex<Vec<Notification>>>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let receiver = request.uri().path().trim_start_matches('/').to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let summary = format!("{} {receiver} {}", text("/status"), text("/groupLabels/alertname"));
    let alerts = body["alerts"].as_array().unwrap().clone();
    received.lock().unwrap().push(Notification { summary, alerts });
    Ok(Response::new(Empty::new()))
}
