//! The control API and the timeline.

use std::time::Instant;

use serde_json::{Value, json};

use super::{DEADLINE, PEERS, SCENARIO, Served, V2};
use crate::{Scenario, Simulator};

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
fn what_cannot_be_done_is_refused_and_changes_nothing() {
    let served = Served::new(SCENARIO);
    let (_, before) = served.control("GET", "/simulator/groups", &Value::Null);
    let peering = |more: Value| {
        let mut peering = json!({"provider": "AWS", "status": "AVAILABLE"});
        peering.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        peering
    };
    let id = "5f3a556351db42631e16f3ff";
    for (path, body) in [
        ("/simulator/faults", json!({})),
        ("/simulator/faults", json!({"times": 0, "effect": "cut"})),
        ("/simulator/faults", json!({"group": "5f3a556351db42631e16f301", "times": 3})),
        ("/simulator/faults", json!({"delay": "18446744073709551615s"})),
        ("/simulator/faults", json!({"effect": {"drip": "2y"}})),
        ("/simulator/faults", json!({"times": -1, "delay": "1s"})),
        (GROUP, peering(json!({"repeat": 0}))),
        (GROUP, peering(json!({"repeat": 1001}))),
        (GROUP, peering(json!({"repeat": 1e99}))),
        (GROUP, peering(json!({"repeat": 2, "id": id}))),
        (GROUP, peering(json!({"repeat": 2, "name": "same"}))),
        (GROUP, peering(json!({"age": "18446744073709551615s"}))),
        (GROUP, peering(json!({"id": "\u{e9}\u{1f980}"}))),
        (GROUP, peering(json!({"provider": ""}))),
        (GROUP, Value::Null),
        ("/simulator/groups", json!({"id": "g1", "name": "odd"})),
        ("/simulator/groups", json!({"id": id, "name": "crowd", "peerings": [peering(json!({"repeat": 1001}))]})),
        ("/simulator/credentials", json!({"public_key": "half"})),
        ("/simulator/client", json!({"client_id": "c", "client_secret": "s", "color": "red"})),
        ("/simulator/access-list", json!({"access_list": "perhaps"})),
        ("/simulator/sunset", json!({})),
    ] {
        let (status, answer) = served.control("POST", path, &body);
        assert_eq!(status, 400, "{path} {body}");
        assert!(answer["error"].as_str().is_some_and(|sentence| !sentence.is_empty()), "{answer}");
    }
    let nowhere = "/simulator/groups/111111111111111111111111/peers";
    assert_eq!(served.control("POST", nowhere, &peering(json!({"repeat": 3}))).0, 404);
    assert_eq!(served.control("GET", "/simulator/groups", &Value::Null), (200, before));
    assert!(served.simulator.faults().is_empty());
}

#[test]
fn every_status_and_text_a_fault_can_have_is_served() {
    let served = Served::new(SCENARIO);
    for code in 200..600 {
        for body in [Value::Null, "\u{1f980}".into()] {
            let status = json!({"code": code, "error_code": "\u{e9}\r\n", "retry_after": u64::MAX, "body": body});
            let fault = json!({"times": 1, "before_auth": true, "group": "", "effect": {"status": status}});
            assert_eq!(served.control("POST", "/simulator/faults", &fault).0, 200);
            let response = served.ask("GET", "/api/atlas/v2/groups//peers", "", "");
            assert_eq!(response.status, code, "{fault}");
        }
    }
}

#[test]
fn a_peering_is_found_by_any_name_and_shown_with_it() {
    let served = Served::new(SCENARIO);
    let peering = json!({"provider": "Azure", "status": "AVAILABLE", "name": "a/b \u{e9}", "vnetName": "v"});
    assert_eq!(served.control("POST", GROUP, &peering).0, 200);
    let shown = || served.control("GET", "/simulator/groups", &Value::Null).1[0]["peerings"].clone();
    let last = shown().as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["name"], &last["providerName"]), (&json!("a/b \u{e9}"), &json!("AZURE")));
    assert_eq!(shown()[1].get("name"), None);
    let path = format!("{GROUP}/a%2Fb%20%C3%A9");
    assert_eq!(served.control("POST", &path, &json!({"status": "FAILED"})).0, 200);
    let sent = served.get(&format!("{PEERS}?providerName=AZURE"), V2).json()["results"][0].clone();
    assert_eq!((&sent["status"], sent.get("name"), sent.get("in_timeline")), (&json!("FAILED"), None, None));
    assert_eq!(served.control("DELETE", &path, &Value::Null).0, 200);
    assert_eq!(shown().as_array().unwrap().len(), 6);
}

#[test]
fn the_list_of_groups_marks_exactly_what_the_timeline_changes() {
    let simulator = Simulator::new(Scenario::demo());
    let groups = simulator.groups();
    let mut marked = Vec::new();
    for group in groups.as_array().unwrap() {
        let peerings = group["peerings"].as_array().unwrap();
        marked
            .extend(peerings.iter().filter(|one| one["in_timeline"] == true).map(|one| (&group["name"], &one["name"])));
    }
    let expected =
        [("checkout-prod", "checkout"), ("analytics-prod", "analytics-batch"), ("logistics-prod", "logistics")];
    let names = marked.iter().map(|(group, peering)| (group.as_str().unwrap(), peering.as_str().unwrap()));
    assert_eq!(names.collect::<Vec<_>>(), expected);
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    let served = Served::new(SCENARIO);
    for (method, path, allowed) in [
        ("POST", "/simulator/", "GET, HEAD"),
        ("DELETE", "/simulator/groups", "GET, HEAD, POST"),
        ("GET", "/simulator/groups/5f3a556351db42631e16f301", "DELETE"),
        ("GET", "/simulator/credentials", "POST"),
        ("DELETE", "/simulator/client", "POST"),
        ("POST", "/simulator/tokens", "GET, HEAD, DELETE"),
        ("PUT", "/simulator/access-list", "POST"),
        ("GET", "/simulator/sunset", "POST, DELETE"),
        ("POST", "/simulator/requests", "GET, HEAD, DELETE"),
        ("PUT", "/simulator/faults", "GET, HEAD, POST, DELETE"),
        ("GET", GROUP, "POST"),
        ("GET", &format!("{GROUP}/first"), "POST, DELETE"),
    ] {
        let response = served.ask(method, path, "", "");
        assert_eq!(response.status, 405, "{method} {path}");
        assert!(response.head.contains(&format!("allow: {allowed}\r\n")), "{}", response.head);
    }
}

#[test]
fn head_is_get_without_the_body() {
    let served = Served::new(SCENARIO);
    for path in ["/simulator/", "/simulator/groups", "/simulator/faults"] {
        let (get, head) = (served.ask("GET", path, "", ""), served.ask("HEAD", path, "", ""));
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        let length = format!("content-length: {}", get.body.len());
        assert!(head.head.contains(&length), "{path}: {}", head.head);
    }
}

#[test]
fn the_first_page_explains_with_commands_for_this_host() {
    let served = Served::new(SCENARIO);
    let page = served.ask("GET", "/simulator/", "", "");
    let text = String::from_utf8(page.body).unwrap();
    assert!(text.contains("curl http://atlas.test/simulator/faults"), "{text}");
    assert!(text.contains("The newest fault that matches a request applies") && text.contains("in_timeline"), "{text}");
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
