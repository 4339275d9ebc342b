//! Another config while the exporter runs.

use std::time::{Duration, Instant};

use atlas_simulator::{Effect, Fault, SimulatedEndpoint};
use mongodbatlas_peering_exporter::config::{Config, PollConfig};
use tokio::time::sleep;

use crate::{
    page::Page,
    rig::{Atlas, GROUP, OTHER, Rig, ask, get, quick},
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

fn watched(page: &Page) -> Vec<&str> {
    page.labels("mongodbatlas_network_peering_available", "group_id")
}

fn polls(page: &Page, group: &str) -> Option<f64> {
    page.value("mongodbatlas_peering_polls_total", &[("group_id", group), ("provider", "AWS")])
}

fn good(page: &Page) -> Option<f64> {
    page.value("mongodbatlas_peering_exporter_config_last_reload_successful", &[])
}

#[tokio::test]
async fn groups_come_and_go_and_those_that_stay_keep_their_data() {
    let atlas = Atlas::start(&scenario()).await;
    let [first, second] = [[GROUP, OTHER], [OTHER, THIRD]].map(|groups| listing(&atlas, &groups, quick()));
    let (rig, reloader) = Rig::reloadable(atlas, first).await;
    rig.until("two groups", |page| watched(page) == [GROUP, OTHER]).await;
    let before = polls(&rig.after_polls("AWS", 3).await, OTHER);
    reloader.reload(Ok(second)).await.unwrap();
    let page = rig.until("two others", |page| watched(page) == [OTHER, THIRD]).await;
    assert!(polls(&page, OTHER) >= before && polls(&page, GROUP).is_none(), "{page:?}");
    for name in ["mongodbatlas_group_info", "mongodbatlas_api_ratelimit_limit", "mongodbatlas_network_peerings"] {
        assert!(page.all(name, &[("group_id", GROUP)]).is_empty(), "{name}");
    }
    assert_eq!(get(rig.exporter, "/-/ready").await.0, 200);
}

#[tokio::test]
async fn due_times_stay_and_nothing_is_polled_because_of_a_reload() {
    let atlas = Atlas::start(&scenario()).await;
    let slow = PollConfig { interval: Duration::from_secs(60), ..quick() };
    let other = PollConfig { items_per_page: 7, ..slow.clone() };
    let [same, first, second] = [&slow, &slow, &other].map(|poll| listing(&atlas, &[GROUP, OTHER], poll.clone()));
    let (rig, reloader) = Rig::reloadable(atlas, first).await;
    rig.until("two groups", |page| watched(page) == [GROUP, OTHER]).await;
    // The second poll of each target comes after a part of the interval; after some of them all is quiet.
    for config in [same, second] {
        let before = rig.atlas.count("peers", &["ok"]);
        reloader.reload(Ok(config)).await.unwrap();
        sleep(Duration::from_millis(800)).await;
        let more = rig.atlas.count("peers", &["ok"]) - before;
        assert!(more <= 2, "{more} polls because of a reload; six targets in sixty seconds");
        assert_eq!(watched(&rig.page().await), [GROUP, OTHER]);
    }
    assert!(rig.atlas.simulator.live_tokens() <= 1, "the token of the account before is revoked");
}

#[tokio::test]
async fn a_config_with_faults_changes_nothing_and_is_told() {
    let atlas = Atlas::start(&scenario()).await;
    let config = listing(&atlas, &[GROUP], quick());
    let (rig, reloader) = Rig::reloadable(atlas, config.clone()).await;
    rig.until("a group", |page| watched(page) == [GROUP]).await;
    let outcome = reloader.reload(Err("a fault".to_owned())).await;
    assert_eq!(outcome, Err("a fault".to_owned()));
    let page = rig.until("the metric", |page| good(page) == Some(0.0)).await;
    assert_eq!(watched(&page), [GROUP]);
    rig.after_polls("AWS", 3).await;
    reloader.reload(Ok(config)).await.unwrap();
    rig.until("the metric", |page| good(page) == Some(1.0)).await;
}

#[tokio::test]
async fn a_reload_may_be_wished_over_http() {
    let atlas = Atlas::start(&scenario()).await;
    let [first, second] = [[GROUP, OTHER], [OTHER, THIRD]].map(|groups| listing(&atlas, &groups, quick()));
    let (rig, reloader) = Rig::reloadable(atlas, first).await;
    rig.until("two groups", |page| watched(page) == [GROUP, OTHER]).await;
    reloader.find(Ok(second));
    assert_eq!(ask(rig.exporter, "GET", "/-/reload").await.0, 405);
    assert_eq!(ask(rig.exporter, "POST", "/-/reload").await, (200, "the config was read again\n".to_owned()));
    rig.until("two others", |page| watched(page) == [OTHER, THIRD]).await;
    reloader.find(Err("a fault".to_owned()));
    let told = (500, "the config is not used: a fault\n".to_owned());
    assert_eq!(ask(rig.exporter, "POST", "/-/reload").await, told);
}

#[tokio::test]
async fn what_a_discovery_may_not_select_any_more_leaves_at_once() {
    let atlas = Atlas::start(&scenario()).await;
    let [all, some] = ["discover: true".to_owned(), format!("discover: {{exclude: [{{id: {GROUP}}}]}}")]
        .map(|settings| atlas.service_account_with(&settings, quick()));
    let (rig, reloader) = Rig::reloadable(atlas, all).await;
    rig.until("three groups", |page| watched(page) == [GROUP, OTHER, THIRD]).await;
    reloader.reload(Ok(some)).await.unwrap();
    let page = rig.until("two groups", |page| watched(page) == [OTHER, THIRD]).await;
    assert!(polls(&page, OTHER) >= Some(1.0), "these keep their data");
    assert_eq!(page.value("mongodbatlas_account_groups", &[("account", "main")]), Some(2.0));
}

#[tokio::test]
async fn a_group_that_moves_from_the_config_to_the_discovery_keeps_its_data() {
    let atlas = Atlas::start(&scenario()).await;
    let slow = PollConfig { interval: Duration::from_secs(60), ..quick() };
    let listed = listing(&atlas, &[GROUP, OTHER], slow.clone());
    let discovered = atlas.service_account_with(&format!("discover: {{include: [{{id: {GROUP}}}]}}"), slow);
    let (rig, reloader) = Rig::reloadable(atlas, listed).await;
    rig.until("two groups", |page| watched(page) == [GROUP, OTHER]).await;
    rig.atlas.simulator.clear_requests();
    reloader.reload(Ok(discovered)).await.unwrap();
    assert!(watched(&rig.page().await).contains(&GROUP), "nobody had to ask Atlas for it");
    let page = rig.until("one group", |page| watched(page) == [GROUP]).await;
    assert_eq!(page.labels("mongodbatlas_group_info", "group_name"), ["g"]);
    assert!(rig.atlas.count("peers", &["ok"]) <= 2, "six targets in sixty seconds");
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
    let (rig, reloader) = Rig::reloadable(atlas, before).await;
    rig.until("three groups", |page| watched(page) == [GROUP, OTHER, THIRD]).await;
    reloader.reload(Ok(after)).await.unwrap();
    let account = |page: &Page| {
        let info = page.all("mongodbatlas_group_info", &[("group_id", THIRD)]);
        info.first().map(|info| info.labels["account"].clone())
    };
    rig.until("the last account", |page| {
        assert!(watched(page).contains(&THIRD), "it never leaves: {page:?}");
        account(page).as_deref() == Some("last")
    })
    .await;
}

#[tokio::test]
async fn every_scrape_is_answered_with_a_whole_page_while_configs_change() {
    let atlas = Atlas::start(&scenario()).await;
    let configs = [[GROUP, OTHER], [OTHER, THIRD]].map(|groups| listing(&atlas, &groups, quick()));
    let (rig, reloader) = Rig::reloadable(atlas, configs[0].clone()).await;
    rig.until("two groups", |page| watched(page) == [GROUP, OTHER]).await;
    let scrapes = async {
        for _ in 0..1000 {
            let page = rig.page().await;
            assert_eq!(page.count("mongodbatlas_peering_exporter_build_info"), 1);
            assert_eq!(page.count("mongodbatlas_peering_poll_success"), 6, "{page:?}");
            assert!(page.all("mongodbatlas_network_peering_available", &[("group_id", OTHER)]).len() == 1, "it stays");
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
async fn a_config_that_takes_long_to_read_keeps_nothing_up() {
    let atlas = Atlas::start(&scenario()).await;
    let [first, second] = [[GROUP, OTHER], [OTHER, THIRD]].map(|groups| listing(&atlas, &groups, quick()));
    let (rig, reloader) = Rig::reloadable(atlas, first).await;
    rig.until("two groups", |page| watched(page) == [GROUP, OTHER]).await;
    reloader.find(Ok(second));
    reloader.hang(Duration::from_secs(2)).await;
    let begun = Instant::now();
    let polls = async {
        rig.after_polls("AWS", 2).await;
        assert!(begun.elapsed() < Duration::from_secs(2), "the page stood still");
    };
    let (outcome, ()) = tokio::join!(reloader.reload_what_is_there(), polls);
    assert_eq!(outcome, Ok(()));
    assert!(begun.elapsed() >= Duration::from_secs(2), "it was read meanwhile, so nothing was shown");
    rig.until("two others", |page| watched(page) == [OTHER, THIRD]).await;
}

#[tokio::test]
async fn a_reload_does_not_wait_for_atlas() {
    let atlas = Atlas::start(&scenario()).await;
    let [first, second] = [[GROUP, OTHER], [OTHER, THIRD]].map(|groups| listing(&atlas, &groups, quick()));
    let (rig, reloader) = Rig::reloadable(atlas, first).await;
    rig.until("two groups", |page| watched(page) == [GROUP, OTHER]).await;
    rig.atlas.simulator.fail(Fault { endpoint: Some(SimulatedEndpoint::Revoke), ..Fault::new(Effect::Never) });
    let begun = Instant::now();
    reloader.reload(Ok(second)).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_token_that_is_minted_during_a_reload_or_an_exit_is_revoked() {
    let atlas = Atlas::start(&scenario()).await;
    let configs = [[GROUP, OTHER], [OTHER, THIRD]].map(|groups| listing(&atlas, &groups, quick()));
    let simulator = atlas.simulator.clone();
    let delay = Some(Duration::from_millis(300));
    simulator.fail(Fault { endpoint: Some(SimulatedEndpoint::Token), delay, ..Fault::default() });
    let (rig, reloader) = Rig::reloadable(atlas, configs[0].clone()).await;
    for n in 1..=5 {
        sleep(Duration::from_millis(100)).await;
        reloader.reload(Ok(configs[n % 2].clone())).await.unwrap();
    }
    sleep(Duration::from_millis(100)).await;
    let minted = rig.atlas.count("token", &["ok"]);
    rig.stop().await.unwrap();
    assert!(minted >= 2, "{minted}");
    assert_eq!(simulator.live_tokens(), 0);
}

#[tokio::test]
async fn a_shorter_interval_holds_at_once() {
    let atlas = Atlas::start(&scenario()).await;
    let slow = PollConfig { interval: Duration::from_secs(3600), ..quick() };
    let [slow, fast] = [slow, quick()].map(|poll| listing(&atlas, &[GROUP, OTHER], poll));
    let (rig, reloader) = Rig::reloadable(atlas, slow).await;
    let before = rig.until("two groups", |page| watched(page) == [GROUP, OTHER]).await;
    reloader.reload(Ok(fast)).await.unwrap();
    let all = |page: &Page| [GROUP, OTHER].iter().all(|group| polls(page, group) > polls(&before, group));
    rig.until("another poll of each", all).await;
}
