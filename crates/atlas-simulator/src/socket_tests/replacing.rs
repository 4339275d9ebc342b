//! What can be replaced while clients are at work: groups, the key, the service account, tokens and habits.

use serde_json::{Value, json};

use super::{FORM, PEERS, SCENARIO, Served, TOKEN, V2, authorization};
use crate::Credentials;

/// `mdb_sa_id_5f0000000000000000000002:mdb_sa_sk_new`
const NEW_CLIENT: &str = "Authorization: Basic bWRiX3NhX2lkXzVmMDAwMDAwMDAwMDAwMDAwMDAwMDAwMjptZGJfc2Ffc2tfbmV3\r\n";

fn tell(served: &Served, method: &str, path: &str, body: &Value) {
    assert_eq!(served.control(method, path, body), (200, json!({"done": true})), "{path}");
}

fn answered(served: &Served, headers: &str) -> (u16, &'static str) {
    let response = served.ask("GET", PEERS, &format!("{V2}{headers}"), "");
    (response.status, served.last().outcome)
}

#[test]
fn a_group_appears_is_replaced_and_vanishes() {
    let served = Served::new(SCENARIO);
    let id = "5f3a556351db42631e16f309";
    let peers = PEERS.replace("5f3a556351db42631e16f301", id);
    let group = |vpc: &str| {
        json!({
            "id": id, "name": "new", "tags": {"env": "sandbox"}, "containers": [{"provider": "AWS"}],
            "peerings": [{"provider": "AWS", "status": "AVAILABLE", "vpcId": vpc}],
        })
    };
    for vpc in ["vpc-1", "vpc-2"] {
        tell(&served, "POST", "/simulator/groups", &group(vpc));
        assert_eq!(served.get(&peers, V2).json()["results"][0]["vpcId"], vpc);
    }
    let (_, groups) = served.control("GET", "/simulator/groups", &Value::Null);
    assert_eq!(groups.as_array().unwrap().len(), 3);
    assert_eq!(
        (&groups[2]["tags"], &groups[2]["org_id"]),
        (&json!({"env": "sandbox"}), &json!("5f0000000000000000000001"))
    );
    assert_eq!(groups[2]["containers"][0]["providerName"], "AWS");
    tell(&served, "DELETE", &format!("/simulator/groups/{id}"), &Value::Null);
    assert_eq!(served.get(&peers, V2).error_code(), "GROUP_NOT_FOUND");
    assert_eq!(served.control("DELETE", &format!("/simulator/groups/{id}"), &Value::Null).0, 404);
}

#[test]
fn another_key_is_accepted_from_then_on_and_no_old_nonce() {
    let served = Served::new(SCENARIO);
    let nonce = served.ask("GET", PEERS, V2, "").nonce();
    assert_eq!(answered(&served, &authorization(PEERS, &nonce, 1, "demo")), (200, "ok"));
    tell(&served, "POST", "/simulator/credentials", &json!({"public_key": "demo", "private_key": "new"}));
    assert_eq!(answered(&served, &authorization(PEERS, &nonce, 2, "demo")), (401, "bad_credentials"));
    assert_eq!(answered(&served, &authorization(PEERS, &nonce, 3, "new")), (401, "stale"));
    let nonce = served.ask("GET", PEERS, V2, "").nonce();
    assert_eq!(answered(&served, &authorization(PEERS, &nonce, 1, "new")), (200, "ok"));
    served.simulator.set_credentials(Credentials { public_key: "other".to_owned(), private_key: "new".to_owned() });
    assert_eq!(answered(&served, &authorization(PEERS, &nonce, 2, "new")), (401, "bad_credentials"));
}

#[test]
fn another_secret_buys_tokens_from_then_on_and_live_ones_stay_valid() {
    let served = Served::new(SCENARIO);
    let bearer = served.bearer();
    let client = json!({"client_id": "mdb_sa_id_5f0000000000000000000002", "client_secret": "mdb_sa_sk_new"});
    tell(&served, "POST", "/simulator/client", &client);
    assert_eq!(served.mint().status, 401);
    let response = served.ask("POST", TOKEN, &format!("{NEW_CLIENT}{FORM}"), "grant_type=client_credentials");
    assert_eq!(response.status, 200);
    assert_eq!(answered(&served, &bearer), (200, "ok"));
}

#[test]
fn all_tokens_can_be_counted_and_ended() {
    let served = Served::new(SCENARIO);
    let bearer = served.bearer();
    served.bearer();
    let live = || served.control("GET", "/simulator/tokens", &Value::Null);
    assert_eq!(live(), (200, json!({"live": 2})));
    tell(&served, "DELETE", "/simulator/tokens", &Value::Null);
    assert_eq!(live(), (200, json!({"live": 0})));
    assert_eq!(answered(&served, &bearer), (401, "bad_token"));
}

#[test]
fn the_access_list_and_the_sunset_can_change() {
    let served = Served::new(SCENARIO);
    tell(&served, "POST", "/simulator/access-list", &json!({"access_list": "deny"}));
    assert_eq!(served.get(PEERS, V2).status, 403);
    tell(&served, "POST", "/simulator/access-list", &json!({"access_list": "allow"}));
    tell(&served, "POST", "/simulator/sunset", &json!({"sunset": "Thu, 1 Jul 2027 00:00:00 GMT"}));
    let response = served.get(PEERS, V2);
    assert!(response.status == 200 && response.head.contains("sunset: Thu, 1 Jul 2027"), "{}", response.head);
    tell(&served, "DELETE", "/simulator/sunset", &Value::Null);
    assert!(!served.get(PEERS, V2).head.contains("sunset"));
}
