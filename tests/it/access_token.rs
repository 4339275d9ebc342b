//! Service accounts: how often tokens are minted, counted by the server.

use std::time::{Duration, Instant};

use atlas::{Provider, Reason, Settings};
use atlas_simulator::{AccessList, Effect, Fault, SimulatedEndpoint, StatusFault};
use futures_util::future::join_all;
use mongodbatlas_peering_exporter::config::PollConfig;
use tokio::time::sleep;

use crate::{
    page::Page,
    rig::{Asker, Atlas, GROUP, OTHER, Rig, quick, service_account},
};

const MAIN: [(&str, &str); 1] = [("account", "main")];

fn scenario(settings: &str) -> String {
    let peerings = "[{provider: AWS, status: AVAILABLE, vpcId: 'vpc-{n}', repeat: 20}]";
    format!("{settings}\ngroups: [{{id: {GROUP}, name: g, peerings: {peerings}}}]")
}

fn settings(atlas: &Atlas) -> Settings {
    let account = &atlas.scenario.service_account;
    Settings { credential: service_account(&account.client_id, &account.client_secret), ..atlas.settings() }
}

fn on_token(effect: StatusFault) -> Fault {
    Fault { endpoint: Some(SimulatedEndpoint::Token), ..Fault::new(Effect::Status(effect)) }
}

fn mints(atlas: &Atlas) -> usize {
    atlas.count("token", &["ok"])
}

#[tokio::test]
async fn sixteen_polls_at_once_mint_one_token() {
    let atlas = Atlas::start(&scenario("latency: 20ms")).await;
    let asker = Asker::new(settings(&atlas));
    for listing in join_all((0..16).map(|_| asker.list(Provider::Aws))).await {
        assert_eq!(listing.unwrap().peerings.len(), 20);
    }
    assert_eq!((mints(&atlas), atlas.count("peers", &["ok"])), (1, 16));
    assert!(atlas.simulator.requests().iter().all(|request| request.outcome == "ok"), "no challenge in between");
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    let atlas = Atlas::start(&scenario("service_account: {token_lifetime: 3s}")).await;
    let asker = Asker::new(settings(&atlas));
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(4500) {
        asker.list(Provider::Aws).await.unwrap();
        sleep(Duration::from_millis(50)).await;
    }
    let minted: Vec<f64> = atlas
        .simulator
        .requests()
        .iter()
        .filter(|request| request.endpoint == "token")
        .map(|request| request.at)
        .collect();
    assert_eq!(minted.len(), 2);
    assert!((2.4..2.9).contains(&(minted[1] - minted[0])), "a sixth before its end: {minted:?}");
    assert_eq!(atlas.count("peers", &["bad_token"]), 0, "no request went out with a token that had ended");
}

#[tokio::test]
async fn a_token_that_was_revoked_is_replaced_once_for_all_polls() {
    let atlas = Atlas::start(&scenario("latency: 20ms")).await;
    let asker = Asker::new(settings(&atlas));
    asker.list(Provider::Aws).await.unwrap();
    atlas.simulator.revoke_tokens();
    for listing in join_all((0..16).map(|_| asker.list(Provider::Aws))).await {
        assert_eq!(listing.unwrap().peerings.len(), 20);
    }
    assert_eq!(mints(&atlas), 2);
    assert!((1..=16).contains(&atlas.count("peers", &["bad_token"])));
}

#[tokio::test]
async fn one_group_that_refuses_every_token_makes_no_stream_of_tokens_and_harms_no_other() {
    let peerings = "[{provider: AWS, status: AVAILABLE, vpcId: v}]";
    let groups =
        format!("[{{id: {GROUP}, name: g, peerings: {peerings}}}, {{id: {OTHER}, name: h, peerings: {peerings}}}]");
    let atlas = Atlas::start(&format!("groups: {groups}")).await;
    atlas.simulator.fail(Fault {
        endpoint: Some(SimulatedEndpoint::Peers),
        group: Some(OTHER.to_owned()),
        ..Fault::status(401)
    });
    let config = atlas.service_account(quick());
    let rig = Rig::of(atlas, config).await;
    let success = "mongodbatlas_peering_poll_success";
    let of = |group: &'static str| [("group_id", group), ("provider", "AWS")];
    rig.until("the good group", |page| page.value(success, &of(GROUP)) == Some(1.0)).await;
    for _ in 0..100 {
        let page = rig.page().await;
        assert_eq!(page.value(success, &of(GROUP)), Some(1.0), "{page:?}");
        assert_eq!(page.value(success, &of(OTHER)), Some(0.0));
        sleep(Duration::from_millis(20)).await;
    }
    assert!((1..=2).contains(&mints(&rig.atlas)), "{} mints", mints(&rig.atlas));
    assert_eq!(rig.page().await.value("mongodbatlas_api_credential_refused", &[("account", "main")]), Some(0.0));
}

#[tokio::test]
async fn a_token_endpoint_that_limits_for_a_minute_is_asked_three_times_and_recovered_from() {
    let atlas = Atlas::start(&scenario("")).await;
    atlas.simulator.fail(on_token(StatusFault { code: 429, ..StatusFault::default() }));
    let config = atlas.service_account(PollConfig { interval: Duration::from_secs(1), ..quick() });
    let rig = Rig::of(atlas, config).await;
    let begun = Instant::now();
    let refused = [("account", "main"), ("reason", "rate_limited")];
    rig.until("a failure", |page| page.value("mongodbatlas_discovery_failures_total", &refused) > Some(5.0)).await;
    while begun.elapsed() < Duration::from_secs(60) {
        sleep(Duration::from_millis(500)).await;
        let tried = rig.atlas.count("token", &["fault"]);
        let allowed = if begun.elapsed() < Duration::from_secs(59) { 3 } else { 6 };
        assert!(tried <= allowed, "{tried} tries in {:?}", begun.elapsed());
    }
    let page = rig.page().await;
    assert_eq!(page.value("mongodbatlas_api_token_mints_total", &[("account", "main")]), Some(0.0));
    assert!(page.value("mongodbatlas_api_token_mint_failures_total", &[("account", "main")]) >= Some(3.0));
    assert_eq!(page.value("mongodbatlas_api_credential_refused", &[("account", "main")]), Some(0.0));
    rig.atlas.simulator.clear_faults();
    // What was tried in the last minute of the limit may make it wait for another.
    while rig.page().await.value("mongodbatlas_discovery_success", &[("account", "main")]) != Some(1.0) {
        assert!(begun.elapsed() < Duration::from_secs(150), "no recovery without help");
        sleep(Duration::from_millis(100)).await;
    }
    rig.until("peerings", |page| page.count("mongodbatlas_network_peering_status") == 20).await;
}

#[tokio::test]
async fn a_secret_that_atlas_refuses_is_tried_once_an_interval() {
    let atlas = Atlas::start(&scenario("")).await;
    let mut settings = settings(&atlas);
    settings.credential = service_account(&atlas.scenario.service_account.client_id, "mdb_sa_sk_wrong");
    settings.interval = Duration::from_secs(1);
    let asker = Asker::new(settings);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(2500) {
        let error = asker.list(Provider::Aws).await.unwrap_err();
        assert_eq!(error.kind.reason(), Reason::Unauthorized);
        let told = "no access token: Atlas answered status 401 `invalid_client`: Invalid credentials provided";
        assert!(error.error_chain().ends_with(told), "{}", error.error_chain());
        sleep(Duration::from_millis(20)).await;
    }
    let tried = atlas.count("token", &["bad_credentials"]);
    assert!((2..=3).contains(&tried), "{tried}");
}

#[tokio::test]
async fn minting_succeeds_and_every_call_is_refused_where_the_address_is_not_listed() {
    let atlas = Atlas::start(&scenario("access_list: deny")).await;
    let asker = Asker::new(settings(&atlas));
    for _ in 0..3 {
        let error = asker.list(Provider::Aws).await.unwrap_err();
        assert_eq!(error.kind.reason(), Reason::IpAccessList);
        assert!(error.error_chain().contains("IP address 203.0.113.7 is not allowed"), "{}", error.error_chain());
    }
    assert_eq!(mints(&atlas), 1);
    atlas.simulator.set_access_list(AccessList::Allow);
    asker.list(Provider::Aws).await.unwrap();
    assert_eq!(mints(&atlas), 1);
}

#[tokio::test]
async fn both_shapes_of_an_error_of_the_token_endpoint_are_read() {
    let word = |word: &str| Some(word.to_owned());
    for (fault, reason, told) in [
        (StatusFault { code: 403, ..StatusFault::default() }, Reason::Forbidden, "status 403 `access_denied`"),
        (StatusFault { code: 429, ..StatusFault::default() }, Reason::RateLimited, "status 429 `RATE_LIMITED`"),
        (
            StatusFault { code: 403, error_code: word("ORG_SUSPENDED"), ..StatusFault::default() },
            Reason::Forbidden,
            "status 403 `ORG_SUSPENDED`",
        ),
        (StatusFault { code: 503, html: true, ..StatusFault::default() }, Reason::Server, "status 503"),
        (StatusFault { code: 401, ..StatusFault::default() }, Reason::Unauthorized, "status 401 `invalid_client`"),
    ] {
        let atlas = Atlas::start(&scenario("")).await;
        atlas.simulator.fail(on_token(fault));
        let error = Asker::new(settings(&atlas)).list_within(Provider::Aws, Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(error.kind.reason(), reason, "{}", error.error_chain());
        assert!(
            error.error_chain().contains(&format!("no access token: Atlas answered {told}")),
            "{}",
            error.error_chain()
        );
        assert_eq!(atlas.count("peers", &["ok", "bad_token", "challenge"]), 0);
    }
}

#[tokio::test]
async fn a_body_that_is_no_token_is_told_without_what_it_holds() {
    for body in
        ["{}", r#"{"access_token":7}"#, "<html>hunter2</html>", r#"{"access_token":"hunter2\n","expires_in":1}"#]
    {
        let atlas = Atlas::start(&scenario("")).await;
        let effect = Effect::Body(body.to_owned());
        atlas.simulator.fail(Fault { endpoint: Some(SimulatedEndpoint::Token), ..Fault::new(effect) });
        let error = Asker::new(settings(&atlas)).list(Provider::Aws).await.unwrap_err();
        assert_eq!(error.kind.reason(), Reason::Decode, "{}", error.error_chain());
        assert!(!error.error_chain().contains("hunter2"), "{}", error.error_chain());
    }
}

#[tokio::test]
async fn a_dead_token_is_not_shown_to_atlas_again_and_again_while_none_can_be_minted() {
    let groups: Vec<String> = (1..=30).map(|n| format!("  - {{id: 5e57d85c854180642f7844{n:02}, name: g}}")).collect();
    let atlas = Atlas::start(&format!("groups:\n{}", groups.join("\n"))).await;
    let interval = Duration::from_secs(3);
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "mdb_sa_sk_demo").unwrap();
    let id = atlas.scenario.service_account.client_id.clone();
    let settings = format!("client_id: {id}, client_secret_file: secret, discover: {{interval: 1h}}");
    let config = atlas.account(folder.path(), &settings, PollConfig { interval, containers: false, ..quick() });
    let rig = Rig::of(atlas, config).await;
    let well = |page: &Page| {
        let polls = page.all("mongodbatlas_peering_poll_success", &[]);
        polls.len() == 90 && polls.iter().all(|poll| poll.value == 1.0)
    };
    rig.until("polls", well).await;
    rig.atlas.simulator.set_client(&id, "mdb_sa_sk_other");
    rig.atlas.simulator.revoke_tokens();
    rig.atlas.simulator.clear_requests();
    let failed = |page: &Page| page.value("mongodbatlas_api_credential_refused", &MAIN) == Some(1.0);
    rig.until("a refusal", failed).await;
    sleep(interval * 2).await;
    let refused = rig.atlas.count("peers", &["bad_token"]);
    // In the first instant as many as may run at once, then one in an interval; 90 targets would be 180.
    assert!((2..=16).contains(&refused), "{refused}");
    let page = rig.page().await;
    assert_eq!(page.value("mongodbatlas_api_token_expiry_timestamp_seconds", &MAIN), Some(0.0));
    std::fs::write(&secret, "mdb_sa_sk_other").unwrap();
    rig.until("the new secret in use", well).await;
}

#[tokio::test]
async fn a_token_that_is_revoked_is_replaced_at_once_though_one_group_had_refused_it() {
    let groups: Vec<String> = (1..=10).map(|n| format!("  - {{id: 5e57d85c854180642f7844{n:02}, name: g}}")).collect();
    let atlas = Atlas::start(&format!("groups:\n{}", groups.join("\n"))).await;
    atlas.simulator.fail(Fault {
        endpoint: Some(SimulatedEndpoint::Peers),
        group: Some(OTHER.to_owned()),
        ..Fault::status(401)
    });
    let poll = PollConfig { interval: Duration::from_secs(1), containers: false, ..quick() };
    let config = atlas.service_account_with("discover: {interval: 1h}", poll);
    let rig = Rig::of(atlas, config).await;
    let well = |page: &Page| {
        let polls = page.all("mongodbatlas_peering_poll_success", &[]);
        polls.iter().filter(|poll| poll.value == 1.0).count() == 27
    };
    rig.until("polls", well).await;
    rig.atlas.simulator.revoke_tokens();
    sleep(Duration::from_millis(1500)).await;
    rig.until("polls with another token", well).await;
    assert_eq!(mints(&rig.atlas), 3, "at the start, for the odd group, and now");
}

#[tokio::test]
async fn an_expired_token_is_replaced() {
    let atlas = Atlas::start(&scenario("service_account: {token_lifetime: 1s}")).await;
    // What Atlas says of its life is not what it does.
    let body = atlas_says_an_hour(&atlas).await;
    let asker = Asker::new(settings(&atlas));
    atlas.simulator.fail(Fault {
        times: Some(1),
        endpoint: Some(SimulatedEndpoint::Token),
        ..Fault::new(Effect::Body(body))
    });
    asker.list(Provider::Aws).await.unwrap();
    sleep(Duration::from_millis(1200)).await;
    asker.list(Provider::Aws).await.unwrap();
    assert_eq!(atlas.count("peers", &["bad_token"]), 1);
}

/// The answer to a mint, with another life in it.
async fn atlas_says_an_hour(atlas: &Atlas) -> String {
    let account = &atlas.scenario.service_account;
    let answer = reqwest::Client::new()
        .post(format!("http://{}/api/oauth/token", atlas.address))
        .basic_auth(&account.client_id, Some(&account.client_secret))
        .header("content-type", "application/x-www-form-urlencoded")
        .body("grant_type=client_credentials")
        .send()
        .await
        .unwrap();
    answer.text().await.unwrap().replace("\"expires_in\":1,", "\"expires_in\":3600,")
}

#[tokio::test]
async fn the_token_is_revoked_at_a_clean_exit() {
    let atlas = Atlas::start(&scenario("")).await;
    let config = atlas.service_account(quick());
    let rig = Rig::of(atlas, config).await;
    let simulator = rig.atlas.simulator.clone();
    rig.until("peerings", |page| page.count("mongodbatlas_network_peering_status") == 20).await;
    assert_eq!(simulator.live_tokens(), 1);
    rig.stop().await.unwrap();
    assert_eq!(simulator.live_tokens(), 0);
}

#[tokio::test]
async fn an_exit_does_not_wait_for_atlas() {
    let atlas = Atlas::start(&scenario("")).await;
    let config = atlas.service_account(quick());
    let rig = Rig::of(atlas, config).await;
    rig.until("peerings", |page| page.count("mongodbatlas_network_peering_status") == 20).await;
    rig.atlas.simulator.fail(Fault { endpoint: Some(SimulatedEndpoint::Revoke), ..Fault::new(Effect::Never) });
    let begun = Instant::now();
    rig.stop().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn the_end_of_the_token_is_a_metric() {
    let atlas = Atlas::start(&scenario("")).await;
    let config = atlas.service_account(quick());
    let rig = Rig::of(atlas, config).await;
    let expiry = "mongodbatlas_api_token_expiry_timestamp_seconds";
    let page = rig.until("a token", |page| page.value(expiry, &[("account", "main")]) > Some(0.0)).await;
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    let left = page.value(expiry, &[("account", "main")]).unwrap() - now;
    assert!((3500.0..=3601.0).contains(&left), "{left}");
    assert_eq!(page.value("mongodbatlas_api_token_mints_total", &[("account", "main")]), Some(1.0));
}
