//! How requests go wrong when they are made to.

use std::{
    io::{ErrorKind, Read, Write},
    time::{Duration, Instant},
};

use super::{CLIENT, DEADLINE, FORM, PEERS, Response, SCENARIO, Served, TOKEN, V2};
use crate::{Effect, Fault, ScenarioProvider, SimulatedEndpoint, StatusFault};

fn served(fault: Fault) -> Served {
    let served = Served::new(SCENARIO);
    served.simulator.fail(fault);
    served
}

#[test]
fn an_error_comes_after_credentials_and_so_often() {
    let served = served(Fault { times: Some(1), ..Fault::status(500) });
    let response = served.get(PEERS, V2);
    assert_eq!((response.status, response.error_code().as_str()), (500, "UNEXPECTED_ERROR"));
    let outcomes: Vec<_> = served.simulator.requests().iter().map(|request| request.outcome).collect();
    assert_eq!(outcomes, ["challenge", "fault"]);
    assert_eq!(served.get(PEERS, V2).status, 200);
}

#[test]
fn a_fault_hits_only_the_listing_it_names() {
    let served = served(Fault { provider: Some(ScenarioProvider::Gcp), ..Fault::status(404) });
    assert_eq!(served.get(PEERS, V2).status, 200);
    let gcp = format!("{PEERS}?providerName=GCP");
    assert_eq!(served.get(&gcp, V2).error_code(), "GROUP_NOT_FOUND");
    served.simulator.clear_faults();
    assert_eq!(served.get(&gcp, V2).status, 200);
}

#[test]
fn good_credentials_can_be_refused() {
    let response = served(Fault::status(401)).get(PEERS, V2);
    assert_eq!(response.status, 401);
    assert!(response.head.contains("stale=false"), "{}", response.head);
}

#[test]
fn an_error_can_be_html_and_say_when_to_come_back() {
    let fault = StatusFault { code: 503, html: true, retry_after: Some(7), ..StatusFault::default() };
    let response = served(Fault::new(Effect::Status(fault))).get(PEERS, V2);
    assert_eq!(response.status, 503);
    assert!(response.head.contains("content-type: text/html"), "{}", response.head);
    assert!(response.head.contains("retry-after: 7"), "{}", response.head);
    assert!(response.body.starts_with(b"<!DOCTYPE html>"));
}

#[test]
fn an_exceeded_limit_says_the_same_in_header_and_body() {
    for (retry_after, seconds) in [(Some(7), 7), (None, 0)] {
        let fault = StatusFault { code: 429, retry_after, ..StatusFault::default() };
        let response = served(Fault::new(Effect::Status(fault))).get(PEERS, V2);
        let body = response.json();
        assert_eq!(body["parameters"][1], seconds);
        let sentence = format!("Please retry after {seconds} seconds. Request capacity: 2000.");
        assert!(body["detail"].as_str().unwrap().contains(&sentence), "{body}");
        assert_eq!(response.head.contains(&format!("retry-after: {seconds}\r\n")), retry_after.is_some());
        assert!(response.head.contains("ratelimit-remaining: 0\r\n"), "{}", response.head);
    }
}

#[test]
fn a_cut_answer_ends_in_the_middle_of_its_body() {
    let response = served(Fault::new(Effect::Cut)).get(PEERS, V2);
    assert_eq!(response.status, 200);
    let length = response.head.split("content-length: ").nth(1).unwrap();
    let length: usize = length.lines().next().unwrap().parse().unwrap();
    assert_eq!(response.body.len(), length / 2);
}

#[test]
fn a_closed_connection_says_nothing_even_without_credentials() {
    let served = served(Fault::new(Effect::Close));
    assert_eq!(served.raw("GET", PEERS, V2, ""), b"");
    assert_eq!((served.last().status, served.last().outcome), (None, "fault"));
}

#[test]
fn a_request_can_be_left_without_an_answer() {
    let served = served(Fault::new(Effect::Never));
    let mut stream = served.connect();
    write!(stream, "GET {PEERS} HTTP/1.1\r\nHost: atlas.test\r\n\r\n").unwrap();
    let deadline = Instant::now() + DEADLINE;
    while served.simulator.requests().is_empty() {
        assert!(Instant::now() < deadline, "the request was never logged");
        std::thread::yield_now();
    }
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let error = stream.read(&mut [0]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
}

#[test]
fn an_endless_list_has_a_next_page_and_the_same_or_fresh_results() {
    for (fresh, same) in [(false, true), (true, false)] {
        let served = served(Fault::new(Effect::Endless { fresh }));
        let page = |number| served.get(&format!("{PEERS}?pageNum={number}"), V2).json();
        let (one, many) = (page(1), page(1000));
        assert!(many["links"].to_string().contains("next"));
        assert!(!many["results"].as_array().unwrap().is_empty());
        assert_eq!(one["results"] == many["results"], same);
    }
}

#[test]
fn a_body_can_be_too_long_or_no_json_or_anything() {
    let raw = served(Fault::new(Effect::Oversize(200_000))).get_raw(PEERS, V2);
    assert!(raw.len() > 200_000);
    assert_eq!(Response::read(&raw).status, 200);
    let garbage = served(Fault::new(Effect::Garbage)).get(PEERS, V2);
    assert!(serde_json::from_slice::<serde_json::Value>(&garbage.body).is_err());
    let body = served(Fault::new(Effect::Body("[]".to_owned()))).get(PEERS, V2);
    assert_eq!((body.status, body.body), (200, b"[]".to_vec()));
}

#[test]
fn a_delayed_answer_is_the_usual_one_but_late() {
    let served = served(Fault { delay: Some(Duration::from_millis(30)), ..Fault::default() });
    let start = Instant::now();
    assert_eq!(served.get(PEERS, V2).status, 200);
    assert!(start.elapsed() >= Duration::from_millis(30));
    assert_eq!(served.last().outcome, "ok");
}

#[test]
fn a_fault_hits_only_its_endpoint() {
    let served = served(Fault { endpoint: Some(SimulatedEndpoint::Token), ..Fault::status(500) });
    assert_eq!(served.get(PEERS, V2).status, 200);
    assert_eq!(served.mint().json()["error"], "server_error");
    assert_eq!((served.last().status, served.last().outcome), (Some(500), "fault"));
    let groups =
        Fault { endpoint: Some(SimulatedEndpoint::Groups), page: Some(2), times: Some(1), ..Fault::status(503) };
    served.simulator.fail(groups);
    let list = "/api/atlas/v2/groups";
    assert_eq!(served.get(list, V2).status, 200);
    assert_eq!(served.get(&format!("{list}?pageNum=2"), V2).error_code(), "SERVICE_UNAVAILABLE");
}

#[test]
fn a_fault_without_endpoint_hits_tokens_too_if_the_client_is_the_right_one() {
    let served = served(Fault::status(500));
    let wrong = served.ask("POST", TOKEN, FORM, "grant_type=client_credentials");
    assert_eq!((wrong.status, served.last().outcome), (401, "bad_credentials"));
    assert_eq!((served.mint().status, served.last().outcome), (500, "fault"));
    let revoked = served.ask("POST", "/api/oauth/revoke", &format!("{CLIENT}{FORM}"), "token=t");
    assert_eq!((revoked.status, served.last().outcome), (500, "fault"));
    assert_eq!(served.simulator.live_tokens(), 0);
}

#[test]
fn an_error_of_the_token_endpoint_has_the_shape_that_its_word_has() {
    let served = Served::new(SCENARIO);
    for (code, word, error) in [
        (401, None, "invalid_client"),
        (403, None, "access_denied"),
        (500, None, "server_error"),
        (400, Some("invalid_scope"), "invalid_scope"),
        (429, Some("slow_down"), "slow_down"),
    ] {
        let fault = StatusFault { code, error_code: word.map(str::to_owned), ..StatusFault::default() };
        served.simulator.fail(Fault { times: Some(1), ..Fault::new(Effect::Status(fault)) });
        let response = served.mint();
        assert_eq!((response.status, &response.json()["error"]), (code, &error.into()));
    }
    for (code, word, expected) in [
        (429, None, "RATE_LIMITED"),
        (429, Some("RATE_LIMITED_TOKEN_BUCKET"), "RATE_LIMITED_TOKEN_BUCKET"),
        (401, Some("USER_UNAUTHORIZED"), "USER_UNAUTHORIZED"),
        (503, None, "SERVICE_UNAVAILABLE"),
    ] {
        let error_code = word.map(str::to_owned);
        let fault = StatusFault { code, error_code, retry_after: Some(7), ..StatusFault::default() };
        served.simulator.fail(Fault { times: Some(1), ..Fault::new(Effect::Status(fault)) });
        let response = served.mint();
        assert_eq!((response.json()["error"].clone(), response.error_code().as_str()), (code.into(), expected));
        assert!(response.head.contains("retry-after: 7\r\n") && !response.head.contains("ratelimit-"));
    }
}

#[test]
fn a_good_token_can_be_refused_and_gets_no_challenge() {
    let served = Served::new(SCENARIO);
    let bearer = served.bearer();
    served.simulator.fail(Fault { endpoint: Some(SimulatedEndpoint::Peers), ..Fault::status(401) });
    let response = served.ask("GET", PEERS, &format!("{V2}{bearer}"), "");
    assert_eq!((response.status, response.error_code().as_str()), (401, "UNEXPECTED_ERROR"));
    assert!(!response.head.contains("www-authenticate"), "{}", response.head);
}

#[test]
fn every_list_can_be_endless() {
    let served = served(Fault::new(Effect::Endless { fresh: true }));
    for list in ["groups", "orgs/5f0000000000000000000001/groups", "groups/5f3a556351db42631e16f301/containers/all"] {
        let page = |number| served.get(&format!("/api/atlas/v2/{list}?pageNum={number}"), V2).json();
        let (one, many) = (page(1), page(1000));
        assert!(many["links"].to_string().contains("next"), "{list}");
        assert_eq!(many["results"].as_array().unwrap().len(), 100, "{list}");
        assert_ne!(one["results"][0]["id"], many["results"][0]["id"], "{list}");
    }
}
