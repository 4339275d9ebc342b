//! The control API and the timeline.

use std::time::Instant;

use serde_json::{Value, json};

use super::{DEADLINE, PEERS, SCENARIO, Served, V2};

const GROUP: &str = "/simulator/groups/5f3a556351db42631e16f301/peers";

fn aws(served: &Served) -> Vec<Value> {
    served.get(PEERS, V2).json()["results"].as_array().unwrap().clone()
}

#[test]
fn a_peering_can_fail_recover_and_vanish() {
    let served = Served::new(SCENARIO);
    let first = format!("{GROUP}/first");
    let failed = json!({"status": "FAILED", "error": "EXPIRED"});
    assert_eq!(served.control("POST", &first, &failed), (200, json!({"done": true})));
    let peering = &aws(&served)[0];
    assert_eq!((&peering["statusName"], &peering["errorStateName"]), (&json!("FAILED"), &json!("EXPIRED")));
    served.control("POST", &first, &json!({"status": "AVAILABLE"}));
    assert_eq!(aws(&served)[0].get("errorStateName"), None);
    served.control("DELETE", &first, &Value::Null);
    assert_eq!(aws(&served).len(), 4);
}

#[test]
fn a_peering_can_appear() {
    let served = Served::new(SCENARIO);
    let peering = json!({"provider": "AWS", "status": "INITIATING", "age": "0s", "vpcId": "vpc-new"});
    let (status, body) = served.control("POST", GROUP, &peering);
    assert_eq!(status, 200);
    let last = aws(&served).pop().unwrap();
    assert_eq!((&last["vpcId"], &last["id"]), (&json!("vpc-new"), &body["ids"][0]));
    let (_, groups) = served.control("GET", "/simulator/groups", &Value::Null);
    assert_eq!(groups[0]["peerings"].as_array().unwrap().len(), 7);
}

#[test]
fn faults_are_set_listed_and_cleared() {
    let served = Served::new(SCENARIO);
    let fault = json!({"effect": {"status": {"code": 503}}, "times": 5});
    assert_eq!(served.control("POST", "/simulator/faults", &fault).0, 200);
    assert_eq!(served.get(PEERS, V2).error_code(), "SERVICE_UNAVAILABLE");
    let (_, faults) = served.control("GET", "/simulator/faults", &Value::Null);
    assert_eq!(faults[0]["times"], 4);
    served.control("DELETE", "/simulator/faults", &Value::Null);
    assert_eq!(served.get(PEERS, V2).status, 200);
}

#[test]
fn requests_are_listed_and_forgotten_but_control_is_no_request() {
    let served = Served::new(SCENARIO);
    served.get(PEERS, V2);
    let (_, requests) = served.control("GET", "/simulator/requests", &Value::Null);
    let outcomes: Vec<_> = requests.as_array().unwrap().iter().map(|one| one["outcome"].clone()).collect();
    assert_eq!(outcomes, ["challenge", "ok"]);
    served.control("DELETE", "/simulator/requests", &Value::Null);
    assert!(served.simulator.requests().is_empty());
}

#[test]
fn a_mistake_is_answered_with_a_sentence() {
    let served = Served::new(SCENARIO);
    let status = json!({"status": "FAILED"});
    let nowhere = "/simulator/groups/111111111111111111111111/peers/first";
    let (code, body) = served.control("POST", nowhere, &status);
    assert_eq!((code, body), (404, json!({"error": "there is no group `111111111111111111111111`"})));
    let fault = json!({"effect": "boom"});
    assert_eq!(served.control("POST", "/simulator/faults", &fault).0, 400);
    let long = json!({"status": "x".repeat(70_000)});
    assert_eq!(served.control("POST", &format!("{GROUP}/first"), &long).0, 400);
    assert_eq!(served.control("GET", "/simulator/nothing", &Value::Null).0, 404);
}

#[test]
fn the_first_page_explains_with_commands_for_this_host() {
    let served = Served::new(SCENARIO);
    let page = served.ask("GET", "/simulator/", "", "");
    let text = String::from_utf8(page.body).unwrap();
    assert!(text.contains("curl http://atlas.test/simulator/faults"), "{text}");
}

#[test]
fn what_is_planned_happens_by_itself() {
    let timeline = "timeline: [{after: 20ms, group: 5f3a556351db42631e16f301, peering: first, status: FAILED}]";
    let served = Served::new(&format!("{timeline}{SCENARIO}"));
    let deadline = Instant::now() + DEADLINE;
    while aws(&served)[0]["statusName"] != "FAILED" {
        assert!(Instant::now() < deadline, "the timeline did not play");
    }
}
