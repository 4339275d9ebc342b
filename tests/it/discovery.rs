//! Which groups are polled, and how that changes while the exporter runs.

use std::time::Duration;

use atlas_simulator::{
    Effect, Fault, ScenarioGroup, ScenarioPeering, ScenarioProvider, SimulatedEndpoint, StatusFault,
};
use mongodbatlas_peering_exporter::{collector::once, config::PollConfig, shard::Shard};

use tokio::time::sleep;

use crate::{
    exposition::Exposition,
    setup::{Atlas, GROUP, OTHER, TestExporter, get, quick},
};

const MAIN: [(&str, &str); 1] = [("account", "main")];

fn id(n: u32) -> String {
    format!("5e57d85c854180642f{n:06x}")
}

/// A scenario of `count` groups with one AWS peering each.
fn groups(count: u32, settings: &str) -> String {
    let peering = "{provider: AWS, status: AVAILABLE, vpcId: v}";
    let group = |n: u32| format!("  - {{id: '{}', name: group-{n}, peerings: [{peering}]}}\n", id(n));
    format!("{settings}\ngroups:\n{}", (1..=count).map(group).collect::<String>())
}

fn polled_groups(metrics: &Exposition) -> usize {
    metrics.count("mongodbatlas_network_peering_status")
}

fn polled(metrics: &Exposition, group: &str) -> usize {
    let listings = metrics.all("mongodbatlas_peering_poll_success", &[("group_id", group)]);
    listings.iter().filter(|listing| listing.value == 1.0).count()
}

fn on_groups(effect: Effect) -> Fault {
    Fault { endpoint: Some(SimulatedEndpoint::Groups), ..Fault::new(effect) }
}

#[tokio::test]
async fn groups_on_three_pages_are_all_polled_and_added_and_removed_with_atlas() {
    let atlas = Atlas::start(&groups(250, "")).await;
    let poll = PollConfig { items_per_page: 100, interval: Duration::from_secs(3), containers: false, ..quick() };
    let exporter = TestExporter::with_service_account(atlas, poll).await;
    let metrics = exporter.until("every group", |metrics| polled_groups(metrics) == 250).await;
    assert_eq!(metrics.value("mongodbatlas_account_groups", &MAIN), Some(250.0));
    assert_eq!(metrics.value("mongodbatlas_discovery_success", &MAIN), Some(1.0));
    exporter
        .until("every provider", |metrics| {
            let listings = metrics.all("mongodbatlas_peering_poll_success", &[]);
            listings.len() == 750 && listings.iter().all(|listing| listing.value == 1.0)
        })
        .await;
    let pages: Vec<_> = exporter
        .atlas
        .simulator
        .requests()
        .iter()
        .filter_map(|request| match request.endpoint {
            "groups" => request.page_num,
            _ => None,
        })
        .collect();
    assert_eq!(pages[..3], [1, 2, 3]);

    let peering = ScenarioPeering::new(ScenarioProvider::Gcp, "AVAILABLE").with("networkName", "default");
    exporter.atlas.simulator.add_group(&ScenarioGroup::new(&id(999), "new", vec![peering])).unwrap();
    exporter.atlas.simulator.remove_group(&id(7)).unwrap();
    let metrics = exporter.until("the new group", |metrics| polled(metrics, &id(999)) == 3).await;
    assert_eq!(metrics.value("mongodbatlas_network_peering_available", &[("group_id", &id(999))]), Some(1.0));
    let metrics = exporter
        .until("the removal of the old group", |metrics| {
            metrics.all("mongodbatlas_group_info", &[("group_id", &id(7))]).is_empty()
        })
        .await;
    for name in
        ["mongodbatlas_peering_poll_success", "mongodbatlas_network_peerings", "mongodbatlas_api_ratelimit_remaining"]
    {
        assert!(metrics.all(name, &[("group_id", &id(7))]).is_empty(), "{name}");
    }
    assert_eq!(metrics.value("mongodbatlas_account_groups", &MAIN), Some(250.0));
    exporter.atlas.simulator.clear_requests();
    exporter.until("two more discoveries", |_| exporter.atlas.count("groups", &["ok"]) >= 6).await;
    assert!(exporter.atlas.simulator.requests().iter().all(|request| request.group_id.as_deref() != Some(&id(7))));
}

#[tokio::test]
async fn names_and_organizations_come_from_atlas() {
    let atlas =
        Atlas::start(&format!("org_id: 5f0000000000000000000009\ngroups: [{{id: {GROUP}, name: 'a \"b\" ü'}}]")).await;
    let exporter = TestExporter::with_service_account(atlas, quick()).await;
    let metrics = exporter.until("a group", |metrics| metrics.count("mongodbatlas_group_info") == 1).await;
    let info = metrics.all("mongodbatlas_group_info", &[])[0];
    assert_eq!(info.labels["group_name"], "a \"b\" ü");
    assert_eq!((info.labels["org_id"].as_str(), info.labels["account"].as_str()), ("5f0000000000000000000009", "main"));
}

#[tokio::test]
async fn a_failed_discovery_changes_nothing_and_is_reported() {
    let atlas = Atlas::start(&groups(3, "")).await;
    let exporter = TestExporter::with_service_account(atlas, quick()).await;
    exporter.until("three groups", |metrics| polled_groups(metrics) == 3).await;
    for effect in [Effect::Garbage, Effect::Cut, Effect::Status(StatusFault { code: 400, ..StatusFault::default() })] {
        exporter.atlas.simulator.clear_faults();
        exporter
            .until("a success", |metrics| metrics.value("mongodbatlas_discovery_success", &MAIN) == Some(1.0))
            .await;
        let before = exporter.scrape().await.value("mongodbatlas_discoveries_total", &MAIN).unwrap();
        exporter.atlas.simulator.fail(on_groups(effect));
        let metrics = exporter
            .until("a failure", |metrics| metrics.value("mongodbatlas_discovery_success", &MAIN) == Some(0.0))
            .await;
        assert_eq!((polled_groups(&metrics), metrics.value("mongodbatlas_account_groups", &MAIN)), (3, Some(3.0)));
        assert!(metrics.value("mongodbatlas_discovery_last_success_timestamp_seconds", &MAIN) > Some(0.0));
        let metrics = exporter
            .until("another", |metrics| metrics.value("mongodbatlas_discoveries_total", &MAIN) >= Some(before + 2.0))
            .await;
        assert_eq!(polled_groups(&metrics), 3);
    }
    let metrics = exporter.scrape().await;
    for reason in ["decode", "connect", "unexpected_status"] {
        let labels = [MAIN[0], ("reason", reason)];
        assert!(metrics.value("mongodbatlas_discovery_failures_total", &labels) >= Some(1.0), "{reason}");
    }
}

#[tokio::test]
async fn a_list_that_lacks_more_than_half_of_the_groups_needs_confirmation() {
    let atlas = Atlas::start(&groups(4, "")).await;
    let exporter = TestExporter::with_service_account(atlas, quick()).await;
    exporter.until("four groups", |metrics| polled_groups(metrics) == 4).await;
    let empty = Effect::Body(r#"{"results":[],"totalCount":0}"#.to_owned());
    exporter.atlas.simulator.fail(Fault { times: Some(1), ..on_groups(empty) });
    let metrics = exporter
        .until("an unconfirmed discovery", |metrics| {
            metrics.value("mongodbatlas_discovery_success", &MAIN) == Some(0.0)
        })
        .await;
    assert_eq!(polled_groups(&metrics), 4);
    let metrics = exporter
        .until("a complete list", |metrics| metrics.value("mongodbatlas_discovery_success", &MAIN) == Some(1.0))
        .await;
    assert_eq!(polled_groups(&metrics), 4);
    for n in 1..=3 {
        exporter.atlas.simulator.remove_group(&id(n)).unwrap();
    }
    let metrics =
        exporter.until("one group", |metrics| metrics.value("mongodbatlas_account_groups", &MAIN) == Some(1.0)).await;
    assert_eq!(metrics.value("mongodbatlas_discovery_success", &MAIN), Some(1.0));
}

#[tokio::test]
async fn selectors_match_by_id_name_and_tag_and_configured_groups_stay() {
    let atlas = Atlas::start(
        "groups:
  - {id: 5e57d85c854180642f000001, name: shop-prod, tags: {env: production}}
  - {id: 5e57d85c854180642f000002, name: shop-test, tags: {env: test}}
  - {id: 5e57d85c854180642f000003, name: bank-prod, tags: {env: production, peering: ignore}}
  - {id: 5e57d85c854180642f000004, name: odd}
  - {id: 5e57d85c854180642f000005, name: listed}",
    )
    .await;
    let config = atlas.service_account_with(
        "discover: {interval: 1s, providers: [AWS],
           include: [{tags: {env: prod.*}}, {id: 5e57d85c854180642f000004}], exclude: [{tags: {peering: ignore}}]},
         groups: [{id: 5e57d85c854180642f000005, name: mine, providers: [GCP, AZURE]}]",
        quick(),
    );
    let exporter = TestExporter::run(atlas, config).await;
    let metrics = exporter.until("three groups", |metrics| metrics.count("mongodbatlas_group_info") == 3).await;
    assert_eq!(metrics.labels("mongodbatlas_group_info", "group_name"), ["mine", "odd", "shop-prod"]);
    let metrics = exporter
        .until("all polls", |metrics| {
            metrics.all("mongodbatlas_peering_poll_success", &[]).iter().all(|poll| poll.value == 1.0)
        })
        .await;
    assert_eq!(metrics.labels("mongodbatlas_peering_poll_success", "provider"), ["AWS", "AWS", "AZURE", "GCP"]);
}

#[tokio::test]
async fn discovery_can_be_restricted_to_an_organization_and_reports_a_missing_role() {
    let organization = "5f0000000000000000000007";
    let scenario =
        format!("groups: [{{id: {GROUP}, name: ours, org_id: {organization}}}, {{id: {OTHER}, name: theirs}}]");
    let atlas = Atlas::start(&scenario).await;
    let config =
        atlas.service_account_with(&format!("discover: {{organization: {organization}, interval: 1s}}"), quick());
    let exporter = TestExporter::run(atlas, config).await;
    let metrics = exporter.until("a group", |metrics| metrics.count("mongodbatlas_group_info") == 1).await;
    assert_eq!(metrics.labels("mongodbatlas_group_info", "group_name"), ["ours"]);
    assert_eq!(exporter.atlas.count("groups", &["ok"]), 0);

    let atlas = Atlas::start(&scenario).await;
    let config =
        atlas.service_account_with("discover: {organization: 5f0000000000000000000666, interval: 1s}", quick());
    let exporter = TestExporter::run(atlas, config).await;
    let forbidden = [MAIN[0], ("reason", "forbidden")];
    exporter
        .until("a failure", |metrics| metrics.value("mongodbatlas_discovery_failures_total", &forbidden) >= Some(1.0))
        .await;
}

#[tokio::test]
async fn an_exporter_is_ready_when_the_groups_are_known_and_polled_and_stays_ready() {
    let atlas = Atlas::start(&groups(2, "")).await;
    atlas.simulator.fail(Fault { delay: Some(Duration::from_millis(700)), ..on_groups_delayed() });
    let exporter = TestExporter::with_service_account(atlas, quick()).await;
    let (status, body) = get(exporter.address, "/-/ready").await;
    assert_eq!(
        (status, body.as_str()),
        (503, "not ready: the projects of 1 of 1 accounts have not been discovered yet\n")
    );
    exporter.until("polls", |metrics| polled_groups(metrics) == 2).await;
    exporter.until("every poll", |metrics| polled(metrics, &id(1)) == 3 && polled(metrics, &id(2)) == 3).await;
    assert_eq!(get(exporter.address, "/-/ready").await, (200, "ready\n".to_owned()));
    exporter.atlas.simulator.add_group(&ScenarioGroup::new(&id(9), "late", Vec::new())).unwrap();
    exporter.atlas.simulator.fail(Fault { group: Some(id(9)), ..Fault::new(Effect::Never) });
    exporter.until("the late group", |metrics| metrics.count("mongodbatlas_group_info") == 3).await;
    assert_eq!(get(exporter.address, "/-/ready").await.0, 200);
}

fn on_groups_delayed() -> Fault {
    Fault { endpoint: Some(SimulatedEndpoint::Groups), times: Some(1), ..Fault::default() }
}

#[tokio::test]
async fn once_discovers_first_and_fails_if_that_fails() {
    let atlas = Atlas::start(&groups(3, "")).await;
    let state = once(&atlas.service_account(quick()), Shard::WHOLE).await.unwrap();
    let state = state.read();
    assert!(state.all_succeeded());
    assert_eq!(state.listings.len(), 9);
    assert_eq!(atlas.simulator.live_tokens(), 0, "its token is revoked");
    atlas.simulator.fail(on_groups(Effect::Status(StatusFault { code: 400, ..StatusFault::default() })));
    let state = once(&atlas.service_account(quick()), Shard::WHOLE).await.unwrap();
    let state = state.read();
    assert!(!state.all_succeeded() && state.listings.is_empty());
}

#[tokio::test]
async fn a_group_that_responds_404_triggers_a_discovery() {
    let atlas = Atlas::start(&groups(5, "")).await;
    let config = atlas.service_account_with("discover: {interval: 1h}", quick());
    let exporter = TestExporter::run(atlas, config).await;
    exporter.until("five groups", |metrics| polled_groups(metrics) == 5).await;
    exporter.atlas.simulator.remove_group(&id(3)).unwrap();
    let metrics =
        exporter.until("four groups", |metrics| metrics.value("mongodbatlas_account_groups", &MAIN) == Some(4.0)).await;
    assert_eq!(metrics.value("mongodbatlas_discovery_success", &MAIN), Some(1.0));
    sleep(Duration::from_secs(1)).await;
    exporter.atlas.simulator.clear_requests();
    sleep(Duration::from_secs(2)).await;
    assert_eq!(exporter.atlas.count("groups", &["ok"]), 0, "no further discovery before the interval ends");
}

#[tokio::test]
async fn a_first_discovery_that_fails_or_finds_nothing_is_retried_after_a_poll_interval() {
    for effect in [Effect::Garbage, Effect::Body(r#"{"results":[]}"#.to_owned())] {
        let atlas = Atlas::start(&groups(2, "")).await;
        atlas.simulator.fail(Fault { times: Some(1), ..on_groups(effect) });
        let config = atlas.service_account_with("discover: {interval: 1h}", quick());
        let exporter = TestExporter::run(atlas, config).await;
        exporter.until("two groups", |metrics| polled_groups(metrics) == 2).await;
    }
}

#[tokio::test]
async fn an_implausible_sunset_date_is_ignored() {
    let atlas =
        Atlas::start(&groups(1, "sunset: '@1814400000000'\ndeprecation: 'Thu, 01 Jan 1960 00:00:00 GMT'")).await;
    let exporter = TestExporter::with_service_account(atlas, quick()).await;
    exporter.until("a group", |metrics| polled(metrics, &id(1)) == 3).await;
    assert_eq!(exporter.scrape().await.count("mongodbatlas_api_sunset_timestamp_seconds"), 0);
}

#[tokio::test]
async fn an_account_without_groups_is_a_failure() {
    let atlas = Atlas::start(&groups(3, "")).await;
    let config = atlas.service_account_with("discover: {include: [{name: nothing}]}", quick());
    let state = once(&config, Shard::WHOLE).await.unwrap();
    let state = state.read();
    assert!(!state.all_succeeded());
}

#[tokio::test]
async fn discovery_works_with_an_api_key_too() {
    let atlas = Atlas::start(&groups(3, "")).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "demo").unwrap();
    let config = atlas.account(folder.path(), "public_key: demo, private_key_file: key", quick());
    let exporter = TestExporter::run(atlas, config).await;
    exporter.until("three groups", |metrics| polled_groups(metrics) == 3).await;
}

#[tokio::test]
async fn failed_discoveries_back_off_while_the_account_has_groups() {
    let atlas = Atlas::start(&groups(2, "")).await;
    let config =
        atlas.service_account_with(&format!("discover: {{interval: 1h}}, groups: [{{id: '{}'}}]", id(1)), quick());
    atlas.simulator.fail(on_groups(Effect::Garbage));
    let exporter = TestExporter::run(atlas, config).await;
    let failures = |metrics: &Exposition| metrics.value("mongodbatlas_discoveries_total", &MAIN).unwrap();
    // After 0, 0.2, 0.6, 1.4 and 3 seconds, each with its jitter.
    exporter.until("four failures", |metrics| failures(metrics) >= 4.0).await;
    sleep(Duration::from_secs(1)).await;
    assert!(failures(&exporter.scrape().await) <= 5.0);
    exporter.atlas.simulator.clear_faults();
    exporter.until("the other group", |metrics| polled_groups(metrics) == 2).await;
}

#[tokio::test]
async fn a_group_that_leaves_one_account_for_another_keeps_its_data() {
    let (atlas, other) = (Atlas::start(&groups(3, "")).await, Atlas::start(&groups(0, "")).await);
    let peering = ScenarioPeering::new(ScenarioProvider::Aws, "AVAILABLE").with("vpcId", "v");
    other.simulator.add_group(&ScenarioGroup::new(&id(9), "its own", Vec::new())).unwrap();
    let mut config = atlas.service_account_with("discover: {interval: 1s}", quick());
    let mut second = other.service_account_with("discover: {interval: 1h}", quick()).accounts;
    second[0].name = "second".to_owned();
    config.accounts.append(&mut second);
    let exporter = TestExporter::run(atlas, config).await;
    exporter.until("every group", |metrics| metrics.value("mongodbatlas_account_groups", &MAIN) == Some(3.0)).await;
    exporter.until("every peering", |metrics| polled_groups(metrics) == 3).await;

    // The credential of the first account loses its role in the group, and that of the second gets one.
    other.simulator.add_group(&ScenarioGroup::new(&id(3), "moved", vec![peering])).unwrap();
    let simulator = &exporter.atlas.simulator;
    simulator.fail(Fault { group: Some(id(3)), endpoint: Some(SimulatedEndpoint::Peers), ..Fault::status(403) });
    let left = [1, 2].map(|n| format!(r#"{{"id": "{}", "name": "g", "orgId": "{}"}}"#, id(n), id(8))).join(", ");
    simulator.fail(on_groups(Effect::Body(format!(r#"{{"results": [{left}], "totalCount": 2}}"#))));
    let account = |metrics: &Exposition| {
        let info = metrics.all("mongodbatlas_group_info", &[("group_id", &id(3))]);
        info.first().map(|info| info.labels["account"].clone())
    };
    let metrics = exporter
        .until("the move", |metrics| {
            let available = metrics.value("mongodbatlas_network_peering_available", &[("group_id", &id(3))]);
            assert_eq!(available, Some(1.0), "removed in between: {metrics:?}");
            account(metrics).as_deref() == Some("second")
        })
        .await;
    assert_eq!(metrics.value("mongodbatlas_account_groups", &MAIN), Some(2.0));
    exporter.until("polls by the second account", |metrics| polled(metrics, &id(3)) == 3).await;
    exporter.atlas.simulator.clear_requests();
    exporter.until("more polls", |_| exporter.atlas.count("peers", &["ok"]) >= 12).await;
    assert!(exporter.atlas.simulator.requests().iter().all(|request| request.group_id.as_deref() != Some(&id(3))));

    // Neither has it any longer.
    let before = exporter.scrape().await;
    other.simulator.remove_group(&id(3)).unwrap();
    assert_eq!(account(&before).as_deref(), Some("second"));
    exporter.until("the removal", |metrics| account(metrics).is_none()).await;
}
