//! Access tokens: minted, used, expired, revoked.

use std::{thread::sleep, time::Duration};

use serde_json::{Value, json};

use super::{ACCEPT_V2, CLIENT, FORM_HEADER, PEERS, REVOKE, Response, SCENARIO, TOKEN, TestServer, error};
use crate::AccessList;

/// `mdb_sa_id_5f0000000000000000000002:wrong`
const WRONG: &str = "Authorization: Basic bWRiX3NhX2lkXzVmMDAwMDAwMDAwMDAwMDAwMDAwMDAwMjp3cm9uZw==\r\n";

fn server(account: &str) -> TestServer {
    TestServer::new(&format!("service_account: {{{account}}}{SCENARIO}"))
}

fn oauth_error(response: &Response) -> (u16, String) {
    let body = response.json();
    assert!(body["error_description"].is_string(), "{body}");
    (response.status, body["error"].as_str().unwrap().to_owned())
}

fn token_in(bearer: &str) -> &str {
    bearer.trim_end().rsplit(' ').next().unwrap()
}

#[test]
fn valid_credentials_get_a_token_for_the_resources() {
    let server = server("");
    let response = server.mint();
    let body = response.json();
    assert_eq!((response.status, &body["expires_in"], &body["token_type"]), (200, &json!(3600), &json!("Bearer")));
    assert!(body["access_token"].as_str().unwrap().starts_with("eyJ"), "{body}");
    assert!(response.has("content-type: application/json") && response.has("cache-control: no-store"));
    let last = server.last();
    assert_eq!((last.endpoint, last.authorization, last.outcome, last.status), ("token", "basic", "ok", Some(200)));
    assert_eq!(server.outcome(&server.bearer()), (200, "ok"));
    assert_eq!((server.last().authorization, server.simulator.live_tokens()), ("bearer", 2));
}

#[test]
fn wrong_or_missing_credentials_get_no_token() {
    let server = server("");
    let digest = "Authorization: Digest username=\"demo\"\r\n";
    for (authorization, kind) in [(WRONG, "basic"), ("", "none"), (digest, "digest")] {
        let response =
            server.request("POST", TOKEN, &format!("{authorization}{FORM_HEADER}"), "grant_type=client_credentials");
        let expected = json!({"error": "invalid_client", "error_description": "Invalid credentials provided."});
        assert_eq!((response.status, response.json()), (401, expected));
        assert_eq!((server.last().authorization, server.last().outcome), (kind, "bad_credentials"));
    }
    assert_eq!(server.request("GET", TOKEN, CLIENT, "").error(), error(405, "METHOD_NOT_ALLOWED"));
    assert_eq!(server.simulator.live_tokens(), 0);
    let response = server.request("GET", PEERS, &format!("{ACCEPT_V2}{CLIENT}"), "");
    assert!(response.status == 401 && response.head.contains("www-authenticate: Digest"), "a client is not a key");
    assert_eq!((server.last().authorization, server.last().outcome), ("basic", "bad_credentials"));
}

#[test]
fn the_grant_type_must_be_in_a_form() {
    let server = server("");
    let json = "Content-Type: application/json\r\n";
    let valid = "grant_type=client_credentials";
    let long = format!("{valid}&padding={}", "x".repeat(20_000));
    for (content_type, body) in [
        (FORM_HEADER, ""),
        (FORM_HEADER, "grant_type=password"),
        (FORM_HEADER, "grant_type=client_credentials&grant_type=client_credentials"),
        (FORM_HEADER, &long),
        (json, valid),
        ("", valid),
    ] {
        let response = server.request("POST", TOKEN, &format!("{CLIENT}{content_type}"), body);
        assert_eq!(oauth_error(&response), error(400, "unsupported_grant_type"), "{content_type}");
        assert_eq!(server.last().outcome, "bad_request");
    }
}

#[test]
fn too_many_requests_for_tokens_get_the_recorded_error() {
    let server = server("mints_per_minute: 2");
    assert_eq!((server.mint().status, server.mint().status), (200, 200));
    let response = server.mint();
    assert_eq!(
        response.json(),
        json!({
            "detail": "Resource /api/oauth/token is limited to 2 requests every 1 minutes.",
            "error": 429, "errorCode": "RATE_LIMITED", "parameters": ["/api/oauth/token", 2, 1],
            "reason": "Too Many Requests",
        })
    );
    assert_eq!((response.status, server.last().outcome), (429, "rate_limited"));
    assert!(!response.head.contains("ratelimit-"), "{}", response.head);
}

#[test]
fn there_is_a_limit_to_valid_tokens() {
    let server = server("max_tokens: 1");
    let bearer = server.bearer();
    let response = server.mint();
    assert_eq!((oauth_error(&response), server.last().outcome), (error(403, "access_denied"), "token_limit"));
    assert!(response.json()["error_description"].as_str().unwrap().starts_with("Access Token limit reached"));
    assert_eq!(server.outcome(&bearer), (200, "ok"));
    server.simulator.revoke_tokens();
    assert_eq!(server.mint().status, 200);
}

#[test]
fn an_expired_or_unknown_token_gets_no_challenge() {
    let server = server("token_lifetime: 200ms");
    let bearer = server.bearer();
    sleep(Duration::from_millis(200));
    for authorization in [&bearer, "Authorization: Bearer eyJunknown\r\n", "Authorization: Bearer\r\n"] {
        assert_eq!(server.outcome(authorization), (401, "bad_token"));
        let response = server.request("GET", PEERS, &format!("{ACCEPT_V2}{authorization}"), "");
        assert_eq!(response.body, server.request("GET", PEERS, ACCEPT_V2, "").body, "the body of a challenge");
        assert!(!response.head.contains("www-authenticate"), "{}", response.head);
    }
    assert_eq!(server.simulator.live_tokens(), 0);
}

#[test]
fn a_revoked_token_is_rejected_and_an_unknown_one_can_be_revoked() {
    let server = server("");
    let bearer = server.bearer();
    let token = token_in(&bearer);
    let revoke = |authorization: &str, body: &str| {
        server.request("POST", REVOKE, &format!("{authorization}{FORM_HEADER}"), body)
    };
    assert_eq!(oauth_error(&revoke(WRONG, &format!("token={token}"))), error(401, "invalid_client"));
    assert_eq!(oauth_error(&revoke(CLIENT, "token_type_hint=access_token")), error(400, "invalid_request"));
    assert_eq!(server.outcome(&bearer), (200, "ok"));
    for token in [token, token, "unknown"] {
        let response = revoke(CLIENT, &format!("token={token}&token_type_hint=access_token"));
        assert_eq!((response.status, response.body.len()), (200, 0));
        assert_eq!((server.last().endpoint, server.last().outcome), ("revoke", "ok"));
    }
    assert_eq!((server.outcome(&bearer), server.simulator.live_tokens()), ((401, "bad_token"), 0));
}

#[test]
fn the_access_list_applies_where_a_token_is_used_and_not_where_it_is_minted() {
    let server = server("");
    server.simulator.set_access_list(AccessList::Deny);
    let bearer = server.bearer();
    assert_eq!(server.outcome(&bearer), (403, "access_list"));
    server.simulator.set_access_list(AccessList::Allow);
    assert_eq!(server.outcome(&bearer), (200, "ok"));
}

#[test]
fn no_secret_and_no_token_is_logged() {
    let server = server("");
    let bearer = server.bearer();
    let token = token_in(&bearer);
    server.outcome(&bearer);
    let misplaced = format!("{REVOKE}?token={token}&client_secret=mdb_sa_sk_demo");
    server.request("POST", &misplaced, &format!("{CLIENT}{FORM_HEADER}"), &format!("token={token}"));
    let (_, requests) = server.control("GET", "/simulator/requests", &Value::Null);
    assert_eq!(requests.as_array().unwrap().len(), 3);
    for secret in [token, token_in(CLIENT), "mdb_sa_sk_demo"] {
        assert!(!requests.to_string().contains(secret), "{requests}");
    }
}
