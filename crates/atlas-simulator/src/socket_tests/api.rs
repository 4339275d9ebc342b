//! Authentication, pages, rate limits and errors of the API.

use std::io::{Read, Write};

use serde_json::json;

use super::{ACCEPT_V2, GROUP_PATH, PEERS, Response, SCENARIO, TestServer, authorization, error};

const V1: &str = "/api/atlas/v1.0/groups/5f3a556351db42631e16f301/peers";

#[test]
fn a_request_without_credentials_gets_the_recorded_challenge() {
    let server = TestServer::new(SCENARIO);
    let response = server.request("GET", PEERS, ACCEPT_V2, "");
    let nonce = response.nonce();
    assert_eq!((response.status, nonce.len()), (401, 32));
    let challenge = format!(
        r#"www-authenticate: Digest realm="MMS Public API", domain="", nonce="{nonce}", algorithm=MD5, qop="auth", stale=false"#
    );
    assert!(response.has(&challenge) && response.has("content-length: 142"), "{}", response.head);
    assert_eq!(server.last().outcome, "challenge");
}

#[test]
fn a_nonce_serves_many_requests_with_a_rising_count() {
    let server = TestServer::new(SCENARIO);
    let nonce = server.request("GET", PEERS, ACCEPT_V2, "").nonce();
    for (count, password, expected) in [
        (1, "demo", (200, "ok")),
        (2, "demo", (200, "ok")),
        (2, "demo", (401, "replayed_nc")),
        (3, "wrong", (401, "bad_credentials")),
    ] {
        assert_eq!(server.outcome(&authorization(PEERS, &nonce, count, password)), expected);
        assert_eq!(server.last().nc, Some(count));
    }
    let headers = format!("{ACCEPT_V2}{}", authorization(PEERS, "never-issued", 1, "demo"));
    let head = server.request("GET", PEERS, &headers, "").head;
    assert!(head.contains("stale=true") && server.last().outcome == "stale", "{head}");
}

#[test]
fn pages_have_links_results_and_a_count() {
    let server = TestServer::new(SCENARIO);
    let response = server.get(&format!("{PEERS}?itemsPerPage=2&pageNum=2"), ACCEPT_V2);
    for header in [
        "content-type: application/vnd.atlas.2023-01-01+json;charset=utf-8",
        "ratelimit-limit: 2000",
        "ratelimit-remaining: 1999",
    ] {
        assert!(response.has(header), "{}", response.head);
    }
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
    assert_eq!((&body["totalCount"], &body["results"][0]["vpcId"]), (&json!(5), &json!("vpc-2")));
    assert_eq!(body["results"].as_array().unwrap().len(), 2);
    assert_eq!(server.get(&format!("{PEERS}?includeCount=false"), ACCEPT_V2).json().get("totalCount"), None);
}

#[test]
fn v1_accepts_plain_json_and_sends_no_provider() {
    let server = TestServer::new(SCENARIO);
    let response = server.get(&format!("{V1}?providerName=gcp"), "Accept: application/json\r\n");
    assert!(response.has("content-type: application/json"));
    let peering = &response.json()["results"][0];
    assert_eq!((&peering["status"], &peering["errorMessage"]), (&json!("FAILED"), &json!("gone")));
    assert_eq!(peering.get("providerName"), None);
}

#[test]
fn errors_have_a_code_in_body_and_header() {
    let server = TestServer::new(SCENARIO);
    let group = |id: &str| format!("/api/atlas/v2/groups/{id}/peers");
    for (uri, headers, status, code) in [
        (PEERS.to_owned(), "", 406, "INVALID_VERSION_DATE"),
        (group("111111111111111111111111"), ACCEPT_V2, 404, "GROUP_NOT_FOUND"),
        (group("nonsense"), ACCEPT_V2, 400, "PATH_PARAM_PARSE_ERROR"),
        (group("5f3a556351db42631e16f302"), ACCEPT_V2, 401, "NOT_IN_GROUP"),
        (format!("{PEERS}?pageNum=0"), ACCEPT_V2, 400, "INVALID_QUERY_PARAMETER"),
        (format!("{PEERS}?providerName=ALL"), ACCEPT_V2, 400, "INVALID_ENUM_VALUE"),
        ("/api/atlas/v2/orgs/5f00000000000000000000ff/groups".to_owned(), ACCEPT_V2, 401, "USER_CANNOT_ACCESS_ORG"),
        ("/api/atlas/v2/orgs/nonsense/groups".to_owned(), ACCEPT_V2, 400, "PATH_PARAM_PARSE_ERROR"),
    ] {
        let response = server.get(&uri, headers);
        assert_eq!(response.error(), error(status, code), "{uri}");
        assert!(response.has(&format!("x-error-code: {code}")), "{}", response.head);
        assert!(!response.head.contains("www-authenticate"), "{}", response.head);
        assert_eq!(response.head.contains("ratelimit"), uri.contains('?'), "what is not visible does not count");
    }
    for path in ["/", "/api/atlas", "/api/atlas/v3", "/api/atlas/v22", "/api/atlas/v2/oauth/token"] {
        assert_eq!(server.get(path, ACCEPT_V2).error(), error(404, "RESOURCE_NOT_FOUND"), "{path}");
    }
    for path in ["/all", "/64c0ffee00000000000000b1"] {
        assert_eq!(server.get(&format!("{PEERS}{path}"), ACCEPT_V2).status, 404);
        assert_eq!((server.last().endpoint, server.last().outcome), ("unknown", "not_found"));
    }
}

#[test]
fn invalid_and_unknown_parameters_are_rejected_by_name() {
    let server = TestServer::new(SCENARIO);
    for (path, query) in [
        (PEERS, "pageNum=0 pageNum=x itemsPerPage=0 itemsPerPage=501 includeCount=1 envelope=yes page=1 name=a"),
        ("/api/atlas/v2/groups", "name=a providerName=AWS"),
        (&PEERS.replace("peers", "containers/all"), "providerName=AWS"),
        (GROUP_PATH, "pageNum=1 providerName=AWS pretty=1"),
        ("/api/atlas/v2", "includeCount=true"),
    ] {
        for parameter in query.split(' ') {
            let response = server.get(&format!("{path}?{parameter}"), ACCEPT_V2);
            assert_eq!(response.error(), error(400, "INVALID_QUERY_PARAMETER"), "{path} {parameter}");
            assert_eq!(response.json()["parameters"], json!([parameter.split('=').next()]), "{path}");
        }
    }
}

#[test]
fn a_version_date_from_2023_on_is_known() {
    let server = TestServer::new(SCENARIO);
    for (version, status) in [
        ("vnd.atlas.2023-01-01+json", 200),
        ("vnd.atlas.2025-03-12+json", 200),
        ("vnd.atlas.2022-12-31+json", 406),
        ("vnd.atlas.2023-13-01+json", 406),
        ("vnd.atlas.latest+json", 406),
        ("json", 406),
    ] {
        assert_eq!(server.get(PEERS, &format!("Accept: application/{version}\r\n")).status, status, "{version}");
    }
}

#[test]
fn an_empty_bucket_limits_only_its_resources() {
    let limit = "rate_limit: {capacity: 1, refill_per_minute: 1}";
    let server = TestServer::new(&format!("{limit}{SCENARIO}"));
    assert_eq!(server.get(PEERS, ACCEPT_V2).status, 200);
    let limited = server.get(PEERS, ACCEPT_V2);
    assert_eq!(limited.error(), error(429, "RATE_LIMITED_TOKEN_BUCKET"));
    assert!(limited.head.contains("retry-after: 5") && limited.has("ratelimit-remaining: 0"), "{}", limited.head);
    assert_eq!(server.last().outcome, "rate_limited");
    let group = server.get(GROUP_PATH, ACCEPT_V2);
    assert!(group.has("ratelimit-remaining: 1199"), "{}", group.head);
}

#[test]
fn responses_are_compressed_for_clients_that_accept_gzip() {
    let response = TestServer::new(SCENARIO).get(PEERS, &format!("{ACCEPT_V2}Accept-Encoding: gzip\r\n"));
    assert!(response.has("content-encoding: gzip"), "{}", response.head);
    let mut text = String::new();
    flate2::read::GzDecoder::new(&response.body[..]).read_to_string(&mut text).unwrap();
    assert!(text.contains("vpc-1"), "{text}");
}

#[test]
fn a_body_can_be_pretty_or_in_an_envelope() {
    let server = TestServer::new(SCENARIO);
    let group = server.get(GROUP_PATH, ACCEPT_V2).json();
    assert_eq!((&group["name"], &group["orgId"]), (&json!("payments"), &json!("5f0000000000000000000001")));
    assert_eq!(
        server.get(&format!("{GROUP_PATH}?envelope=true"), ACCEPT_V2).json(),
        json!({"status": 200, "content": group})
    );
    let list = |query: &str| server.get(&format!("{PEERS}{query}"), ACCEPT_V2).json().get("status").cloned();
    assert_eq!((list("?envelope=true"), list("")), (Some(json!(200)), None));
    for uri in [GROUP_PATH, PEERS] {
        let pretty = server.get(&format!("{uri}?pretty=true"), ACCEPT_V2);
        assert!(pretty.body.starts_with(b"{\n  \""), "{uri}");
        assert_eq!(pretty.json()["id"], server.get(uri, ACCEPT_V2).json()["id"]);
    }
}

#[test]
fn responses_have_exactly_the_recorded_headers() {
    let server = TestServer::new(SCENARIO);
    let names = |response: &Response| {
        let lines = response.head.lines().skip(1).map(|line| line.split(':').next().unwrap().to_owned());
        let mut names: Vec<_> = lines.filter(|name| name != "connection").collect();
        names.sort();
        names.join(" ")
    };
    let success = server.get(PEERS, ACCEPT_V2);
    assert_eq!(
        names(&success),
        "content-length content-type date ratelimit-limit ratelimit-remaining referrer-policy server \
         strict-transport-security x-content-type-options x-frame-options x-permitted-cross-domain-policies"
    );
    assert!(success.has("referrer-policy: strict-origin-when-cross-origin"), "{}", success.head);
    assert_eq!(
        names(&server.get("/api/atlas/v2/groups/111111111111111111111111", ACCEPT_V2)),
        "content-length content-type date referrer-policy server strict-transport-security vary \
         x-content-type-options x-error-code x-frame-options x-permitted-cross-domain-policies"
    );
    let challenge = server.request("GET", PEERS, ACCEPT_V2, "");
    assert_eq!(names(&challenge), "content-length content-type date server vary www-authenticate");
}

#[test]
fn a_client_can_start_with_http_2() {
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let server = TestServer::new(SCENARIO);
    let mut stream = server.connect();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    stream.write_all(&SETTINGS).unwrap();
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).unwrap();
    assert_eq!(frame[3], 4, "the first frame of a server is SETTINGS");
}
