//! How requests go wrong when they are made to.

use std::{
    io::{ErrorKind, Read, Write},
    time::{Duration, Instant},
};

use super::{DEADLINE, PEERS, Response, SCENARIO, Served, V2};
use crate::simulator::{Effect, Fault, Provider, StatusFault};

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
    let served = served(Fault { provider: Some(Provider::Gcp), ..Fault::status(404) });
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
