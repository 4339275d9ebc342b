//! The documented keys of the JSON match those of the code.

use std::{collections::BTreeMap, time::Duration};

use atlas::{Listing, Peering, Provider, Reason};
use bytes::Buf;
use mongodbatlas_peering_exporter::{
    http::{Exposition, status::Status},
    state::{Failure, GroupState, ListingKey, PollResult, State},
};
use serde_json::Value;
use tokio::{runtime::Runtime, sync::watch};

use crate::markdown::{keys, read, section};

/// A group with an AWS peering and failing polls of Azure.
fn state() -> State {
    let key = |provider| ListingKey { group: "5e57d85c854180642f784401".parse().unwrap(), provider };
    let (aws, azure) = (key(Provider::Aws), key(Provider::Azure));
    let groups = BTreeMap::from([(aws.group.clone(), GroupState::configured("main", "payments"))]);
    let (minute, wall, now) = (Duration::from_secs(60), std::time::SystemTime::now(), std::time::Instant::now());
    let mut state = State::new(minute, minute * 15, wall, BTreeMap::new(), groups, [aws.clone(), azure.clone()]);
    let poll = |outcome| PollResult { ended: now, ended_at: wall, run: None, due: now, outcome };
    state.record_poll(&aws, poll(Ok(Listing { peerings: vec![Peering::default()], duplicates: 0 })));
    state.record_poll(&azure, poll(Err(Failure::without_request(Reason::Server, String::new()))));
    state
}

fn json(path: &str) -> Value {
    let state = watch::Sender::new(state()).subscribe();
    let exposition = watch::Sender::new(Exposition::render(&state).unwrap()).subscribe();
    let status = Status::new(state, exposition, "/metrics").unwrap();
    let content = Runtime::new().unwrap().block_on(status.get(path, "")).unwrap().unwrap();
    serde_json::from_slice(content.body.data.chunk()).unwrap()
}

#[test]
fn the_documented_keys_are_those_of_the_json() {
    let page = read("docs/status.md");
    for list in ["peerings", "targets"] {
        let body = json(&format!("/api/v1/{list}"));
        let mut found: Vec<&String> = body[list][0].as_object().unwrap().keys().collect();
        let documented = keys(section(&page, &format!("### `{list}[]`")));
        let mut documented: Vec<&String> = documented.iter().collect();
        found.sort();
        documented.sort();
        assert_eq!(found, documented, "{list}");
        assert!(body["made"].is_string());
    }
    let failure = &json("/api/v1/targets")["targets"][0]["failure"];
    assert_eq!(failure.as_object().unwrap().keys().collect::<Vec<_>>(), ["advice", "error", "reason", "time"]);
}
