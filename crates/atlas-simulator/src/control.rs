//! The control API for drills: what Rust can do with a `Simulator`, over HTTP.

mod act;

use http_body_util::{BodyExt, Limited};
use hyper::{
    Method,
    body::Incoming,
    header::{ALLOW, HOST},
};
use serde_json::{Value, json};
use tracing::info;

use self::act::act;
use super::{ChangeError, Simulator, answer::Answer, place::Place};

/// A longer body is refused: nothing one can say here needs it.
const MAX_BODY: usize = 64 * 1024;

/// So much of a body is logged, in characters.
const MAX_LOGGED: usize = 200;

/// What goes back: JSON, or why not.
type Outcome = Result<Value, Refusal>;

#[derive(Debug)]
struct Refusal {
    status: u16,
    sentence: String,
}

/// Answers any request under `/simulator`.
pub(super) async fn answer(simulator: &Simulator, request: hyper::Request<Incoming>) -> Answer {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let Some(place) = Place::of(&path) else {
        return told(Err(Refusal { status: 404, sentence: format!("there is no {path}; see GET /simulator/") }));
    };
    if !place.methods().split(", ").any(|allowed| allowed == method.as_str()) {
        let sentence = format!("{path} takes {} only; see GET /simulator/", place.methods());
        return told(Err(Refusal { status: 405, sentence })).with(ALLOW.as_str(), place.methods());
    }
    if place == Place::Page {
        return Answer::new("ok", 200, "text/plain; charset=utf-8", page(&request));
    }
    let outcome = match read(request).await {
        Ok(body) => obey(simulator, &method, &path, &body, &place),
        Err(refusal) => Err(refusal),
    };
    told(outcome)
}

fn told(outcome: Outcome) -> Answer {
    let (status, body) = match outcome {
        Ok(body) => (200, body),
        Err(refusal) => (refusal.status, json!({"error": refusal.sentence})),
    };
    Answer::new("ok", status, "application/json", format!("{body:#}\n"))
}

/// Does what is asked and leaves a line in the log of everything that was changed.
fn obey(simulator: &Simulator, method: &Method, path: &str, body: &[u8], place: &Place) -> Outcome {
    let done = act(simulator, method, place, body)?;
    if !matches!(*method, Method::GET | Method::HEAD) {
        let body = if place.has_secret() { b"not shown" } else { body };
        trace(method, path, body);
    }
    Ok(done)
}

fn trace(method: &Method, path: &str, body: &[u8]) {
    let text = String::from_utf8_lossy(body);
    let mut change: String = text.chars().take(MAX_LOGGED).collect();
    if change.len() < text.len() {
        change.push('\u{2026}');
    }
    info!(method = method.as_str(), path, change, "told by the control API");
}

/// Explains the control API, with commands that name the host the reader used.
fn page(request: &hyper::Request<Incoming>) -> String {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| request.uri().authority().map(hyper::http::uri::Authority::as_str));
    include_str!("control.txt").replace("HOST", host.unwrap_or("127.0.0.1:10918"))
}

async fn read(request: hyper::Request<Incoming>) -> Result<Vec<u8>, Refusal> {
    match Limited::new(request.into_body(), MAX_BODY).collect().await {
        Ok(body) => Ok(body.to_bytes().to_vec()),
        Err(error) => Err(Refusal::bad(format!("the body cannot be read: {error}"))),
    }
}

impl Refusal {
    fn bad(sentence: String) -> Refusal {
        Refusal { status: 400, sentence }
    }
}

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Refusal {
        let sentence = error.to_string();
        match error {
            ChangeError::NoGroup(_) | ChangeError::NoPeering { .. } => Refusal { status: 404, sentence },
            _ => Refusal::bad(sentence),
        }
    }
}

#[cfg(test)]
mod tests;
