//! The control API and the timeline.

use std::time::Instant;

use serde_json::{Value, json};

use super::{ACCEPT_V2, FORM_HEADER, PEERS, SCENARIO, TEST_TIMEOUT, TOKEN, TestServer, authorization, error};
use crate::{Credentials, Scenario, Simulator};

const PEERINGS: &str = "/simulator/groups/5f3a556351db42631e16f301/peers";
/// `mdb_sa_id_5f0000000000000000000002:mdb_sa_sk_new`
const NEW_CLIENT: &str = "Authorization: Basic bWRiX3NhX2lkXzVmMDAwMDAwMDAwMDAwMDAwMDAwMDAwMjptZGJfc2Ffc2tfbmV3\r\n";

fn execute(server: &TestServer, method: &str, path: &str, body: &Value) {
    assert_eq!(server.control(method, path, body), (200, json!({"done": true})), "{path}");
}

fn show(server: &TestServer, path: &str) -> Value {
    let (status, body) = server.control("GET", &format!("/simulator/{path}"), &Value::Null);
    assert_eq!(status, 200, "{path}");
    body
}

fn aws(server: &TestServer) -> Vec<Value> {
    server.get(PEERS, ACCEPT_V2).json()["results"].as_array().unwrap().clone()
}

#[test]
fn a_peering_can_fail_recover_disappear_and_appear() {
    let server = TestServer::new(SCENARIO);
    let first = format!("{PEERINGS}/first");
    execute(&server, "POST", &first, &json!({"status": "FAILED", "error": "EXPIRED"}));
    let peering = &aws(&server)[0];
    assert_eq!((&peering["statusName"], &peering["errorStateName"]), (&json!("FAILED"), &json!("EXPIRED")));
    execute(&server, "POST", &first, &json!({"status": "AVAILABLE"}));
    assert_eq!(aws(&server)[0].get("errorStateName"), None);
    execute(&server, "DELETE", &first, &Value::Null);
    assert_eq!(aws(&server).len(), 4);
    let peering = json!({"provider": "AWS", "status": "INITIATING", "age": "0s", "vpcId": "vpc-new"});
    let (status, body) = server.control("POST", PEERINGS, &peering);
    let last = aws(&server).pop().unwrap();
    assert_eq!((status, &last["vpcId"], &last["id"]), (200, &json!("vpc-new"), &body["ids"][0]));
}

#[test]
fn a_peering_is_found_by_any_name_which_is_not_sent_to_api_clients() {
    let server = TestServer::new(SCENARIO);
    let peering = json!({"provider": "Azure", "status": "AVAILABLE", "name": "a/b \u{e9}", "vnetName": "v"});
    assert_eq!(server.control("POST", PEERINGS, &peering).0, 200);
    let peerings = || show(&server, "groups")[0]["peerings"].as_array().unwrap().clone();
    let last = peerings().pop().unwrap();
    assert_eq!((&last["name"], &last["providerName"]), (&json!("a/b \u{e9}"), &json!("AZURE")));
    assert_eq!(peerings()[1].get("name"), None);
    let path = format!("{PEERINGS}/a%2Fb%20%C3%A9");
    execute(&server, "POST", &path, &json!({"status": "FAILED"}));
    let sent = server.get(&format!("{PEERS}?providerName=AZURE"), ACCEPT_V2).json()["results"][0].clone();
    assert_eq!((&sent["status"], sent.get("name"), sent.get("in_timeline")), (&json!("FAILED"), None, None));
    execute(&server, "DELETE", &path, &Value::Null);
    assert_eq!(peerings().len(), 6);
}

#[test]
fn a_group_can_appear_be_replaced_and_disappear() {
    let server = TestServer::new(SCENARIO);
    let id = "5f3a556351db42631e16f309";
    let peers = PEERS.replace("5f3a556351db42631e16f301", id);
    for vpc in ["vpc-1", "vpc-2"] {
        let group = json!({
            "id": id, "name": "new", "tags": {"env": "sandbox"}, "containers": [{"provider": "AWS"}],
            "peerings": [{"provider": "AWS", "status": "AVAILABLE", "vpcId": vpc}],
        });
        execute(&server, "POST", "/simulator/groups", &group);
        assert_eq!(server.get(&peers, ACCEPT_V2).json()["results"][0]["vpcId"], vpc);
    }
    let groups = show(&server, "groups");
    assert_eq!(groups.as_array().unwrap().len(), 3);
    assert_eq!(groups[2]["tags"]["env"], "sandbox");
    assert_eq!(groups[2]["org_id"], "5f0000000000000000000001");
    assert_eq!(groups[2]["containers"][0]["providerName"], "AWS");
    let path = format!("/simulator/groups/{id}");
    execute(&server, "DELETE", &path, &Value::Null);
    assert_eq!(server.get(&peers, ACCEPT_V2).error(), error(404, "GROUP_NOT_FOUND"));
    assert_eq!(server.control("DELETE", &path, &Value::Null).0, 404);
}

#[test]
fn faults_and_requests_are_listed_and_cleared() {
    let server = TestServer::new(SCENARIO);
    execute(&server, "POST", "/simulator/faults", &json!({"effect": {"status": {"code": 503}}, "times": 5}));
    assert_eq!(server.get(PEERS, ACCEPT_V2).error(), error(503, "SERVICE_UNAVAILABLE"));
    assert_eq!(show(&server, "faults")[0]["times"], 4);
    let requests = show(&server, "requests");
    let outcomes: Vec<_> = requests.as_array().unwrap().iter().map(|request| &request["outcome"]).collect();
    assert_eq!(outcomes, ["challenge", "fault"], "requests of the control API are not logged");
    for path in ["faults", "requests"] {
        execute(&server, "DELETE", &format!("/simulator/{path}"), &Value::Null);
        assert_eq!(show(&server, path), json!([]));
    }
}

#[test]
fn a_new_key_is_accepted_and_the_nonces_of_the_old_one_are_stale() {
    let server = TestServer::new(SCENARIO);
    let nonce = server.request("GET", PEERS, ACCEPT_V2, "").nonce();
    assert_eq!(server.outcome(&authorization(PEERS, &nonce, 1, "demo")), (200, "ok"));
    execute(&server, "POST", "/simulator/credentials", &json!({"public_key": "demo", "private_key": "new"}));
    assert_eq!(server.outcome(&authorization(PEERS, &nonce, 2, "demo")), (401, "bad_credentials"));
    assert_eq!(server.outcome(&authorization(PEERS, &nonce, 3, "new")), (401, "stale"));
    let nonce = server.request("GET", PEERS, ACCEPT_V2, "").nonce();
    assert_eq!(server.outcome(&authorization(PEERS, &nonce, 1, "new")), (200, "ok"));
    server.simulator.set_credentials(Credentials { public_key: "other".to_owned(), private_key: "new".to_owned() });
    assert_eq!(server.outcome(&authorization(PEERS, &nonce, 2, "new")), (401, "bad_credentials"));
}

#[test]
fn a_new_client_secret_is_accepted_and_tokens_stay_valid_until_they_are_revoked() {
    let server = TestServer::new(SCENARIO);
    let bearer = server.bearer();
    let client = json!({"client_id": "mdb_sa_id_5f0000000000000000000002", "client_secret": "mdb_sa_sk_new"});
    execute(&server, "POST", "/simulator/client", &client);
    assert_eq!(server.mint().status, 401);
    let minted = server.request("POST", TOKEN, &format!("{NEW_CLIENT}{FORM_HEADER}"), "grant_type=client_credentials");
    assert_eq!((minted.status, show(&server, "tokens")), (200, json!({"live": 2})));
    assert_eq!(server.outcome(&bearer), (200, "ok"));
    execute(&server, "DELETE", "/simulator/tokens", &Value::Null);
    assert_eq!((server.outcome(&bearer), show(&server, "tokens")), ((401, "bad_token"), json!({"live": 0})));
}

#[test]
fn the_access_list_and_the_sunset_can_change() {
    let server = TestServer::new(SCENARIO);
    execute(&server, "POST", "/simulator/access-list", &json!({"access_list": "deny"}));
    assert_eq!(server.get(PEERS, ACCEPT_V2).error(), error(403, "IP_ADDRESS_NOT_ON_ACCESS_LIST"));
    execute(&server, "POST", "/simulator/access-list", &json!({"access_list": "allow"}));
    execute(&server, "POST", "/simulator/sunset", &json!({"sunset": "Thu, 1 Jul 2027 00:00:00 GMT"}));
    let response = server.get(PEERS, ACCEPT_V2);
    assert!(response.status == 200 && response.has("sunset: Thu, 1 Jul 2027 00:00:00 GMT"), "{}", response.head);
    execute(&server, "DELETE", "/simulator/sunset", &Value::Null);
    assert!(!server.get(PEERS, ACCEPT_V2).head.contains("sunset"));
}

#[test]
fn an_invalid_command_gets_an_error_and_changes_nothing() {
    let server = TestServer::new(SCENARIO);
    let before = show(&server, "groups");
    let peering = |more: Value| {
        let mut peering = json!({"provider": "AWS", "status": "AVAILABLE"});
        peering.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        peering
    };
    let id = "5f3a556351db42631e16f3ff";
    let unknown = "/simulator/groups/111111111111111111111111/peers";
    for (path, status, body) in [
        ("/simulator/faults", 400, json!({})),
        ("/simulator/faults", 400, json!({"effect": "boom"})),
        ("/simulator/faults", 400, json!({"times": 0, "effect": "cut"})),
        ("/simulator/faults", 400, json!({"group": "5f3a556351db42631e16f301", "times": 3})),
        ("/simulator/faults", 400, json!({"delay": "18446744073709551615s"})),
        ("/simulator/faults", 400, json!({"effect": {"drip": "2y"}})),
        ("/simulator/faults", 400, json!({"times": -1, "delay": "1s"})),
        (PEERINGS, 400, peering(json!({"repeat": 0}))),
        (PEERINGS, 400, peering(json!({"repeat": 1001}))),
        (PEERINGS, 400, peering(json!({"repeat": 1e99}))),
        (PEERINGS, 400, peering(json!({"repeat": 2, "id": id}))),
        (PEERINGS, 400, peering(json!({"repeat": 2, "name": "same"}))),
        (PEERINGS, 400, peering(json!({"age": "18446744073709551615s"}))),
        (PEERINGS, 400, peering(json!({"id": "\u{e9}\u{1f980}"}))),
        (PEERINGS, 400, peering(json!({"provider": ""}))),
        (PEERINGS, 400, Value::Null),
        ("/simulator/groups", 400, json!({"id": "g1", "name": "odd"})),
        ("/simulator/groups", 400, json!({"id": id, "name": "many", "peerings": [peering(json!({"repeat": 1001}))]})),
        ("/simulator/credentials", 400, json!({"public_key": "half"})),
        ("/simulator/client", 400, json!({"client_id": "c", "client_secret": "s", "color": "red"})),
        ("/simulator/access-list", 400, json!({"access_list": "perhaps"})),
        ("/simulator/sunset", 400, json!({})),
        (unknown, 404, peering(json!({"repeat": 3}))),
        ("/simulator/nothing", 404, Value::Null),
        ("/simulator//faults", 404, Value::Null),
        ("/simulator/groups/g/nothing", 404, Value::Null),
    ] {
        let (actual, response) = server.control("POST", path, &body);
        assert_eq!(actual, status, "{path} {body}");
        assert!(response["error"].as_str().is_some_and(|sentence| !sentence.is_empty()), "{response}");
    }
    let long = json!({"status": "x".repeat(70_000)}).to_string();
    assert_eq!(server.request("POST", &format!("{PEERINGS}/first"), "", &long).status, 413);
    let (_, body) = server.control("POST", &format!("{unknown}/first"), &json!({"status": "FAILED"}));
    assert_eq!(body, json!({"error": "there is no group `111111111111111111111111`"}));
    assert_eq!((show(&server, "groups"), show(&server, "faults")), (before, json!([])));
}

#[test]
fn the_list_of_groups_marks_exactly_the_peerings_that_the_timeline_changes() {
    let groups = Simulator::new(Scenario::demo()).groups();
    let peerings = groups.as_array().unwrap().iter().flat_map(|group| group["peerings"].as_array().unwrap());
    let marked: Vec<_> = peerings.filter(|peering| peering["in_timeline"] == true).map(|one| &one["name"]).collect();
    assert_eq!(marked, ["checkout", "analytics-batch", "logistics"]);
}

#[test]
fn a_wrong_method_gets_the_allowed_ones() {
    let server = TestServer::new(SCENARIO);
    for (method, path, allowed) in [
        ("POST", "/simulator/", "GET,HEAD"),
        ("DELETE", "/simulator/groups", "GET,HEAD,POST"),
        ("GET", "/simulator/groups/5f3a556351db42631e16f301", "DELETE"),
        ("GET", "/simulator/credentials", "POST"),
        ("DELETE", "/simulator/client", "POST"),
        ("POST", "/simulator/tokens", "GET,HEAD,DELETE"),
        ("PUT", "/simulator/access-list", "POST"),
        ("GET", "/simulator/sunset", "POST,DELETE"),
        ("POST", "/simulator/requests", "GET,HEAD,DELETE"),
        ("PUT", "/simulator/faults", "GET,HEAD,POST,DELETE"),
        ("GET", PEERINGS, "POST"),
        ("GET", &format!("{PEERINGS}/first"), "POST,DELETE"),
    ] {
        let response = server.request(method, path, "", "");
        assert_eq!(response.status, 405, "{method} {path}");
        assert!(response.has(&format!("allow: {allowed}")), "{}", response.head);
    }
}

#[test]
fn head_gets_the_headers_of_get() {
    let server = TestServer::new(SCENARIO);
    for path in ["/simulator/", "/simulator/groups", "/simulator/faults"] {
        let (get, head) = (server.request("GET", path, "", ""), server.request("HEAD", path, "", ""));
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        assert!(head.has(&format!("content-length: {}", get.body.len())), "{path}: {}", head.head);
    }
}

#[test]
fn the_help_has_commands_for_this_host() {
    let page = TestServer::new(SCENARIO).request("GET", "/simulator/", "", "");
    let text = String::from_utf8(page.body).unwrap();
    assert!(text.contains("curl http://atlas.test/simulator/faults"), "{text}");
    assert!(text.contains("The newest fault that matches a request applies") && text.contains("in_timeline"), "{text}");
}

#[test]
fn the_timeline_is_played() {
    let timeline = "timeline: [{after: 20ms, group: 5f3a556351db42631e16f301, peering: first, status: FAILED}]";
    let server = TestServer::new(&format!("{timeline}{SCENARIO}"));
    let deadline = Instant::now() + TEST_TIMEOUT;
    while aws(&server)[0]["statusName"] != "FAILED" {
        assert!(Instant::now() < deadline, "the timeline was not played");
    }
}
