//! The control API for drills: what Rust can do with a `Simulator`, over HTTP.

use http_body_util::{BodyExt, Limited};
use hyper::{Method, body::Incoming, header::HOST};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{ChangeError, Fault, Peering, Simulator, answer::Answer};

/// A longer body is refused: nothing one can say here needs it.
const MAX_BODY: usize = 64 * 1024;

/// What goes back: JSON, or why not.
type Outcome = Result<Value, Refusal>;

struct Refusal {
    status: u16,
    sentence: String,
}

/// The new status of a peering.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewStatus {
    status: String,
    error: Option<String>,
}

/// Answers any request under `/simulator`.
pub(super) async fn answer(simulator: &Simulator, request: hyper::Request<Incoming>) -> Answer {
    let path = request.uri().path().trim_matches('/').to_owned();
    if path == "simulator" && request.method() == Method::GET {
        return Answer::new("ok", 200, "text/plain; charset=utf-8", page(&request));
    }
    let method = request.method().clone();
    let outcome = match read(request).await {
        Ok(body) => act(simulator, &method, &path, &body),
        Err(refusal) => Err(refusal),
    };
    let (status, body) = match outcome {
        Ok(body) => (200, body),
        Err(refusal) => (refusal.status, json!({"error": refusal.sentence})),
    };
    Answer::new("ok", status, "application/json", format!("{body:#}\n"))
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

fn act(simulator: &Simulator, method: &Method, path: &str, body: &[u8]) -> Outcome {
    let segments: Vec<_> = path.split('/').skip(1).collect();
    match (method.as_str(), segments.as_slice()) {
        ("GET", ["groups"]) => Ok(simulator.groups()),
        ("GET", ["requests"]) => Ok(json!(simulator.requests())),
        ("GET", ["faults"]) => Ok(json!(simulator.faults())),
        ("POST", ["faults"]) => {
            simulator.fail(parse::<Fault>(body)?);
            done()
        }
        ("DELETE", ["faults"]) => {
            simulator.clear_faults();
            done()
        }
        ("DELETE", ["requests"]) => {
            simulator.clear_requests();
            done()
        }
        ("POST", ["groups", group, "peers"]) => {
            let ids = simulator.put_peering(group, parse::<Peering>(body)?)?;
            Ok(json!({"ids": ids}))
        }
        ("POST", ["groups", group, "peers", peering]) => {
            let new: NewStatus = parse(body)?;
            simulator.set_status(group, peering, &new.status, new.error.as_deref())?;
            done()
        }
        ("DELETE", ["groups", group, "peers", peering]) => {
            simulator.remove_peering(group, peering)?;
            done()
        }
        _ => Err(Refusal { status: 404, sentence: format!("there is no {method} /{path}; see GET /simulator/") }),
    }
}

// Kept as a `Result` so that it can end every arm above.
#[allow(clippy::unnecessary_wraps)]
fn done() -> Outcome {
    Ok(json!({"done": true}))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::bad(format!("the body does not fit: {error}")))
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
