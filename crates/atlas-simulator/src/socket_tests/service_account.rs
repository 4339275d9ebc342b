//! The life of a token: made, used, expired, revoked.

use std::{thread::sleep, time::Duration};

use serde_json::{Value, json};

use super::{CLIENT, FORM, PEERS, Response, SCENARIO, Served, TOKEN, V2};
use crate::AccessList;

const REVOKE: &str = "/api/oauth/revoke";
/// `mdb_sa_id_5f0000000000000000000002:wrong`
const WRONG: &str = "Authorization: Basic bWRiX3NhX2lkXzVmMDAwMDAwMDAwMDAwMDAwMDAwMDAwMjp3cm9uZw==\r\n";

fn served(account: &str) -> Served {
    Served::new(&format!("service_account: {{{account}}}{SCENARIO}"))
}

fn use_token(served: &Served, bearer: &str) -> (u16, &'static str) {
    let response = served.ask("GET", PEERS, &format!("{V2}{bearer}"), "");
    (response.status, served.last().outcome)
}

fn oauth_error(response: &Response) -> (u16, String) {
    let body = response.json();
    assert!(body["error_description"].is_string(), "{body}");
    (response.status, body["error"].as_str().unwrap().to_owned())
}

#[test]
fn good_credentials_buy_a_token_that_opens_resources() {
    let served = served("");
    let response = served.mint();
    let body = response.json();
    assert_eq!((response.status, &body["expires_in"], &body["token_type"]), (200, &json!(3600), &json!("Bearer")));
    assert!(body["access_token"].as_str().unwrap().starts_with("eyJ"), "{body}");
    assert!(response.head.contains("content-type: application/json\r\n"), "{}", response.head);
    let last = served.last();
    assert_eq!((last.endpoint, last.authorization, last.outcome, last.status), ("token", "basic", "ok", Some(200)));
    assert_eq!(use_token(&served, &served.bearer()), (200, "ok"));
    assert_eq!(served.last().authorization, "bearer");
    assert_eq!(served.simulator.live_tokens(), 2);
}

#[test]
fn both_halves_of_the_credentials_are_encoded_like_a_form() {
    let served = served("client_id: app, client_secret: s p+c");
    // `app:s+p%2Bc`
    let headers = format!("Authorization: Basic YXBwOnMrcCUyQmM=\r\n{FORM}");
    assert_eq!(served.ask("POST", TOKEN, &headers, "grant_type=client_credentials").status, 200);
}

#[test]
fn wrong_or_missing_credentials_buy_nothing() {
    let served = served("");
    let digest = "Authorization: Digest username=\"demo\"\r\n";
    for (authorization, kind) in [(WRONG, "basic"), ("", "none"), (digest, "digest")] {
        let response = served.ask("POST", TOKEN, &format!("{authorization}{FORM}"), "grant_type=client_credentials");
        let expected = json!({"error": "invalid_client", "error_description": "Invalid credentials provided."});
        assert_eq!((response.status, response.json()), (401, expected));
        assert_eq!((served.last().authorization, served.last().outcome), (kind, "bad_credentials"));
    }
    assert_eq!(served.ask("GET", TOKEN, CLIENT, "").error_code(), "METHOD_NOT_ALLOWED");
    assert_eq!(served.simulator.live_tokens(), 0);
}

#[test]
fn the_grant_type_must_be_in_a_form() {
    let served = served("");
    let json = "Content-Type: application/json\r\n";
    let good = "grant_type=client_credentials";
    let long = format!("{good}&padding={}", "x".repeat(20_000));
    for (content_type, body) in [
        (FORM, ""),
        (FORM, "grant_type=password"),
        (FORM, "grant_type=client_credentials&grant_type=client_credentials"),
        (FORM, long.as_str()),
        (json, good),
        ("", good),
    ] {
        let response = served.ask("POST", TOKEN, &format!("{CLIENT}{content_type}"), body);
        assert_eq!(oauth_error(&response), (400, "unsupported_grant_type".to_owned()), "{content_type}");
    }
    assert_eq!(served.last().outcome, "bad_request");
}

#[test]
fn too_many_requests_for_tokens_are_refused_as_recorded() {
    let served = served("mints_per_minute: 2");
    assert_eq!((served.mint().status, served.mint().status), (200, 200));
    let response = served.mint();
    assert_eq!(
        response.json(),
        json!({
            "detail": "Resource /api/oauth/token is limited to 2 requests every 1 minutes.",
            "error": 429, "errorCode": "RATE_LIMITED", "parameters": ["/api/oauth/token", 2, 1],
            "reason": "Too Many Requests",
        })
    );
    assert_eq!((response.status, served.last().outcome), (429, "rate_limited"));
    assert!(!response.head.contains("ratelimit-"), "{}", response.head);
}

#[test]
fn too_many_live_tokens_are_refused() {
    let served = served("max_tokens: 1");
    let bearer = served.bearer();
    let response = served.mint();
    assert_eq!(oauth_error(&response), (403, "access_denied".to_owned()));
    assert!(response.json()["error_description"].as_str().unwrap().starts_with("Access Token limit reached"));
    assert_eq!((use_token(&served, &bearer), served.mint().status), ((200, "ok"), 403));
    assert_eq!(served.last().outcome, "token_limit");
    served.simulator.revoke_tokens();
    assert_eq!(served.mint().status, 200);
}

#[test]
fn a_token_that_is_not_alive_is_refused_without_a_challenge() {
    let served = served("token_lifetime: 200ms");
    let bearer = served.bearer();
    sleep(Duration::from_millis(200));
    for authorization in [&bearer, "Authorization: Bearer eyJunknown\r\n", "Authorization: Bearer\r\n"] {
        assert_eq!(use_token(&served, authorization), (401, "bad_token"));
        let response = served.ask("GET", PEERS, &format!("{V2}{authorization}"), "");
        assert_eq!(response.body, served.ask("GET", PEERS, V2, "").body, "the body of a challenge");
        assert!(!response.head.contains("www-authenticate"), "{}", response.head);
    }
    assert_eq!(served.simulator.live_tokens(), 0);
}

#[test]
fn a_revoked_token_is_worth_nothing_and_an_unknown_one_can_be_revoked() {
    let served = served("");
    let bearer = served.bearer();
    let token = bearer.trim_end().rsplit(' ').next().unwrap();
    let revoke = |authorization: &str, body: &str| served.ask("POST", REVOKE, &format!("{authorization}{FORM}"), body);
    assert_eq!(oauth_error(&revoke(WRONG, &format!("token={token}"))), (401, "invalid_client".to_owned()));
    assert_eq!(oauth_error(&revoke(CLIENT, "token_type_hint=access_token")), (400, "invalid_request".to_owned()));
    assert_eq!(use_token(&served, &bearer), (200, "ok"));
    for token in [token, token, "unknown"] {
        let response = revoke(CLIENT, &format!("token={token}&token_type_hint=access_token"));
        assert_eq!((response.status, response.body.len()), (200, 0));
        assert_eq!((served.last().endpoint, served.last().outcome), ("revoke", "ok"));
    }
    assert_eq!((use_token(&served, &bearer), served.simulator.live_tokens()), ((401, "bad_token"), 0));
}

#[test]
fn the_access_list_matters_where_a_token_is_used_and_not_where_it_is_made() {
    let served = served("");
    served.simulator.set_access_list(AccessList::Deny);
    let bearer = served.bearer();
    assert_eq!(use_token(&served, &bearer), (403, "access_list"));
    served.simulator.set_access_list(AccessList::Allow);
    assert_eq!(use_token(&served, &bearer), (200, "ok"));
}

#[test]
fn a_key_is_no_client_and_a_client_no_key() {
    let served = served("");
    let response = served.ask("GET", PEERS, &format!("{V2}{CLIENT}"), "");
    assert!(response.status == 401 && response.head.contains("www-authenticate: Digest"), "{}", response.head);
    assert_eq!((served.last().authorization, served.last().outcome), ("basic", "bad_credentials"));
}

#[test]
fn no_secret_and_no_token_is_in_the_log_of_requests() {
    let served = served("");
    let bearer = served.bearer();
    let token = bearer.trim_end().rsplit(' ').next().unwrap();
    use_token(&served, &bearer);
    let misplaced = format!("{REVOKE}?token={token}&client_secret=mdb_sa_sk_demo");
    served.ask("POST", &misplaced, &format!("{CLIENT}{FORM}"), &format!("token={token}"));
    let (_, requests) = served.control("GET", "/simulator/requests", &Value::Null);
    assert_eq!(requests.as_array().unwrap().len(), 3);
    let basic = CLIENT.trim_end().rsplit(' ').next().unwrap();
    for secret in [token, basic, "mdb_sa_sk_demo"] {
        assert!(!requests.to_string().contains(secret), "{requests}");
        assert!(!format!("{:?}", served.simulator).contains(secret));
    }
}
