//! Access tokens of service accounts, as counted by the simulator.

use std::time::{Duration, Instant};

use atlas::{ClientSettings, Provider, Reason};
use atlas_simulator::{AccessList, Effect, Fault, SimulatedEndpoint, StatusFault};
use futures_util::future::join_all;
use mongodbatlas_peering_exporter::config::PollConfig;
use tokio::time::sleep;

use crate::{
    exposition::Exposition,
    setup::{Atlas, GROUP, OTHER, RecordingClient, TestExporter, quick, service_account},
};

const MAIN: [(&str, &str); 1] = [("account", "main")];

fn scenario(settings: &str) -> String {
    let peerings = "[{provider: AWS, status: AVAILABLE, vpcId: 'vpc-{n}', repeat: 20}]";
    format!("{settings}\ngroups: [{{id: {GROUP}, name: g, peerings: {peerings}}}]")
}

fn settings(atlas: &Atlas) -> ClientSettings {
    let account = &atlas.scenario.service_account;
    ClientSettings { credential: service_account(&account.client_id, &account.client_secret), ..atlas.settings() }
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
    let client = RecordingClient::new(settings(&atlas));
    for listing in join_all((0..16).map(|_| client.list(Provider::Aws))).await {
        assert_eq!(listing.unwrap().peerings.len(), 20);
    }
    assert_eq!((mints(&atlas), atlas.count("peers", &["ok"])), (1, 16));
    assert!(atlas.simulator.requests().iter().all(|request| request.outcome == "ok"), "no challenge between polls");
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    let atlas = Atlas::start(&scenario("service_account: {token_lifetime: 3s}")).await;
    let client = RecordingClient::new(settings(&atlas));
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(4500) {
        client.list(Provider::Aws).await.unwrap();
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
    assert!((2.4..2.9).contains(&(minted[1] - minted[0])), "a sixth of its life before its expiry: {minted:?}");
    assert_eq!(atlas.count("peers", &["bad_token"]), 0, "no request used an expired token");
}

#[tokio::test]
async fn a_revoked_token_is_replaced_once_for_all_polls() {
    let atlas = Atlas::start(&scenario("latency: 20ms")).await;
    let client = RecordingClient::new(settings(&atlas));
    client.list(Provider::Aws).await.unwrap();
    atlas.simulator.revoke_tokens();
    for listing in join_all((0..16).map(|_| client.list(Provider::Aws))).await {
        assert_eq!(listing.unwrap().peerings.len(), 20);
    }
    assert_eq!(mints(&atlas), 2);
    assert!((1..=16).contains(&atlas.count("peers", &["bad_token"])));
}

#[tokio::test]
async fn a_group_that_rejects_every_token_does_not_cause_more_mints_or_affect_other_groups() {
    let peerings = "[{provider: AWS, status: AVAILABLE, vpcId: v}]";
    let groups =
        format!("[{{id: {GROUP}, name: g, peerings: {peerings}}}, {{id: {OTHER}, name: h, peerings: {peerings}}}]");
    let atlas = Atlas::start(&format!("groups: {groups}")).await;
    atlas.simulator.fail(Fault {
        endpoint: Some(SimulatedEndpoint::Peers),
        group: Some(OTHER.to_owned()),
        ..Fault::status(401)
    });
    let exporter = TestExporter::with_service_account(atlas, quick()).await;
    let success = "mongodbatlas_peering_poll_success";
    let of = |group: &'static str| [("group_id", group), ("provider", "AWS")];
    exporter.until("the working group", |metrics| metrics.value(success, &of(GROUP)) == Some(1.0)).await;
    for _ in 0..100 {
        let metrics = exporter.scrape().await;
        assert_eq!(metrics.value(success, &of(GROUP)), Some(1.0), "{metrics:?}");
        assert_eq!(metrics.value(success, &of(OTHER)), Some(0.0));
        sleep(Duration::from_millis(20)).await;
    }
    assert!((1..=2).contains(&mints(&exporter.atlas)), "{} mints", mints(&exporter.atlas));
    assert_eq!(exporter.scrape().await.value("mongodbatlas_api_credential_refused", &[("account", "main")]), Some(0.0));
}

#[tokio::test]
async fn a_rate_limited_token_endpoint_gets_three_requests_a_minute_until_it_recovers() {
    let atlas = Atlas::start(&scenario("")).await;
    atlas.simulator.fail(on_token(StatusFault { code: 429, ..StatusFault::default() }));
    let exporter =
        TestExporter::with_service_account(atlas, PollConfig { interval: Duration::from_secs(1), ..quick() }).await;
    let started = Instant::now();
    let refused = [("account", "main"), ("reason", "rate_limited")];
    exporter
        .until("a failure", |metrics| metrics.value("mongodbatlas_discovery_failures_total", &refused) > Some(5.0))
        .await;
    while started.elapsed() < Duration::from_secs(60) {
        sleep(Duration::from_millis(500)).await;
        let tried = exporter.atlas.count("token", &["fault"]);
        let allowed = if started.elapsed() < Duration::from_secs(59) { 3 } else { 6 };
        assert!(tried <= allowed, "{tried} tries in {:?}", started.elapsed());
    }
    let metrics = exporter.scrape().await;
    assert_eq!(metrics.value("mongodbatlas_api_token_mints_total", &[("account", "main")]), Some(0.0));
    assert!(metrics.value("mongodbatlas_api_token_mint_failures_total", &[("account", "main")]) >= Some(3.0));
    assert_eq!(metrics.value("mongodbatlas_api_credential_refused", &[("account", "main")]), Some(0.0));
    exporter.atlas.simulator.clear_faults();
    // Attempts in the last minute of the rate limit may delay the next one by another minute.
    while exporter.scrape().await.value("mongodbatlas_discovery_success", &[("account", "main")]) != Some(1.0) {
        assert!(started.elapsed() < Duration::from_secs(150), "no recovery");
        sleep(Duration::from_millis(100)).await;
    }
    exporter.until("peerings", |metrics| metrics.count("mongodbatlas_network_peering_status") == 20).await;
}

#[tokio::test]
async fn a_rejected_secret_is_tried_once_an_interval() {
    let atlas = Atlas::start(&scenario("")).await;
    let mut settings = settings(&atlas);
    settings.credential = service_account(&atlas.scenario.service_account.client_id, "mdb_sa_sk_wrong");
    settings.interval = Duration::from_secs(1);
    let client = RecordingClient::new(settings);
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(2500) {
        let error = client.list(Provider::Aws).await.unwrap_err();
        assert_eq!(error.kind.reason(), Reason::Unauthorized);
        let expected = "no access token: Atlas returned status 401 `invalid_client`: Invalid credentials provided";
        assert!(error.error_chain().ends_with(expected), "{}", error.error_chain());
        sleep(Duration::from_millis(20)).await;
    }
    let tried = atlas.count("token", &["bad_credentials"]);
    assert!((2..=3).contains(&tried), "{tried}");
}

#[tokio::test]
async fn an_address_not_on_the_access_list_can_mint_tokens_but_not_read_peerings() {
    let atlas = Atlas::start(&scenario("access_list: deny")).await;
    let client = RecordingClient::new(settings(&atlas));
    for _ in 0..3 {
        let error = client.list(Provider::Aws).await.unwrap_err();
        assert_eq!(error.kind.reason(), Reason::IpAccessList);
        assert!(error.error_chain().contains("IP address 203.0.113.7 is not allowed"), "{}", error.error_chain());
    }
    assert_eq!(mints(&atlas), 1);
    atlas.simulator.set_access_list(AccessList::Allow);
    client.list(Provider::Aws).await.unwrap();
    assert_eq!(mints(&atlas), 1);
}

#[tokio::test]
async fn both_error_formats_of_the_token_endpoint_are_read() {
    let word = |word: &str| Some(word.to_owned());
    for (fault, reason, expected) in [
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
        let error = RecordingClient::new(settings(&atlas))
            .list_within(Provider::Aws, Duration::from_secs(1))
            .await
            .unwrap_err();
        assert_eq!(error.kind.reason(), reason, "{}", error.error_chain());
        assert!(
            error.error_chain().contains(&format!("no access token: Atlas returned {expected}")),
            "{}",
            error.error_chain()
        );
        assert_eq!(atlas.count("peers", &["ok", "bad_token", "challenge"]), 0);
    }
}

#[tokio::test]
async fn an_invalid_token_response_is_reported_without_its_content() {
    let overlong = format!(r#"{{"access_token":"{}","expires_in":3600}}"#, "hunter2".repeat(10_000));
    for body in [
        "{}",
        r#"{"access_token":7}"#,
        r#"{"access_token":null}"#,
        "<html>hunter2</html>",
        r#"{"access_token":"hunter2\n","expires_in":1}"#,
        &overlong,
    ] {
        let atlas = Atlas::start(&scenario("")).await;
        let effect = Effect::Body(body.to_owned());
        atlas.simulator.fail(Fault { endpoint: Some(SimulatedEndpoint::Token), ..Fault::new(effect) });
        let error = RecordingClient::new(settings(&atlas)).list(Provider::Aws).await.unwrap_err();
        assert_eq!(error.kind.reason(), Reason::Decode, "{}", error.error_chain());
        assert!(!error.error_chain().contains("hunter2"), "{}", error.error_chain());
    }
}

#[tokio::test]
async fn a_rejected_token_is_not_sent_repeatedly_while_minting_fails() {
    let groups: Vec<String> = (1..=30).map(|n| format!("  - {{id: 5e57d85c854180642f7844{n:02}, name: g}}")).collect();
    let atlas = Atlas::start(&format!("groups:\n{}", groups.join("\n"))).await;
    let interval = Duration::from_secs(3);
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "mdb_sa_sk_demo").unwrap();
    let id = atlas.scenario.service_account.client_id.clone();
    let settings = format!("client_id: {id}, client_secret_file: secret, discover: {{interval: 1h}}");
    let config = atlas.account(folder.path(), &settings, PollConfig { interval, containers: false, ..quick() });
    let exporter = TestExporter::run(atlas, config).await;
    let all_succeed = |metrics: &Exposition| {
        let polls = metrics.all("mongodbatlas_peering_poll_success", &[]);
        polls.len() == 90 && polls.iter().all(|poll| poll.value == 1.0)
    };
    exporter.until("polls", all_succeed).await;
    exporter.atlas.simulator.set_client(&id, "mdb_sa_sk_other");
    exporter.atlas.simulator.revoke_tokens();
    exporter.atlas.simulator.clear_requests();
    let failed = |metrics: &Exposition| metrics.value("mongodbatlas_api_credential_refused", &MAIN) == Some(1.0);
    exporter.until("a rejection", failed).await;
    sleep(interval * 2).await;
    let refused = exporter.atlas.count("peers", &["bad_token"]);
    // At first as many as run at once, then one per interval; 90 listings would send 180.
    assert!((2..=16).contains(&refused), "{refused}");
    let metrics = exporter.scrape().await;
    assert_eq!(metrics.value("mongodbatlas_api_token_expiry_timestamp_seconds", &MAIN), Some(0.0));
    std::fs::write(&secret, "mdb_sa_sk_other").unwrap();
    exporter.until("the new secret in use", all_succeed).await;
}

#[tokio::test]
async fn a_revoked_token_is_replaced_at_once_even_if_one_group_rejected_it_before() {
    let groups: Vec<String> = (1..=10).map(|n| format!("  - {{id: 5e57d85c854180642f7844{n:02}, name: g}}")).collect();
    let atlas = Atlas::start(&format!("groups:\n{}", groups.join("\n"))).await;
    atlas.simulator.fail(Fault {
        endpoint: Some(SimulatedEndpoint::Peers),
        group: Some(OTHER.to_owned()),
        ..Fault::status(401)
    });
    let poll = PollConfig { interval: Duration::from_secs(1), containers: false, ..quick() };
    let config = atlas.service_account_with("discover: {interval: 1h}", poll);
    let exporter = TestExporter::run(atlas, config).await;
    let all_succeed = |metrics: &Exposition| {
        let polls = metrics.all("mongodbatlas_peering_poll_success", &[]);
        polls.iter().filter(|poll| poll.value == 1.0).count() == 27
    };
    exporter.until("polls", all_succeed).await;
    exporter.atlas.simulator.revoke_tokens();
    sleep(Duration::from_millis(1500)).await;
    exporter.until("polls with another token", all_succeed).await;
    assert_eq!(mints(&exporter.atlas), 3, "at startup, for the forbidden group, and now");
}

#[tokio::test]
async fn a_token_rejected_with_an_unknown_code_is_replaced_once() {
    let atlas = Atlas::start(&scenario("")).await;
    let client = RecordingClient::new(settings(&atlas));
    client.list(Provider::Aws).await.unwrap();
    let unknown = StatusFault { code: 401, error_code: Some("TOKEN_ENDED".to_owned()), ..StatusFault::default() };
    let peers = Fault { endpoint: Some(SimulatedEndpoint::Peers), ..Fault::new(Effect::Status(unknown)) };
    atlas.simulator.fail(Fault { times: Some(1), ..peers.clone() });
    client.list(Provider::Aws).await.unwrap();
    assert_eq!(mints(&atlas), 2);
    atlas.simulator.fail(peers);
    for _ in 0..3 {
        assert_eq!(client.list(Provider::Aws).await.unwrap_err().kind.reason(), Reason::Forbidden);
    }
    assert_eq!(mints(&atlas), 2, "the group is the cause");
}

#[tokio::test]
async fn an_expired_token_is_replaced() {
    let atlas = Atlas::start(&scenario("service_account: {token_lifetime: 1s}")).await;
    // The response states a longer life than the token has.
    let body = response_with_an_hour(&atlas).await;
    let client = RecordingClient::new(settings(&atlas));
    atlas.simulator.fail(Fault {
        times: Some(1),
        endpoint: Some(SimulatedEndpoint::Token),
        ..Fault::new(Effect::Body(body))
    });
    client.list(Provider::Aws).await.unwrap();
    sleep(Duration::from_millis(1200)).await;
    client.list(Provider::Aws).await.unwrap();
    assert_eq!(atlas.count("peers", &["bad_token"]), 1);
}

#[tokio::test]
async fn a_lifetime_in_quotation_marks_is_read() {
    let atlas = Atlas::start(&scenario("")).await;
    let body = response_with_an_hour(&atlas).await.replace("\"expires_in\":3600,", "\"expires_in\":\"600\",");
    assert!(body.contains("\"600\""), "{body}");
    atlas.simulator.fail(Fault { endpoint: Some(SimulatedEndpoint::Token), ..Fault::new(Effect::Body(body)) });
    let exporter = TestExporter::with_service_account(atlas, quick()).await;
    exporter.until("peerings", |metrics| metrics.count("mongodbatlas_network_peering_status") == 20).await;
    let left = token_life(&exporter).await;
    assert!((550.0..=601.0).contains(&left), "{left}");
}

/// A response of the token endpoint that states a life of an hour.
async fn response_with_an_hour(atlas: &Atlas) -> String {
    let account = &atlas.scenario.service_account;
    let response = reqwest::Client::new()
        .post(format!("http://{}/api/oauth/token", atlas.address))
        .basic_auth(&account.client_id, Some(&account.client_secret))
        .header("content-type", "application/x-www-form-urlencoded")
        .body("grant_type=client_credentials")
        .send()
        .await
        .unwrap();
    response.text().await.unwrap().replace("\"expires_in\":1,", "\"expires_in\":3600,")
}

#[tokio::test]
async fn the_token_is_revoked_at_a_clean_exit() {
    let atlas = Atlas::start(&scenario("")).await;
    let exporter = TestExporter::with_service_account(atlas, quick()).await;
    let simulator = exporter.atlas.simulator.clone();
    exporter.until("peerings", |metrics| metrics.count("mongodbatlas_network_peering_status") == 20).await;
    assert_eq!(simulator.live_tokens(), 1);
    exporter.stop().await.unwrap();
    assert_eq!(simulator.live_tokens(), 0);
}

#[tokio::test]
async fn an_exit_does_not_wait_for_atlas() {
    let atlas = Atlas::start(&scenario("")).await;
    let exporter = TestExporter::with_service_account(atlas, quick()).await;
    exporter.until("peerings", |metrics| metrics.count("mongodbatlas_network_peering_status") == 20).await;
    exporter.atlas.simulator.fail(Fault { endpoint: Some(SimulatedEndpoint::Revoke), ..Fault::new(Effect::Never) });
    let started = Instant::now();
    exporter.stop().await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test]
async fn the_expiry_of_the_token_is_a_metric() {
    let atlas = Atlas::start(&scenario("")).await;
    let exporter = TestExporter::with_service_account(atlas, quick()).await;
    let left = token_life(&exporter).await;
    assert!((3500.0..=3601.0).contains(&left), "{left}");
    let metrics = exporter.scrape().await;
    assert_eq!(metrics.value("mongodbatlas_api_token_mints_total", &[("account", "main")]), Some(1.0));
}

/// For how many seconds the current token is valid, once there is one.
async fn token_life(exporter: &TestExporter) -> f64 {
    let expiry = "mongodbatlas_api_token_expiry_timestamp_seconds";
    let metrics = exporter.until("a token", |metrics| metrics.value(expiry, &MAIN) > Some(0.0)).await;
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    metrics.value(expiry, &MAIN).unwrap() - now
}
