//! How requests fail.

use std::{
    io::{ErrorKind, Read, Write},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    ACCEPT_V2, CLIENT, FORM_HEADER, PEERS, REVOKE, Response, SCENARIO, TEST_TIMEOUT, TOKEN, TestServer, error,
};
use crate::{Effect, Endless, Fault, SimulatedEndpoint, StatusFault};

fn server(fault: Fault) -> TestServer {
    let server = TestServer::new(SCENARIO);
    server.simulator.fail(fault);
    server
}

fn status_fault(code: u16, error_code: Option<&str>, retry_after: Option<u64>) -> Fault {
    let error_code = error_code.map(str::to_owned);
    Fault::new(Effect::Status(StatusFault { code, error_code, retry_after, ..StatusFault::default() }))
}

#[test]
fn a_status_has_the_usual_error_code_of_atlas() {
    for (status, code) in [(500, "UNEXPECTED_ERROR"), (404, "GROUP_NOT_FOUND")] {
        assert_eq!(server(Fault::status(status)).get(PEERS, ACCEPT_V2).error(), error(status, code));
    }
}

#[test]
fn accepted_credentials_can_be_rejected() {
    let server = server(Fault { endpoint: Some(SimulatedEndpoint::Peers), ..Fault::status(401) });
    let response = server.get(PEERS, ACCEPT_V2);
    assert!(response.status == 401 && response.head.contains("stale=false"), "{}", response.head);
    let response = server.request("GET", PEERS, &format!("{ACCEPT_V2}{}", server.bearer()), "");
    assert_eq!(response.error(), error(401, "UNEXPECTED_ERROR"));
    assert!(!response.head.contains("www-authenticate"), "{}", response.head);
}

#[test]
fn an_error_can_be_html_with_a_retry_after() {
    let fault = StatusFault { code: 503, html: true, retry_after: Some(7), ..StatusFault::default() };
    let response = server(Fault::new(Effect::Status(fault))).get(PEERS, ACCEPT_V2);
    assert!(response.status == 503 && response.body.starts_with(b"<!DOCTYPE html>"));
    assert!(response.has("content-type: text/html") && response.has("retry-after: 7"), "{}", response.head);
}

#[test]
fn a_rate_limit_error_reads_as_recorded_and_has_the_wait_of_its_header() {
    for (retry_after, seconds) in [(Some(7), 7), (None, 0)] {
        let response = server(status_fault(429, None, retry_after)).get(PEERS, ACCEPT_V2);
        let body = response.json();
        let path = PEERS.trim_start_matches('/');
        assert_eq!(body["parameters"], json!([path, seconds, 2000, 1000, 60]));
        let detail = format!(
            "Rate limit exceeded for {path}. Please retry after {seconds} seconds. \
             Request capacity: 2000. Refill rate: 1000 per 60 seconds. \
             For more information, see: http://dochub.mongodb.org/core/atlas-api-rate-limit."
        );
        assert_eq!(body["detail"], detail);
        assert_eq!(response.has(&format!("retry-after: {seconds}")), retry_after.is_some());
        assert!(response.has("ratelimit-remaining: 0"), "{}", response.head);
    }
}

#[test]
fn a_cut_response_ends_in_the_middle_of_its_body() {
    let response = server(Fault::new(Effect::Cut)).get(PEERS, ACCEPT_V2);
    let length = response.head.split("content-length: ").nth(1).unwrap();
    let length: usize = length.lines().next().unwrap().parse().unwrap();
    assert_eq!((response.status, response.body.len()), (200, length / 2));
}

#[test]
fn a_dripping_response_pauses_between_bytes() {
    let server = server(Fault::new(Effect::Drip(Duration::from_millis(1))));
    let start = Instant::now();
    let response = server.get("/api/atlas/v2", ACCEPT_V2);
    assert!(start.elapsed() >= Duration::from_millis(response.body.len() as u64 - 1));
    assert_eq!(response.json()["appName"], "MongoDB Atlas");
}

#[test]
fn a_connection_can_be_closed_without_a_response_even_before_authentication() {
    let server = server(Fault::new(Effect::Close));
    assert_eq!(server.raw("GET", PEERS, ACCEPT_V2, ""), b"");
    assert_eq!((server.last().status, server.last().outcome), (None, "fault"));
}

#[test]
fn a_request_can_be_left_without_a_response() {
    let server = server(Fault::new(Effect::Never));
    let mut stream = server.connect();
    write!(stream, "GET {PEERS} HTTP/1.1\r\nHost: atlas.test\r\n\r\n").unwrap();
    let deadline = Instant::now() + TEST_TIMEOUT;
    while server.simulator.requests().is_empty() {
        assert!(Instant::now() < deadline, "the request was never logged");
        std::thread::yield_now();
    }
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let error = stream.read(&mut [0]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
}

#[test]
fn every_list_can_be_endless_with_the_same_or_new_results() {
    let org_groups = "/api/atlas/v2/orgs/5f0000000000000000000001/groups";
    let containers = PEERS.replace("peers", "containers/all");
    for (list, fresh) in
        [(PEERS, false), (PEERS, true), ("/api/atlas/v2/groups", true), (org_groups, true), (&containers, true)]
    {
        let server = server(Fault::new(Effect::Endless(Endless { fresh })));
        let page = |number| server.get(&format!("{list}?pageNum={number}"), ACCEPT_V2).json();
        let (first, thousandth) = (page(1), page(1000));
        assert!(thousandth["links"].to_string().contains("next"), "{list}");
        assert_eq!(first["results"][0]["id"] == thousandth["results"][0]["id"], !fresh, "{list}");
        assert_eq!(thousandth["results"].as_array().unwrap().len(), if fresh { 100 } else { 5 }, "{list}");
    }
}

#[test]
fn a_body_can_be_too_long_or_anything() {
    let oversized = server(Fault::new(Effect::Oversize(200_000))).get(PEERS, ACCEPT_V2);
    assert!(oversized.status == 200 && oversized.has("transfer-encoding: chunked"), "{}", oversized.head);
    let chunks = String::from_utf8(oversized.body).unwrap();
    // Every second line is the length of a chunk.
    let body: String = chunks.split("\r\n").skip(1).step_by(2).collect();
    assert!(body.len() > 200_000 && serde_json::from_str::<Value>(&body).unwrap()["results"].is_array());
    let garbage = server(Fault::new(Effect::Garbage)).get(PEERS, ACCEPT_V2);
    assert!(serde_json::from_slice::<Value>(&garbage.body).is_err());
    let body = server(Fault::new(Effect::Body("[]".to_owned()))).get(PEERS, ACCEPT_V2);
    assert_eq!((body.status, body.body), (200, b"[]".to_vec()));
}

#[test]
fn a_delayed_response_is_the_usual_one() {
    let server = server(Fault { delay: Some(Duration::from_millis(30)), ..Fault::default() });
    let start = Instant::now();
    assert_eq!(server.get(PEERS, ACCEPT_V2).status, 200);
    assert!(start.elapsed() >= Duration::from_millis(30));
    assert_eq!(server.last().outcome, "ok");
}

#[test]
fn a_fault_without_an_endpoint_applies_to_tokens_after_authentication() {
    let server = server(Fault::status(500));
    let wrong = server.request("POST", TOKEN, FORM_HEADER, "grant_type=client_credentials");
    assert_eq!((wrong.status, server.last().outcome), (401, "bad_credentials"));
    assert_eq!((server.mint().status, server.last().outcome), (500, "fault"));
    let revoked = server.request("POST", REVOKE, &format!("{CLIENT}{FORM_HEADER}"), "token=t");
    assert_eq!((revoked.status, server.last().outcome), (500, "fault"));
    assert_eq!(server.simulator.live_tokens(), 0);
}

#[test]
fn an_error_of_the_token_endpoint_has_the_form_of_its_code() {
    let server = TestServer::new(SCENARIO);
    for (code, error_code, in_oauth, in_api) in [
        (401, None, json!("invalid_client"), Value::Null),
        (403, None, json!("access_denied"), Value::Null),
        (500, None, json!("server_error"), Value::Null),
        (400, Some("invalid_scope"), json!("invalid_scope"), Value::Null),
        (429, Some("slow_down"), json!("slow_down"), Value::Null),
        (429, None, json!(429), json!("RATE_LIMITED")),
        (429, Some("RATE_LIMITED_TOKEN_BUCKET"), json!(429), json!("RATE_LIMITED_TOKEN_BUCKET")),
        (401, Some("USER_UNAUTHORIZED"), json!(401), json!("USER_UNAUTHORIZED")),
        (503, None, json!(503), json!("SERVICE_UNAVAILABLE")),
    ] {
        server.simulator.fail(Fault { times: Some(1), ..status_fault(code, error_code, Some(7)) });
        let response = server.mint();
        let body = response.json();
        assert_eq!((response.status, &body["error"], &body["errorCode"]), (code, &in_oauth, &in_api));
        assert!(response.has("retry-after: 7") && !response.head.contains("ratelimit-"), "{}", response.head);
    }
}

#[test]
fn every_status_and_text_of_a_fault_is_sent() {
    let server = TestServer::new(SCENARIO);
    for code in 200..600 {
        for body in [Value::Null, "\u{1f980}".into()] {
            let status = json!({"code": code, "error_code": "\u{e9}\r\n", "retry_after": u64::MAX, "body": body});
            let fault = json!({"times": 1, "before_auth": true, "group": "", "effect": {"status": status}});
            assert_eq!(server.control("POST", "/simulator/faults", &fault).0, 200);
            let response: Response = server.request("GET", "/api/atlas/v2/groups//peers", "", "");
            assert_eq!(response.status, code, "{fault}");
        }
    }
}
