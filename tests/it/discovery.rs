//! Which groups are watched, and how that changes while the exporter runs.

use std::time::Duration;

use atlas_simulator::{
    Effect, Fault, ScenarioGroup, ScenarioPeering, ScenarioProvider, SimulatedEndpoint, StatusFault,
};
use mongodbatlas_peering_exporter::{config::PollConfig, shard::Shard};

use tokio::time::sleep;

use crate::{
    page::Page,
    rig::{Atlas, GROUP, OTHER, Rig, get, quick},
};

const MAIN: [(&str, &str); 1] = [("account", "main")];

fn id(n: u32) -> String {
    format!("5e57d85c854180642f{n:06x}")
}

/// So many groups with one AWS peering each.
fn groups(count: u32, settings: &str) -> String {
    let peering = "{provider: AWS, status: AVAILABLE, vpcId: v}";
    let group = |n: u32| format!("  - {{id: '{}', name: group-{n}, peerings: [{peering}]}}\n", id(n));
    format!("{settings}\ngroups:\n{}", (1..=count).map(group).collect::<String>())
}

fn watched(page: &Page) -> usize {
    page.count("mongodbatlas_network_peering_status")
}

fn polled(page: &Page, group: &str) -> usize {
    let targets = page.all("mongodbatlas_peering_poll_success", &[("group_id", group)]);
    targets.iter().filter(|target| target.value == 1.0).count()
}

fn on_groups(effect: Effect) -> Fault {
    Fault { endpoint: Some(SimulatedEndpoint::Groups), ..Fault::new(effect) }
}

#[tokio::test]
async fn groups_over_three_pages_are_all_polled_and_followed_as_they_come_and_go() {
    let atlas = Atlas::start(&groups(250, "")).await;
    let poll = PollConfig { items_per_page: 100, interval: Duration::from_secs(3), containers: false, ..quick() };
    let config = atlas.service_account(poll);
    let rig = Rig::of(atlas, config).await;
    let page = rig.until("every group", |page| watched(page) == 250).await;
    assert_eq!(page.value("mongodbatlas_account_groups", &MAIN), Some(250.0));
    assert_eq!(page.value("mongodbatlas_discovery_success", &MAIN), Some(1.0));
    rig.until("every provider", |page| {
        let targets = page.all("mongodbatlas_peering_poll_success", &[]);
        targets.len() == 750 && targets.iter().all(|target| target.value == 1.0)
    })
    .await;
    let pages: Vec<_> = rig
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
    rig.atlas.simulator.add_group(&ScenarioGroup::new(&id(999), "new", vec![peering])).unwrap();
    rig.atlas.simulator.remove_group(&id(7)).unwrap();
    let page = rig.until("the new group", |page| polled(page, &id(999)) == 3).await;
    assert_eq!(page.value("mongodbatlas_network_peering_available", &[("group_id", &id(999))]), Some(1.0));
    let page = rig
        .until("an end of the old group", |page| {
            page.all("mongodbatlas_group_info", &[("group_id", &id(7))]).is_empty()
        })
        .await;
    for name in
        ["mongodbatlas_peering_poll_success", "mongodbatlas_network_peerings", "mongodbatlas_api_ratelimit_limit"]
    {
        assert!(page.all(name, &[("group_id", &id(7))]).is_empty(), "{name}");
    }
    assert_eq!(page.value("mongodbatlas_account_groups", &MAIN), Some(250.0));
    rig.atlas.simulator.clear_requests();
    rig.until("two more discoveries", |_| rig.atlas.count("groups", &["ok"]) >= 6).await;
    assert!(rig.atlas.simulator.requests().iter().all(|request| request.group_id.as_deref() != Some(&id(7))));
}

#[tokio::test]
async fn names_and_organizations_come_from_atlas() {
    let atlas =
        Atlas::start(&format!("org_id: 5f0000000000000000000009\ngroups: [{{id: {GROUP}, name: 'a \"b\" ü'}}]")).await;
    let config = atlas.service_account(quick());
    let rig = Rig::of(atlas, config).await;
    let page = rig.until("a group", |page| page.count("mongodbatlas_group_info") == 1).await;
    let info = page.all("mongodbatlas_group_info", &[])[0];
    assert_eq!(info.labels["group_name"], "a \"b\" ü");
    assert_eq!((info.labels["org_id"].as_str(), info.labels["account"].as_str()), ("5f0000000000000000000009", "main"));
}

#[tokio::test]
async fn a_failed_discovery_changes_nothing_and_is_told() {
    let atlas = Atlas::start(&groups(3, "")).await;
    let config = atlas.service_account(quick());
    let rig = Rig::of(atlas, config).await;
    rig.until("three groups", |page| watched(page) == 3).await;
    for effect in [Effect::Garbage, Effect::Cut, Effect::Status(StatusFault { code: 400, ..StatusFault::default() })] {
        rig.atlas.simulator.clear_faults();
        rig.until("a success", |page| page.value("mongodbatlas_discovery_success", &MAIN) == Some(1.0)).await;
        let before = rig.page().await.value("mongodbatlas_discoveries_total", &MAIN).unwrap();
        rig.atlas.simulator.fail(on_groups(effect));
        let page =
            rig.until("a failure", |page| page.value("mongodbatlas_discovery_success", &MAIN) == Some(0.0)).await;
        assert_eq!((watched(&page), page.value("mongodbatlas_account_groups", &MAIN)), (3, Some(3.0)));
        assert!(page.value("mongodbatlas_discovery_last_success_timestamp_seconds", &MAIN) > Some(0.0));
        let page = rig
            .until("another", |page| page.value("mongodbatlas_discoveries_total", &MAIN) >= Some(before + 2.0))
            .await;
        assert_eq!(watched(&page), 3);
    }
    let page = rig.page().await;
    for reason in ["decode", "connect", "unexpected_status"] {
        let labels = [MAIN[0], ("reason", reason)];
        assert!(page.value("mongodbatlas_discovery_failures_total", &labels) >= Some(1.0), "{reason}");
    }
}

#[tokio::test]
async fn a_list_that_lacks_more_than_half_is_believed_only_when_another_says_the_same() {
    let atlas = Atlas::start(&groups(4, "")).await;
    let config = atlas.service_account(quick());
    let rig = Rig::of(atlas, config).await;
    rig.until("four groups", |page| watched(page) == 4).await;
    let empty = Effect::Body(r#"{"results":[],"totalCount":0}"#.to_owned());
    rig.atlas.simulator.fail(Fault { times: Some(1), ..on_groups(empty) });
    let page = rig
        .until("a held back discovery", |page| page.value("mongodbatlas_discovery_success", &MAIN) == Some(0.0))
        .await;
    assert_eq!(watched(&page), 4);
    let page = rig.until("a whole list", |page| page.value("mongodbatlas_discovery_success", &MAIN) == Some(1.0)).await;
    assert_eq!(watched(&page), 4);
    for n in 1..=3 {
        rig.atlas.simulator.remove_group(&id(n)).unwrap();
    }
    let page = rig.until("one group", |page| page.value("mongodbatlas_account_groups", &MAIN) == Some(1.0)).await;
    assert_eq!(page.value("mongodbatlas_discovery_success", &MAIN), Some(1.0));
}

#[tokio::test]
async fn selectors_choose_by_id_name_and_tag_and_listed_groups_stay() {
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
    let rig = Rig::of(atlas, config).await;
    let page = rig.until("three groups", |page| page.count("mongodbatlas_group_info") == 3).await;
    assert_eq!(page.labels("mongodbatlas_group_info", "group_name"), ["mine", "odd", "shop-prod"]);
    let page = rig
        .until("all polls", |page| {
            page.all("mongodbatlas_peering_poll_success", &[]).iter().all(|poll| poll.value == 1.0)
        })
        .await;
    assert_eq!(page.labels("mongodbatlas_peering_poll_success", "provider"), ["AWS", "AWS", "AZURE", "GCP"]);
}

#[tokio::test]
async fn an_organization_may_be_named_and_one_without_a_role_is_told() {
    let organization = "5f0000000000000000000007";
    let scenario =
        format!("groups: [{{id: {GROUP}, name: ours, org_id: {organization}}}, {{id: {OTHER}, name: theirs}}]");
    let atlas = Atlas::start(&scenario).await;
    let config =
        atlas.service_account_with(&format!("discover: {{organization: {organization}, interval: 1s}}"), quick());
    let rig = Rig::of(atlas, config).await;
    let page = rig.until("a group", |page| page.count("mongodbatlas_group_info") == 1).await;
    assert_eq!(page.labels("mongodbatlas_group_info", "group_name"), ["ours"]);
    assert_eq!(rig.atlas.count("groups", &["ok"]), 0);

    let atlas = Atlas::start(&scenario).await;
    let config =
        atlas.service_account_with("discover: {organization: 5f0000000000000000000666, interval: 1s}", quick());
    let rig = Rig::of(atlas, config).await;
    let forbidden = [MAIN[0], ("reason", "forbidden")];
    rig.until("a failure", |page| page.value("mongodbatlas_discovery_failures_total", &forbidden) >= Some(1.0)).await;
}

#[tokio::test]
async fn an_exporter_is_ready_when_the_groups_are_known_and_polled_and_stays_ready() {
    let atlas = Atlas::start(&groups(2, "")).await;
    atlas.simulator.fail(Fault { delay: Some(Duration::from_millis(700)), ..on_groups_delayed() });
    let config = atlas.service_account(quick());
    let rig = Rig::of(atlas, config).await;
    let (status, body) = get(rig.exporter, "/-/ready").await;
    assert_eq!((status, body.as_str()), (503, "not ready: the groups of 1 of 1 accounts are not known yet\n"));
    rig.until("polls", |page| watched(page) == 2).await;
    rig.until("every poll", |page| polled(page, &id(1)) == 3 && polled(page, &id(2)) == 3).await;
    assert_eq!(get(rig.exporter, "/-/ready").await, (200, "ready\n".to_owned()));
    rig.atlas.simulator.add_group(&ScenarioGroup::new(&id(9), "late", Vec::new())).unwrap();
    rig.atlas.simulator.fail(Fault { group: Some(id(9)), ..Fault::new(Effect::Never) });
    rig.until("the late group", |page| page.count("mongodbatlas_group_info") == 3).await;
    assert_eq!(get(rig.exporter, "/-/ready").await.0, 200);
}

fn on_groups_delayed() -> Fault {
    Fault { endpoint: Some(SimulatedEndpoint::Groups), times: Some(1), ..Fault::default() }
}

#[tokio::test]
async fn once_discovers_first_and_fails_if_that_fails() {
    let atlas = Atlas::start(&groups(3, "")).await;
    let state = mongodbatlas_peering_exporter::once(&atlas.service_account(quick()), Shard::WHOLE).await.unwrap();
    assert!(state.all_succeeded());
    assert_eq!(state.listings.len(), 9);
    assert_eq!(atlas.simulator.live_tokens(), 0, "its token is revoked");
    atlas.simulator.fail(on_groups(Effect::Status(StatusFault { code: 400, ..StatusFault::default() })));
    let state = mongodbatlas_peering_exporter::once(&atlas.service_account(quick()), Shard::WHOLE).await.unwrap();
    assert!(!state.all_succeeded() && state.listings.is_empty());
}

#[tokio::test]
async fn a_group_that_answers_404_is_looked_for_at_once() {
    let atlas = Atlas::start(&groups(5, "")).await;
    let config = atlas.service_account_with("discover: {interval: 1h}", quick());
    let rig = Rig::of(atlas, config).await;
    rig.until("five groups", |page| watched(page) == 5).await;
    rig.atlas.simulator.remove_group(&id(3)).unwrap();
    let page = rig.until("four groups", |page| page.value("mongodbatlas_account_groups", &MAIN) == Some(4.0)).await;
    assert_eq!(page.value("mongodbatlas_discovery_success", &MAIN), Some(1.0));
    sleep(Duration::from_secs(1)).await;
    rig.atlas.simulator.clear_requests();
    sleep(Duration::from_secs(2)).await;
    assert_eq!(rig.atlas.count("groups", &["ok"]), 0, "and then no more often than usual");
}

#[tokio::test]
async fn a_first_discovery_that_fails_or_finds_nothing_is_repeated_as_soon_as_a_poll_would_be() {
    for effect in [Effect::Garbage, Effect::Body(r#"{"results":[]}"#.to_owned())] {
        let atlas = Atlas::start(&groups(2, "")).await;
        atlas.simulator.fail(Fault { times: Some(1), ..on_groups(effect) });
        let config = atlas.service_account_with("discover: {interval: 1h}", quick());
        let rig = Rig::of(atlas, config).await;
        rig.until("two groups", |page| watched(page) == 2).await;
    }
}

#[tokio::test]
async fn a_sunset_that_nobody_can_mean_stops_nothing() {
    let atlas =
        Atlas::start(&groups(1, "sunset: '@1814400000000'\ndeprecation: 'Thu, 01 Jan 1960 00:00:00 GMT'")).await;
    let config = atlas.service_account(quick());
    let rig = Rig::of(atlas, config).await;
    rig.until("a group", |page| polled(page, &id(1)) == 3).await;
    assert_eq!(rig.page().await.count("mongodbatlas_api_sunset_timestamp_seconds"), 0);
}

#[tokio::test]
async fn nothing_to_watch_is_not_well() {
    let atlas = Atlas::start(&groups(3, "")).await;
    let config = atlas.service_account_with("discover: {include: [{name: nothing}]}", quick());
    let state = mongodbatlas_peering_exporter::once(&config, Shard::WHOLE).await.unwrap();
    assert!(!state.all_succeeded());
}

#[tokio::test]
async fn discovery_works_with_an_api_key_too() {
    let atlas = Atlas::start(&groups(3, "")).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "demo").unwrap();
    let config = atlas.account(folder.path(), "public_key: demo, private_key_file: key", quick());
    let rig = Rig::of(atlas, config).await;
    rig.until("three groups", |page| watched(page) == 3).await;
}
