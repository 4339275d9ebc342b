//! The page about the JSON against what a state is made into.

use std::{collections::BTreeMap, time::Duration};

use atlas::{Listing, Peering, Provider, Reason};
use mongodbatlas_peering_exporter::{
    http::status::Status,
    state::{Failure, GroupState, ListingKey, PollResult, State},
};
use serde_json::Value;
use tokio::{runtime::Runtime, sync::watch};

use crate::markdown::{keys, read, section};

/// A group with a peering of AWS, whose polls of Azure fail.
fn state() -> State {
    let target = |provider| ListingKey { group: "5e57d85c854180642f784401".parse().unwrap(), provider };
    let (aws, azure) = (target(Provider::Aws), target(Provider::Azure));
    let groups = BTreeMap::from([(aws.group.clone(), GroupState::configured("main", "payments"))]);
    let (minute, wall, now) = (Duration::from_secs(60), std::time::SystemTime::now(), std::time::Instant::now());
    let mut state = State::new(minute, minute * 15, wall, BTreeMap::new(), groups, [aws.clone(), azure.clone()]);
    let poll = |outcome| PollResult { ended: now, ended_at: wall, duration: minute, due: now, outcome };
    state.record_poll(&aws, poll(Ok(Listing { peerings: vec![Peering::default()], duplicates: 0 })));
    let failure = Failure {
        reason: Reason::Server,
        message: String::new(),
        advice: Reason::Server.advice(),
        is_account_wide: false,
    };
    state.record_poll(&azure, poll(Err(failure)));
    state
}

fn json(path: &str) -> Value {
    let status = Status::new(watch::Sender::new(state()).subscribe(), Box::new(|| None), "/metrics");
    let page = Runtime::new().unwrap().block_on(status.page(path, "")).unwrap().unwrap();
    serde_json::from_slice(page.body()).unwrap()
}

#[test]
fn every_key_of_the_json_is_documented_and_no_other() {
    let page = read("docs/status.md");
    for list in ["peerings", "targets"] {
        let told = json(&format!("/api/v1/{list}"));
        let mut found: Vec<&String> = told[list][0].as_object().unwrap().keys().collect();
        let documented = keys(section(&page, &format!("### `{list}[]`")));
        let mut documented: Vec<&String> = documented.iter().collect();
        found.sort();
        documented.sort();
        assert_eq!(found, documented, "{list}");
        assert!(told["made"].is_string());
    }
    let failure = &json("/api/v1/targets")["targets"][0]["failure"];
    assert_eq!(failure.as_object().unwrap().keys().collect::<Vec<_>>(), ["advice", "error", "reason", "time"]);
}
