//! Reloading the config while the exporter runs.

use std::time::{Duration, Instant};

use atlas_simulator::{Effect, Fault, SimulatedEndpoint, StatusFault};
use mongodbatlas_peering_exporter::config::{Config, PollConfig};
use tokio::time::sleep;

use crate::{
    exposition::Exposition,
    setup::{Atlas, GROUP, OTHER, TestExporter, get, quick, request},
};

const THIRD: &str = "5e57d85c854180642f784403";

fn scenario() -> String {
    let peerings = "[{provider: AWS, status: AVAILABLE, vpcId: v}]";
    let group = |id: &str| format!("{{id: {id}, name: g, tags: {{env: t}}, peerings: {peerings}}}");
    format!("groups: [{}]", [GROUP, OTHER, THIRD].map(group).join(", "))
}

fn listing(atlas: &Atlas, groups: &[&str], poll: PollConfig) -> Config {
    let groups: Vec<String> = groups.iter().map(|id| format!("{{id: {id}}}")).collect();
    atlas.service_account_with(&format!("groups: [{}]", groups.join(", ")), poll)
}

fn polled_groups(metrics: &Exposition) -> Vec<&str> {
    metrics.labels("mongodbatlas_network_peering_available", "group_id")
}

fn polls(metrics: &Exposition, group: &str) -> Option<f64> {
    metrics.value("mongodbatlas_peering_polls_total", &[("group_id", group), ("provider", "AWS")])
}

fn good(metrics: &Exposition) -> Option<f64> {
    metrics.value("mongodbatlas_peering_exporter_config_last_reload_successful", &[])
}

#[tokio::test]
async fn a_reload_adds_and_removes_groups_and_keeps_the_data_of_the_others() {
    let atlas = Atlas::start(&scenario()).await;
    let [first, second] = [[GROUP, OTHER], [OTHER, THIRD]].map(|groups| listing(&atlas, &groups, quick()));
    let (exporter, reloader) = TestExporter::reloadable(atlas, first).await;
    exporter.until("two groups", |metrics| polled_groups(metrics) == [GROUP, OTHER]).await;
    let before = polls(&exporter.after_polls("AWS", 3).await, OTHER);
    reloader.reload(Ok(second)).await.unwrap();
    let metrics = exporter.until("two others", |metrics| polled_groups(metrics) == [OTHER, THIRD]).await;
    assert!(polls(&metrics, OTHER) >= before && polls(&metrics, GROUP).is_none(), "{metrics:?}");
    for name in ["mongodbatlas_group_info", "mongodbatlas_api_ratelimit_remaining", "mongodbatlas_network_peerings"] {
        assert!(metrics.all(name, &[("group_id", GROUP)]).is_empty(), "{name}");
    }
    assert_eq!(get(exporter.address, "/-/ready").await.0, 200);
}

#[tokio::test]
async fn a_reload_keeps_due_times_and_triggers_no_polls() {
    let atlas = Atlas::start(&scenario()).await;
    let slow = PollConfig { interval: Duration::from_secs(60), ..quick() };
    let other = PollConfig { items_per_page: 7, ..slow.clone() };
    let [same, first, second] = [&slow, &slow, &other].map(|poll| listing(&atlas, &[GROUP, OTHER], poll.clone()));
    let (exporter, reloader) = TestExporter::reloadable(atlas, first).await;
    exporter.until("two groups", |metrics| polled_groups(metrics) == [GROUP, OTHER]).await;
    // The second poll of each listing comes after a random part of the interval.
    for config in [same, second] {
        let before = exporter.atlas.count("peers", &["ok"]);
        reloader.reload(Ok(config)).await.unwrap();
        sleep(Duration::from_millis(800)).await;
        let more = exporter.atlas.count("peers", &["ok"]) - before;
        assert!(more <= 2, "{more} polls because of a reload; six listings in sixty seconds");
        assert_eq!(polled_groups(&exporter.scrape().await), [GROUP, OTHER]);
    }
    assert!(exporter.atlas.simulator.live_tokens() <= 1, "the previous token is revoked");
}

#[tokio::test]
async fn a_config_with_faults_changes_nothing_and_is_reported() {
    let atlas = Atlas::start(&scenario()).await;
    let config = listing(&atlas, &[GROUP], quick());
    let (exporter, reloader) = TestExporter::reloadable(atlas, config.clone()).await;
    exporter.until("a group", |metrics| polled_groups(metrics) == [GROUP]).await;
    let outcome = reloader.reload(Err("a fault".to_owned())).await;
    assert_eq!(outcome.unwrap_err().to_string(), "a fault");
    let metrics = exporter.until("the metric", |metrics| good(metrics) == Some(0.0)).await;
    assert_eq!(polled_groups(&metrics), [GROUP]);
    exporter.after_polls("AWS", 3).await;
    reloader.reload(Ok(config)).await.unwrap();
    exporter.until("the metric", |metrics| good(metrics) == Some(1.0)).await;
}

#[tokio::test]
async fn a_reload_can_be_requested_over_http() {
    let atlas = Atlas::start(&scenario()).await;
    let [first, second] = [[GROUP, OTHER], [OTHER, THIRD]].map(|groups| listing(&atlas, &groups, quick()));
    let (exporter, reloader) = TestExporter::reloadable(atlas, first).await;
    exporter.until("two groups", |metrics| polled_groups(metrics) == [GROUP, OTHER]).await;
    reloader.set_next(Ok(second));
    assert_eq!(request(exporter.address, "GET", "/-/reload").await.0, 405);
    assert_eq!(request(exporter.address, "POST", "/-/reload").await, (200, "reloaded the config\n".to_owned()));
    exporter.until("two others", |metrics| polled_groups(metrics) == [OTHER, THIRD]).await;
    reloader.set_next(Err("a fault".to_owned()));
    let expected = (500, "cannot reload the config: a fault\n".to_owned());
    assert_eq!(request(exporter.address, "POST", "/-/reload").await, expected);
}

#[tokio::test]
async fn a_group_that_the_selectors_no_longer_match_is_removed_at_once() {
    let atlas = Atlas::start(&scenario()).await;
    let [all, some] = ["discover: true".to_owned(), format!("discover: {{exclude: [{{id: {GROUP}}}]}}")]
        .map(|settings| atlas.service_account_with(&settings, quick()));
    let (exporter, reloader) = TestExporter::reloadable(atlas, all).await;
    exporter.until("three groups", |metrics| polled_groups(metrics) == [GROUP, OTHER, THIRD]).await;
    reloader.reload(Ok(some)).await.unwrap();
    let metrics = exporter.until("two groups", |metrics| polled_groups(metrics) == [OTHER, THIRD]).await;
    assert!(polls(&metrics, OTHER) >= Some(1.0), "the data of the other groups stays");
    assert_eq!(metrics.value("mongodbatlas_account_groups", &[("account", "main")]), Some(2.0));
}

#[tokio::test]
async fn a_group_that_moves_from_the_config_to_the_discovery_keeps_its_data() {
    let atlas = Atlas::start(&scenario()).await;
    let slow = PollConfig { interval: Duration::from_secs(60), ..quick() };
    let listed = listing(&atlas, &[GROUP, OTHER], slow.clone());
    let discovered = atlas.service_account_with(&format!("discover: {{include: [{{id: {GROUP}}}]}}"), slow);
    let (exporter, reloader) = TestExporter::reloadable(atlas, listed).await;
    exporter.until("two groups", |metrics| polled_groups(metrics) == [GROUP, OTHER]).await;
    exporter.atlas.simulator.clear_requests();
    reloader.reload(Ok(discovered)).await.unwrap();
    assert!(polled_groups(&exporter.scrape().await).contains(&GROUP), "polled without a discovery");
    let metrics = exporter.until("one group", |metrics| polled_groups(metrics) == [GROUP]).await;
    assert_eq!(metrics.labels("mongodbatlas_group_info", "group_name"), ["g"]);
    assert!(exporter.atlas.count("peers", &["ok"]) <= 2, "six listings in sixty seconds");
}

#[tokio::test]
async fn a_group_that_moves_to_the_discovery_of_another_account_is_found_within_an_interval() {
    let atlas = Atlas::start(&scenario()).await;
    let config = |first: &str| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), &atlas.scenario.service_account.client_secret).unwrap();
        let id = &atlas.scenario.service_account.client_id;
        let account = |name: &str, settings: &str| {
            let reach = format!("base_url: 'http://{}', allow_http: true", atlas.address);
            format!("{{name: {name}, {reach}, client_id: {id}, client_secret_file: secret, {settings}}}")
        };
        let other = account("other", "discover: {include: [{name: nothing}]}");
        let last = account("last", &format!("discover: {{interval: 1h, include: [{{id: {OTHER}}}, {{id: {THIRD}}}]}}"));
        let text = format!("accounts: [{}, {other}, {last}]", account("first", first));
        Config { poll: quick(), ..Config::parse(&text, folder.path(), &|_| None).unwrap() }
    };
    let [before, after] = [[GROUP, THIRD].as_slice(), &[GROUP]].map(|groups| {
        let groups: Vec<String> = groups.iter().map(|id| format!("{{id: {id}}}")).collect();
        config(&format!("groups: [{}]", groups.join(", ")))
    });
    let (exporter, reloader) = TestExporter::reloadable(atlas, before).await;
    exporter.until("three groups", |metrics| polled_groups(metrics) == [GROUP, OTHER, THIRD]).await;
    reloader.reload(Ok(after)).await.unwrap();
    let account = |metrics: &Exposition| {
        let info = metrics.all("mongodbatlas_group_info", &[("group_id", THIRD)]);
        info.first().map(|info| info.labels["account"].clone())
    };
    exporter
        .until("the last account", |metrics| {
            assert!(polled_groups(metrics).contains(&THIRD), "removed in between: {metrics:?}");
            account(metrics).as_deref() == Some("last")
        })
        .await;
}

#[tokio::test]
async fn every_scrape_during_reloads_gets_a_complete_exposition() {
    let atlas = Atlas::start(&scenario()).await;
    let configs = [[GROUP, OTHER], [OTHER, THIRD]].map(|groups| listing(&atlas, &groups, quick()));
    let (exporter, reloader) = TestExporter::reloadable(atlas, configs[0].clone()).await;
    exporter.until("two groups", |metrics| polled_groups(metrics) == [GROUP, OTHER]).await;
    let scrapes = async {
        for _ in 0..1000 {
            let metrics = exporter.scrape().await;
            assert_eq!(metrics.count("mongodbatlas_peering_exporter_build_info"), 1);
            assert_eq!(metrics.count("mongodbatlas_peering_poll_success"), 6, "{metrics:?}");
            assert!(
                metrics.all("mongodbatlas_network_peering_available", &[("group_id", OTHER)]).len() == 1,
                "the group that stays"
            );
        }
    };
    let reloads = async {
        for n in 0..50 {
            let next = if n % 2 == 0 { Ok(configs[n / 2 % 2].clone()) } else { Err("a fault".to_owned()) };
            assert_eq!(reloader.reload(next).await.is_ok(), n % 2 == 0);
            sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::join!(scrapes, reloads);
}

#[tokio::test]
async fn a_slow_config_file_does_not_block_the_exporter() {
    let atlas = Atlas::start(&scenario()).await;
    let [first, second] = [[GROUP, OTHER], [OTHER, THIRD]].map(|groups| listing(&atlas, &groups, quick()));
    let (exporter, reloader) = TestExporter::reloadable(atlas, first).await;
    exporter.until("two groups", |metrics| polled_groups(metrics) == [GROUP, OTHER]).await;
    reloader.set_next(Ok(second));
    reloader.hang(Duration::from_secs(2)).await;
    let started = Instant::now();
    let polls = async {
        exporter.after_polls("AWS", 2).await;
        assert!(started.elapsed() < Duration::from_secs(2), "the exposition was not updated");
    };
    let (outcome, ()) = tokio::join!(reloader.reload_current(), polls);
    outcome.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(2), "the config was read too early for this test");
    exporter.until("two others", |metrics| polled_groups(metrics) == [OTHER, THIRD]).await;
}

#[tokio::test]
async fn a_reload_does_not_wait_for_atlas() {
    let atlas = Atlas::start(&scenario()).await;
    let [first, second] = [[GROUP, OTHER], [OTHER, THIRD]].map(|groups| listing(&atlas, &groups, quick()));
    let (exporter, reloader) = TestExporter::reloadable(atlas, first).await;
    exporter.until("two groups", |metrics| polled_groups(metrics) == [GROUP, OTHER]).await;
    exporter.atlas.simulator.fail(Fault { endpoint: Some(SimulatedEndpoint::Revoke), ..Fault::new(Effect::Never) });
    let started = Instant::now();
    reloader.reload(Ok(second)).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_token_minted_during_a_reload_or_an_exit_is_revoked() {
    let atlas = Atlas::start(&scenario()).await;
    let configs = [[GROUP, OTHER], [OTHER, THIRD]].map(|groups| listing(&atlas, &groups, quick()));
    let simulator = atlas.simulator.clone();
    let delay = Some(Duration::from_millis(300));
    simulator.fail(Fault { endpoint: Some(SimulatedEndpoint::Token), delay, ..Fault::default() });
    let (exporter, reloader) = TestExporter::reloadable(atlas, configs[0].clone()).await;
    for n in 1..=5 {
        sleep(Duration::from_millis(100)).await;
        reloader.reload(Ok(configs[n % 2].clone())).await.unwrap();
    }
    sleep(Duration::from_millis(100)).await;
    let minted = exporter.atlas.count("token", &["ok"]);
    exporter.stop().await.unwrap();
    assert!(minted >= 2, "{minted}");
    assert_eq!(simulator.live_tokens(), 0);
}

#[tokio::test]
async fn a_shorter_interval_applies_at_once() {
    let atlas = Atlas::start(&scenario()).await;
    let slow = PollConfig { interval: Duration::from_secs(3600), ..quick() };
    let [slow, fast] = [slow, quick()].map(|poll| listing(&atlas, &[GROUP, OTHER], poll));
    let (exporter, reloader) = TestExporter::reloadable(atlas, slow).await;
    let before = exporter.until("two groups", |metrics| polled_groups(metrics) == [GROUP, OTHER]).await;
    reloader.reload(Ok(fast)).await.unwrap();
    let all = |metrics: &Exposition| [GROUP, OTHER].iter().all(|group| polls(metrics, group) > polls(&before, group));
    exporter.until("another poll of each", all).await;
}

#[tokio::test]
async fn a_late_rejection_of_a_replaced_client_does_not_count_against_the_new_one() {
    let atlas = Atlas::start(&scenario()).await;
    let slow = PollConfig { interval: Duration::from_secs(60), ..quick() };
    let [first, second] = [7, 8].map(|items_per_page| {
        let poll = PollConfig { items_per_page, ..slow.clone() };
        listing(&atlas, &[GROUP], poll)
    });
    let token = |effect| Fault { endpoint: Some(SimulatedEndpoint::Token), times: Some(1), ..Fault::new(effect) };
    let rejection = Effect::Status(StatusFault { code: 401, ..StatusFault::default() });
    atlas.simulator.fail(Fault { delay: Some(Duration::from_millis(700)), ..token(rejection) });
    let (exporter, reloader) = TestExporter::reloadable(atlas, first).await;
    sleep(Duration::from_millis(200)).await;
    reloader.reload(Ok(second)).await.unwrap();
    let main = [("account", "main")];
    let mints = |metrics: &Exposition| metrics.value("mongodbatlas_api_token_mints_total", &main);
    exporter.until("a token of the new client", |metrics| mints(metrics) == Some(1.0)).await;
    while exporter.atlas.count("token", &["fault"]) == 0 {
        sleep(Duration::from_millis(20)).await;
    }
    sleep(Duration::from_millis(800)).await;
    let metrics = exporter.scrape().await;
    assert_eq!(metrics.value("mongodbatlas_api_credential_refused", &main), Some(0.0));
    assert_eq!(metrics.value("mongodbatlas_api_token_mint_failures_total", &main), Some(0.0));
    assert!(metrics.value("mongodbatlas_api_token_expiry_timestamp_seconds", &main) > Some(0.0));
}
