//! What the control API can be told to do, and the bodies it is told with.

use std::time::SystemTime;

use hyper::Method;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    super::{AccessList, Credentials, Fault, Group, Peering, Simulator, change::MAX_ADDED, place::Place},
    Outcome, Refusal,
};

/// The new status of a peering.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewStatus {
    status: String,
    error: Option<String>,
}

/// The new credentials of the service account.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewClient {
    client_id: String,
    client_secret: String,
}

/// Whether the client's address is on the access list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAccessList {
    access_list: AccessList,
}

/// When the resources will be gone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSunset {
    sunset: String,
}

/// Does what is asked at a place that takes this method.
pub(super) fn act(simulator: &Simulator, method: &Method, place: &Place, body: &[u8]) -> Outcome {
    match *method {
        Method::DELETE => remove(simulator, place),
        Method::POST => set(simulator, place, body),
        _ => Ok(show(simulator, place)),
    }
}

fn show(simulator: &Simulator, place: &Place) -> Value {
    match place {
        Place::Groups => simulator.groups(),
        Place::Requests => json!(simulator.requests()),
        Place::Faults => json!(simulator.faults()),
        Place::Tokens => json!({"live": simulator.live_tokens()}),
        _ => done(),
    }
}

fn set(simulator: &Simulator, place: &Place, body: &[u8]) -> Outcome {
    match place {
        Place::Groups => {
            let group: Group = parse(body)?;
            simulator.state().groups.add(&group, MAX_ADDED, SystemTime::now())?;
        }
        Place::Peers { group } => {
            let ids = simulator.put_peering(group, parse::<Peering>(body)?)?;
            return Ok(json!({"ids": ids}));
        }
        Place::Peering { group, peering } => {
            let new: NewStatus = parse(body)?;
            simulator.set_status(group, peering, &new.status, new.error.as_deref())?;
        }
        Place::Faults => simulator.fail(fault(body)?),
        Place::Credentials => simulator.set_credentials(parse::<Credentials>(body)?),
        Place::Client => {
            let new: NewClient = parse(body)?;
            simulator.set_client(&new.client_id, &new.client_secret);
        }
        Place::AccessList => simulator.set_access_list(parse::<NewAccessList>(body)?.access_list),
        Place::Sunset => simulator.set_sunset(Some(parse::<NewSunset>(body)?.sunset)),
        Place::Page | Place::Group { .. } | Place::Requests | Place::Tokens => {}
    }
    Ok(done())
}

fn remove(simulator: &Simulator, place: &Place) -> Outcome {
    match place {
        Place::Group { group } => simulator.remove_group(group)?,
        Place::Peering { group, peering } => simulator.remove_peering(group, peering)?,
        Place::Requests => simulator.clear_requests(),
        Place::Faults => simulator.clear_faults(),
        Place::Tokens => simulator.revoke_tokens(),
        Place::Sunset => simulator.set_sunset(None),
        _ => {}
    }
    Ok(done())
}

fn done() -> Value {
    json!({"done": true})
}

fn fault(body: &[u8]) -> Result<Fault, Refusal> {
    let fault: Fault = parse(body)?;
    match fault.lacks() {
        Some(sentence) => Err(Refusal::bad(sentence.to_owned())),
        None => Ok(fault),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::bad(format!("the body does not fit: {error}")))
}
