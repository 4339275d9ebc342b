//! The control API for drills: what Rust can do with a `Simulator`, over HTTP.

use std::{convert::identity, time::SystemTime};

use http_body_util::{BodyExt, Limited};
use hyper::{
    Method, Request,
    body::Incoming,
    header::{ALLOW, HOST},
    http::{request::Parts, uri::Authority},
};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tracing::info;

use super::body::ApiResponse;
use crate::{
    fault::Fault,
    scenario::settings::{AccessList, Credentials},
    simulator::Simulator,
    state::change::{ChangeError, MAX_ADDED},
};

/// A longer body is refused. No command needs it.
const MAX_BODY: usize = 64 * 1024;

/// How much of a body is logged, in characters.
const MAX_LOGGED: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewStatus {
    status: String,
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewClient {
    client_id: String,
    client_secret: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAccessList {
    access_list: AccessList,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSunset {
    sunset: String,
}

/// Responds to any request under `/simulator`.
pub(crate) async fn respond(simulator: &Simulator, request: Request<Incoming>) -> ApiResponse {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    if path.trim_matches('/') == "simulator" && is_read(&head.method) {
        return ApiResponse::new(200, "text/plain; charset=utf-8", help(&head));
    }
    let result = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => handle(simulator, &head.method, path, &body.to_bytes()),
        Err(error) => Err(refusal(400, format!("the body cannot be read: {error}"))),
    };
    result.map_or_else(identity, |body| json_response(200, &body))
}

fn json_response(status: u16, body: &Value) -> ApiResponse {
    ApiResponse::new(status, "application/json", format!("{body:#}\n"))
}

fn refusal(status: u16, message: impl Into<String>) -> ApiResponse {
    json_response(status, &json!({"error": message.into()}))
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Executes a command and logs it if it changed something. An error is the response to a refused command.
fn handle(simulator: &Simulator, method: &Method, path: &str, body: &[u8]) -> Result<Value, ApiResponse> {
    let segments = path.trim_matches('/').split('/');
    let segments: Vec<_> = segments.map(|text| percent_decode_str(text).decode_utf8_lossy()).collect();
    let segments: Vec<_> = segments.iter().map(AsRef::as_ref).collect();
    let Some(allowed) = allowed_methods(&segments) else {
        return Err(refusal(404, format!("there is no {path}; see GET /simulator/")));
    };
    if !allowed.split(", ").any(|allowed| allowed == method.as_str()) {
        let refusal = refusal(405, format!("{path} takes {allowed} only; see GET /simulator/"));
        return Err(refusal.with(ALLOW.as_str(), allowed));
    }
    let result = dispatch(simulator, method, &segments[1..], body)?;
    if !is_read(method) {
        let has_secret = matches!(segments[1..], ["credentials" | "client"]);
        let text = if has_secret { "not shown".into() } else { String::from_utf8_lossy(body) };
        let mut change: String = text.chars().take(MAX_LOGGED).collect();
        if change.len() < text.len() {
            change.push('\u{2026}');
        }
        info!(method = method.as_str(), path, change, "changed by the control API");
    }
    Ok(result)
}

/// The value of `Allow`, or none for an unknown path.
fn allowed_methods(segments: &[&str]) -> Option<&'static str> {
    let ["simulator", rest @ ..] = segments else { return None };
    let methods = match rest {
        [] => "GET, HEAD",
        ["groups"] => "GET, HEAD, POST",
        ["groups", _] => "DELETE",
        ["groups", _, "peers"] | ["credentials" | "client" | "access-list"] => "POST",
        ["groups", _, "peers", _] | ["sunset"] => "POST, DELETE",
        ["requests" | "tokens"] => "GET, HEAD, DELETE",
        ["faults"] => "GET, HEAD, POST, DELETE",
        _ => return None,
    };
    Some(methods)
}

fn dispatch(simulator: &Simulator, method: &Method, path: &[&str], body: &[u8]) -> Result<Value, ApiResponse> {
    match (method.as_str(), path) {
        ("GET" | "HEAD", ["groups"]) => return Ok(simulator.groups()),
        ("GET" | "HEAD", ["requests"]) => return Ok(json!(simulator.requests())),
        ("GET" | "HEAD", ["faults"]) => return Ok(json!(simulator.state().faults)),
        ("GET" | "HEAD", ["tokens"]) => return Ok(json!({"live": simulator.live_tokens()})),
        ("POST", ["groups"]) => {
            simulator.state().groups.add(&parse(body)?, MAX_ADDED, SystemTime::now())?;
        }
        ("DELETE", ["groups", group]) => simulator.remove_group(group)?,
        ("POST", ["groups", group, "peers"]) => {
            let ids = simulator.put_peering(group, parse(body)?)?;
            return Ok(json!({"ids": ids}));
        }
        ("POST", ["groups", group, "peers", peering]) => {
            let new: NewStatus = parse(body)?;
            simulator.set_status(group, peering, &new.status, new.error.as_deref())?;
        }
        ("DELETE", ["groups", group, "peers", peering]) => {
            simulator.remove_peering(group, peering)?;
        }
        ("POST", ["faults"]) => {
            let fault: Fault = parse(body)?;
            fault.validate().map_err(|message| refusal(400, message))?;
            simulator.fail(fault);
        }
        ("POST", ["credentials"]) => simulator.set_credentials(parse::<Credentials>(body)?),
        ("POST", ["client"]) => {
            let new: NewClient = parse(body)?;
            simulator.set_client(&new.client_id, &new.client_secret);
        }
        ("POST", ["access-list"]) => simulator.set_access_list(parse::<NewAccessList>(body)?.access_list),
        ("POST", ["sunset"]) => simulator.set_sunset(Some(parse::<NewSunset>(body)?.sunset)),
        ("DELETE", ["requests"]) => simulator.clear_requests(),
        ("DELETE", ["faults"]) => simulator.clear_faults(),
        ("DELETE", ["tokens"]) => simulator.revoke_tokens(),
        ("DELETE", ["sunset"]) => simulator.set_sunset(None),
        _ => {}
    }
    Ok(json!({"done": true}))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiResponse> {
    serde_json::from_slice(body).map_err(|error| refusal(400, format!("the body is invalid: {error}")))
}

impl From<ChangeError> for ApiResponse {
    fn from(error: ChangeError) -> ApiResponse {
        let status = match error {
            ChangeError::NoGroup(_) | ChangeError::NoPeering { .. } => 404,
            _ => 400,
        };
        refusal(status, error.to_string())
    }
}

/// Explains the control API with commands for the host that the reader used.
fn help(head: &Parts) -> String {
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| head.uri.authority().map(Authority::as_str));
    include_str!("control.txt").replace("HOST", host.unwrap_or("127.0.0.1:10918"))
}

#[cfg(test)]
mod tests;
