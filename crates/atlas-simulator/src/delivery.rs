//! How an answer goes over the wire: whole, or badly.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::{
    Response,
    body::{Body, Frame},
    header::HeaderValue,
};
use tokio::time::{Sleep, sleep};

use super::answer::Answer;

static CHUNK: [u8; 64 * 1024] = [b'x'; 64 * 1024];

/// Long enough for what was sent before a break to leave this host.
const FLUSH: Duration = Duration::from_millis(10);

/// How the body of an answer is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    Whole,
    /// Half of what the headers promise.
    Cut,
    /// A byte, a pause, a byte.
    Drip(Duration),
    /// Still valid JSON, but longer than so many bytes.
    Padded(u64),
}

/// A body that breaks off on purpose; it ends the connection, or the stream of HTTP/2.
#[derive(Debug, thiserror::Error)]
#[error("the body is cut on purpose")]
pub(super) struct Cut;

/// A body that is played step by step.
#[derive(Default)]
pub(super) struct Script {
    steps: VecDeque<Step>,
    pause: Option<Pin<Box<Sleep>>>,
}

enum Step {
    Send(Bytes),
    Chunks(u64),
    Pause(Duration),
    Break,
}

/// Turns an answer into what hyper sends.
pub(super) fn deliver(answer: Answer, delivery: Delivery) -> Response<Script> {
    let length = answer.body.len();
    let mut response = Response::new(Script::new(answer.body, delivery));
    *response.status_mut() = hyper::StatusCode::from_u16(answer.status).unwrap_or_default();
    let headers = response.headers_mut();
    for (name, value) in answer.headers {
        // What a fault was told to say may be no valid header: then it stays out.
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    if !matches!(delivery, Delivery::Padded(_)) {
        headers.insert("content-length", length.into());
    }
    response
}

impl Script {
    fn new(body: Vec<u8>, delivery: Delivery) -> Script {
        let body = Bytes::from(body);
        let steps = match delivery {
            Delivery::Whole => VecDeque::from([Step::Send(body)]),
            Delivery::Cut => {
                let half = body.slice(..body.len() / 2);
                VecDeque::from([Step::Send(half), Step::Pause(FLUSH), Step::Break])
            }
            Delivery::Drip(pause) => {
                (0..body.len()).flat_map(|index| [Step::Send(body.slice(index..=index)), Step::Pause(pause)]).collect()
            }
            Delivery::Padded(size) => padded(&body, size).into(),
        };
        Script { steps, pause: None }
    }
}

/// Adds a field of sufficient length to a JSON object.
fn padded(body: &Bytes, size: u64) -> Vec<Step> {
    let object = body.trim_ascii_end().strip_suffix(b"}").map_or(0, <[u8]>::len);
    vec![
        Step::Send(body.slice(..object)),
        Step::Send(Bytes::from_static(br#","padding":""#)),
        Step::Chunks(size / CHUNK.len() as u64 + 1),
        Step::Send(Bytes::from_static(br#""}"#)),
    ]
}

impl Body for Script {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(context));
                self.pause = None;
            }
            let data = match self.steps.pop_front() {
                None => return Poll::Ready(None),
                Some(Step::Break) => return Poll::Ready(Some(Err(Cut))),
                Some(Step::Pause(pause)) => {
                    self.pause = Some(Box::pin(sleep(pause)));
                    continue;
                }
                Some(Step::Chunks(0)) => continue,
                Some(Step::Chunks(left)) => {
                    self.steps.push_front(Step::Chunks(left - 1));
                    Bytes::from_static(&CHUNK)
                }
                Some(Step::Send(data)) => data,
            };
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty() && self.pause.is_none()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn answer() -> Answer {
        Answer::new("ok", 200, "application/json", r#"{"results":[]}"#)
    }

    #[tokio::test]
    async fn a_padded_body_is_valid_json_beyond_its_size() {
        let response = deliver(answer(), Delivery::Padded(100_000));
        assert!(!response.headers().contains_key("content-length"));
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        assert!(bytes.len() > 100_000);
        let body: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(body["results"], serde_json::json!([]));
    }

    #[tokio::test]
    async fn a_cut_body_promises_all_and_breaks_in_the_middle() {
        let response = deliver(answer(), Delivery::Cut);
        assert_eq!(response.headers()["content-length"], "14");
        let mut body = response.into_body();
        let half = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(half, r#"{"resul"#);
        assert!(body.frame().await.unwrap().is_err());
    }

    #[tokio::test]
    async fn a_dripping_body_takes_a_pause_for_every_byte() {
        let start = std::time::Instant::now();
        let response = deliver(answer(), Delivery::Drip(Duration::from_millis(1)));
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(bytes, r#"{"results":[]}"#);
        assert!(start.elapsed() >= Duration::from_millis(14));
    }
}
