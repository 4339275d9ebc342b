//! What a well-behaved client gets, and what it is refused.

use std::io::{Read, Write};

use serde_json::json;

use super::{PEERS, SCENARIO, Served, V2, authorization};

const GROUP: &str = "/api/atlas/v2/groups/5f3a556351db42631e16f301";
const V1: &str = "/api/atlas/v1.0/groups/5f3a556351db42631e16f301/peers";

#[test]
fn a_request_without_credentials_gets_the_recorded_challenge() {
    let served = Served::new(SCENARIO);
    let response = served.ask("GET", PEERS, V2, "");
    assert_eq!(response.status, 401);
    let nonce = response.nonce();
    assert_eq!(nonce.len(), 32);
    let challenge = format!(
        r#"www-authenticate: Digest realm="MMS Public API", domain="", nonce="{nonce}", algorithm=MD5, qop="auth", stale=false"#
    );
    assert!(response.head.contains(&challenge), "{}", response.head);
    assert!(response.head.contains("content-length: 142"));
    assert!(!response.head.contains("ratelimit"));
    assert_eq!(served.last().outcome, "challenge");
}

#[test]
fn a_nonce_serves_many_requests_with_a_rising_count() {
    let served = Served::new(SCENARIO);
    let nonce = served.ask("GET", PEERS, V2, "").nonce();
    let outcome = |count, password| {
        let headers = format!("{V2}{}", authorization(PEERS, &nonce, count, password));
        (served.ask("GET", PEERS, &headers, "").status, served.last().outcome)
    };
    assert_eq!(outcome(1, "demo"), (200, "ok"));
    assert_eq!(outcome(2, "demo"), (200, "ok"));
    assert_eq!(outcome(2, "demo"), (401, "replayed_nc"));
    assert_eq!(outcome(3, "wrong"), (401, "bad_credentials"));
    assert_eq!(served.last().nc, Some(3));
}

#[test]
fn a_stale_nonce_is_answered_with_stale_true() {
    let served = Served::new(SCENARIO);
    let headers = format!("{V2}{}", authorization(PEERS, "never-issued", 1, "demo"));
    let response = served.ask("GET", PEERS, &headers, "");
    assert!(response.head.contains("stale=true"), "{}", response.head);
    assert_eq!(served.last().outcome, "stale");
}

#[test]
fn pages_have_links_results_and_a_count() {
    let served = Served::new(SCENARIO);
    let uri = format!("{PEERS}?itemsPerPage=2&pageNum=2");
    let response = served.get(&uri, V2);
    let head = &response.head;
    assert!(head.contains("content-type: application/vnd.atlas.2023-01-01+json;charset=utf-8"), "{head}");
    assert!(head.contains("ratelimit-limit: 2000"), "{head}");
    assert!(head.contains("ratelimit-remaining: 1999"), "{head}");
    let body = response.json();
    let link =
        |query: &str, rel: &str| json!({"href": format!("https://cloud.mongodb.com{PEERS}?{query}"), "rel": rel});
    assert_eq!(
        body["links"],
        json!([
            link("includeCount=true&itemsPerPage=2&pageNum=1&providerName=AWS", "previous"),
            link("includeCount=true&pageNum=2&itemsPerPage=2&providerName=AWS", "self"),
            link("includeCount=true&itemsPerPage=2&pageNum=3&providerName=AWS", "next"),
        ])
    );
    assert_eq!(body["totalCount"], 5);
    assert_eq!(body["results"][0]["vpcId"], "vpc-2");
    assert_eq!(body["results"].as_array().unwrap().len(), 2);
    let last = served.get(&format!("{PEERS}?itemsPerPage=2&pageNum=3"), V2).json();
    assert_eq!(last["results"].as_array().unwrap().len(), 1);
    assert_eq!(last["links"].as_array().unwrap().len(), 2);
}

#[test]
fn v1_takes_plain_json_and_does_not_name_the_provider() {
    let served = Served::new(SCENARIO);
    let response = served.get(&format!("{V1}?providerName=gcp"), "Accept: application/json\r\n");
    assert!(response.head.contains("content-type: application/json\r\n"));
    let peering = &response.json()["results"][0];
    assert_eq!(peering["status"], "FAILED");
    assert_eq!(peering["errorMessage"], "gone");
    assert_eq!(peering.get("providerName"), None);
}

#[test]
fn refusals_carry_the_code_in_body_and_header() {
    let served = Served::new(SCENARIO);
    let group = |id: &str| format!("/api/atlas/v2/groups/{id}/peers");
    for (uri, headers, status, code) in [
        (PEERS.to_owned(), "", 406, "INVALID_VERSION_DATE"),
        (group("111111111111111111111111"), V2, 404, "GROUP_NOT_FOUND"),
        (group("nonsense"), V2, 400, "PATH_PARAM_PARSE_ERROR"),
        (group("5f3a556351db42631e16f302"), V2, 401, "NOT_IN_GROUP"),
        (format!("{PEERS}?pageNum=0"), V2, 400, "INVALID_QUERY_PARAMETER"),
        (format!("{PEERS}?providerName=ALL"), V2, 400, "INVALID_ENUM_VALUE"),
        (format!("{PEERS}/all"), V2, 404, "RESOURCE_NOT_FOUND"),
    ] {
        let response = served.get(&uri, headers);
        assert_eq!((response.status, response.error_code().as_str()), (status, code), "{uri}");
        assert!(response.head.contains(&format!("x-error-code: {code}")), "{}", response.head);
    }
}

#[test]
fn an_empty_bucket_is_429_for_its_group_alone() {
    let limit = "rate_limit: {capacity: 1, refill_per_minute: 1}";
    let other = "  - {id: 5f3a556351db42631e16f303, name: other}";
    let served = Served::new(&format!("{limit}{SCENARIO}{other}"));
    assert_eq!(served.get(PEERS, V2).status, 200);
    let limited = served.get(PEERS, V2);
    assert_eq!((limited.status, limited.error_code().as_str()), (429, "RATE_LIMITED_TOKEN_BUCKET"));
    assert!(limited.head.contains("retry-after: 5"), "{}", limited.head);
    assert!(limited.head.contains("ratelimit-remaining: 0"), "{}", limited.head);
    assert_eq!(served.last().outcome, "rate_limited");
    assert_eq!(served.get("/api/atlas/v2/groups/5f3a556351db42631e16f303/peers", V2).status, 200);
}

#[test]
fn an_address_off_the_access_list_is_forbidden_everything() {
    let served = Served::new(&format!("access_list: deny{SCENARIO}"));
    let response = served.get(PEERS, V2);
    assert_eq!((response.status, response.error_code().as_str()), (403, "IP_ADDRESS_NOT_ON_ACCESS_LIST"));
}

#[test]
fn gzip_is_sent_to_those_who_accept_it() {
    let served = Served::new(SCENARIO);
    let response = served.get(PEERS, &format!("{V2}Accept-Encoding: gzip\r\n"));
    assert!(response.head.contains("content-encoding: gzip"), "{}", response.head);
    let mut text = String::new();
    flate2::read::GzDecoder::new(&response.body[..]).read_to_string(&mut text).unwrap();
    assert!(text.contains("vpc-1"), "{text}");
}

#[test]
fn a_group_says_its_name_and_organization_in_any_form() {
    let served = Served::new(SCENARIO);
    let group = served.get(GROUP, V2).json();
    assert_eq!(group["name"], "payments");
    assert_eq!(group["orgId"], "5f0000000000000000000001");
    assert_eq!(served.get(&format!("{GROUP}?envelope=true"), V2).json(), json!({"status": 200, "content": group}));
    for uri in [format!("{GROUP}?pretty=true"), format!("{PEERS}?pretty=true")] {
        let body = String::from_utf8(served.get(&uri, V2).body).unwrap();
        assert!(body.starts_with("{\n  \""), "{body}");
    }
    for parameter in ["providerName=AWS", "pretty=1", "color=red"] {
        let response = served.get(&format!("{GROUP}?{parameter}"), V2);
        assert_eq!((response.status, response.error_code().as_str()), (400, "INVALID_QUERY_PARAMETER"), "{parameter}");
    }
}

#[test]
fn a_group_has_a_bucket_of_its_own() {
    let served = Served::new(&format!("rate_limit: {{capacity: 1, refill_per_minute: 1}}{SCENARIO}"));
    assert_eq!(served.get(PEERS, V2).status, 200);
    assert_eq!(served.get(PEERS, V2).status, 429);
    let head = served.get(GROUP, V2).head;
    assert!(head.contains("ratelimit-limit: 1200\r\n") && head.contains("ratelimit-remaining: 1199\r\n"), "{head}");
}

#[test]
fn answers_carry_the_recorded_headers_and_no_other() {
    let served = Served::new(SCENARIO);
    let names = |response: &super::Response| {
        let lines = response.head.lines().skip(1).map(|line| line.split(':').next().unwrap().to_owned());
        let mut names: Vec<_> = lines.filter(|name| name != "connection").collect();
        names.sort();
        names.join(" ")
    };
    let (success, error) = (served.get(PEERS, V2), served.get("/api/atlas/v2/groups/111111111111111111111111", V2));
    assert_eq!(
        names(&success),
        "content-length content-type date ratelimit-limit ratelimit-remaining referrer-policy server \
         strict-transport-security x-content-type-options x-frame-options x-permitted-cross-domain-policies"
    );
    assert_eq!(
        names(&error),
        "content-length content-type date referrer-policy server strict-transport-security vary \
         x-content-type-options x-error-code x-frame-options x-permitted-cross-domain-policies"
    );
    let challenge = served.ask("GET", PEERS, V2, "");
    assert_eq!(names(&challenge), "content-length content-type date server vary www-authenticate");
    assert!(success.head.contains("referrer-policy: strict-origin-when-cross-origin\r\n"), "{}", success.head);
}

#[test]
fn http_2_is_spoken_to_those_who_begin_with_it() {
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let served = Served::new(SCENARIO);
    let mut stream = served.connect();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    stream.write_all(&SETTINGS).unwrap();
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).unwrap();
    assert_eq!(frame[3], 4, "the first frame of a server is SETTINGS");
}
