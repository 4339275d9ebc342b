//! The control API for drills: what Rust can do with a `Simulator`, over HTTP.

use std::time::SystemTime;

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{
        HeaderMap, Method, StatusCode, Uri,
        header::{CONTENT_TYPE, HOST},
        uri::Authority,
    },
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, any, get, on},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tracing::info;

use crate::{
    fault::Fault,
    scenario::{group::ScenarioGroup, peering::ScenarioPeering, settings::AccessList},
    simulator::Simulator,
    state::change::{ChangeError, MAX_ADDED},
};

/// A longer body is refused. No command needs it.
const MAX_BODY: usize = 64 * 1024;

/// How much of a body is logged, in characters.
const MAX_LOGGED: usize = 200;

/// The group and the peering in a path, as far as it has them.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Target {
    group: String,
    peering: String,
}

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

/// Why a command is refused.
struct Refusal(StatusCode, String);

/// Every command.
pub(crate) fn router() -> Router<Simulator> {
    Router::new()
        .route("/simulator", get(help))
        .route("/simulator/", get(help))
        .route("/simulator/groups", show(Simulator::groups))
        .route(
            "/simulator/groups",
            change(|simulator, _, group: ScenarioGroup| {
                simulator.state().groups.add(&group, MAX_ADDED, SystemTime::now())?;
                Ok(done())
            }),
        )
        .route("/simulator/groups/{group}", remove(|simulator, target| simulator.remove_group(&target.group)))
        .route("/simulator/groups/{group}/peers", change(put_peering))
        .route(
            "/simulator/groups/{group}/peers/{peering}",
            change(|simulator, Target { group, peering }, new: NewStatus| {
                simulator.set_status(group, peering, &new.status, new.error.as_deref())?;
                Ok(done())
            }),
        )
        .route(
            "/simulator/groups/{group}/peers/{peering}",
            remove(|simulator, Target { group, peering }| simulator.remove_peering(group, peering)),
        )
        .route("/simulator/requests", show(|simulator| json!(simulator.requests())))
        .route("/simulator/requests", clear(Simulator::clear_requests))
        .route("/simulator/faults", show(|simulator| json!(simulator.state().faults)))
        .route("/simulator/faults", change(add_fault))
        .route("/simulator/faults", clear(Simulator::clear_faults))
        .route("/simulator/tokens", show(|simulator| json!({"live": simulator.live_tokens()})))
        .route("/simulator/tokens", clear(Simulator::revoke_tokens))
        .route("/simulator/credentials", set(Simulator::set_credentials))
        .route(
            "/simulator/client",
            set(|simulator, new: NewClient| simulator.set_client(&new.client_id, &new.client_secret)),
        )
        .route(
            "/simulator/access-list",
            set(|simulator, new: NewAccessList| simulator.set_access_list(new.access_list)),
        )
        .route("/simulator/sunset", set(|simulator, new: NewSunset| simulator.set_sunset(Some(new.sunset))))
        .route("/simulator/sunset", clear(|simulator| simulator.set_sunset(None)))
        .route("/simulator/{*path}", any(unknown))
        .layer(DefaultBodyLimit::max(MAX_BODY))
}

fn put_peering(simulator: &Simulator, target: &Target, peering: ScenarioPeering) -> Result<Value, Refusal> {
    Ok(json!({"ids": simulator.put_peering(&target.group, peering)?}))
}

fn add_fault(simulator: &Simulator, _: &Target, fault: Fault) -> Result<Value, Refusal> {
    fault.validate().map_err(|message| Refusal(StatusCode::BAD_REQUEST, message.to_owned()))?;
    simulator.fail(fault);
    Ok(done())
}

/// Explains the control API with commands for the host that the reader used.
async fn help(headers: HeaderMap, uri: Uri) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| uri.authority().map(Authority::as_str));
    include_str!("control.txt").replace("HOST", host.unwrap_or("127.0.0.1:10918"))
}

async fn unknown(uri: Uri) -> Refusal {
    Refusal(StatusCode::NOT_FOUND, format!("there is no {}; see GET /simulator/", uri.path()))
}

fn show(read: fn(&Simulator) -> Value) -> MethodRouter<Simulator> {
    get(move |State(simulator): State<Simulator>| async move { json_response(StatusCode::OK, &read(&simulator)) })
}

fn clear(command: fn(&Simulator)) -> MethodRouter<Simulator> {
    execute(MethodFilter::DELETE, move |simulator, _, _| {
        command(simulator);
        Ok(done())
    })
}

fn remove(command: fn(&Simulator, &Target) -> Result<(), ChangeError>) -> MethodRouter<Simulator> {
    execute(MethodFilter::DELETE, move |simulator, target, _| {
        command(simulator, target)?;
        Ok(done())
    })
}

fn set<T: DeserializeOwned + 'static>(command: fn(&Simulator, T)) -> MethodRouter<Simulator> {
    execute(MethodFilter::POST, move |simulator, _, body| {
        command(simulator, parse(body)?);
        Ok(done())
    })
}

fn change<T: DeserializeOwned + 'static>(
    command: fn(&Simulator, &Target, T) -> Result<Value, Refusal>,
) -> MethodRouter<Simulator> {
    execute(MethodFilter::POST, move |simulator, target, body| command(simulator, target, parse(body)?))
}

/// A command that changes something, which is logged.
fn execute<F>(method: MethodFilter, command: F) -> MethodRouter<Simulator>
where
    F: Fn(&Simulator, &Target, &[u8]) -> Result<Value, Refusal> + Clone + Send + Sync + 'static,
{
    let handler = async move |State(simulator): State<Simulator>,
                              Path(target): Path<Target>,
                              method: Method,
                              uri: Uri,
                              body: Bytes| {
        let result = command(&simulator, &target, &body)?;
        log(&method, uri.path(), &body);
        Ok::<_, Refusal>(json_response(StatusCode::OK, &result))
    };
    on(method, handler)
}

fn log(method: &Method, path: &str, body: &[u8]) {
    let has_secret = ["/simulator/credentials", "/simulator/client"].contains(&path);
    let text = if has_secret { "not shown".into() } else { String::from_utf8_lossy(body) };
    let mut change: String = text.chars().take(MAX_LOGGED).collect();
    if change.len() < text.len() {
        change.push('\u{2026}');
    }
    info!(method = method.as_str(), path, change, "changed by the control API");
}

// The content type does not matter: that of `curl -d` is a form.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let invalid = |error| Refusal(StatusCode::BAD_REQUEST, format!("the body is invalid: {error}"));
    serde_json::from_slice(body).map_err(invalid)
}

fn done() -> Value {
    json!({"done": true})
}

fn json_response(status: StatusCode, body: &Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], format!("{body:#}\n")).into_response()
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        json_response(self.0, &json!({"error": self.1}))
    }
}

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Refusal {
        let status = match error {
            ChangeError::NoGroup(_) | ChangeError::NoPeering { .. } => StatusCode::NOT_FOUND,
            _ => StatusCode::BAD_REQUEST,
        };
        Refusal(status, error.to_string())
    }
}

#[cfg(test)]
mod tests;
