//! How long series live: the table of DESIGN, row by row.

use std::time::Duration;

use atlas_simulator::{self, Effect, Fault, ScenarioPeering};
use mongodbatlas_peering_exporter::config::PollConfig;

use crate::{
    page::Page,
    rig::{Atlas, GROUP, OTHER, Rig, get, quick},
};

const AWS: [(&str, &str); 2] = [("group_id", GROUP), ("provider", "AWS")];

fn scenario() -> String {
    format!(
        "groups:
  - {{id: {GROUP}, name: one, peerings: [{{name: a, provider: AWS, status: AVAILABLE, vpcId: a}},
     {{name: b, provider: AWS, status: FAILED, error: EXPIRED, vpcId: b}}]}}
  - {{id: {OTHER}, name: two, peerings: [{{provider: AWS, status: AVAILABLE, vpcId: c}}]}}"
    )
}

fn peerings(page: &Page) -> usize {
    page.all("mongodbatlas_network_peering_status", &AWS).len()
}

fn success(page: &Page) -> f64 {
    page.value("mongodbatlas_peering_poll_success", &AWS).unwrap()
}

fn stale(page: &Page) -> f64 {
    page.value("mongodbatlas_peering_poll_stale", &AWS).unwrap()
}

fn last_success(page: &Page) -> f64 {
    page.value("mongodbatlas_peering_poll_last_success_timestamp_seconds", &AWS).unwrap()
}

async fn with_two_peerings() -> Rig {
    let rig = Rig::start(&scenario()).await;
    rig.until("two peerings", |page| peerings(page) == 2 && success(page) == 1.0).await;
    rig
}

/// A fault of the first group's AWS peerings.
fn of_the_target(fault: Fault) -> Fault {
    Fault { group: Some(GROUP.to_owned()), provider: Some(atlas_simulator::ScenarioProvider::Aws), ..fault }
}

#[tokio::test]
async fn a_peering_that_is_listed_no_more_is_gone() {
    let rig = with_two_peerings().await;
    rig.atlas.simulator.remove_peering(GROUP, "b").unwrap();
    let page = rig.until("one peering", |page| peerings(page) == 1).await;
    assert!(page.all("mongodbatlas_network_peering_available", &[("vpcId", "b")]).is_empty());
    assert!(page.all("mongodbatlas_network_peering_error_info", &[]).is_empty());
    assert_eq!((success(&page), stale(&page)), (1.0, 0.0));
}

#[tokio::test]
async fn a_status_replaces_the_one_before() {
    let rig = with_two_peerings().await;
    rig.atlas.simulator.set_status(GROUP, "a", "TERMINATING", None).unwrap();
    let status = "mongodbatlas_network_peering_status";
    let page = rig.until("the change", |page| !page.all(status, &[("status", "TERMINATING")]).is_empty()).await;
    assert_eq!(page.all(status, &[("vpcId", "a")]).len(), 1);
    assert_eq!(page.value("mongodbatlas_network_peering_available", &[("vpcId", "a")]), Some(0.0));
}

#[tokio::test]
async fn a_failed_poll_keeps_the_last_complete_listing() {
    let rig = with_two_peerings().await;
    rig.atlas.simulator.fail(of_the_target(Fault::new(Effect::Garbage)));
    rig.atlas.simulator.remove_peering(GROUP, "b").unwrap();
    let page = rig.until("a failure", |page| success(page) == 0.0).await;
    let before = last_success(&page);
    let page = rig.after_polls("AWS", 2).await;
    assert_eq!((peerings(&page), stale(&page), last_success(&page)), (2, 1.0, before));
    let failures = [AWS[0], AWS[1], ("reason", "decode")];
    assert!(page.value("mongodbatlas_peering_poll_failures_total", &failures).unwrap() >= 2.0);
    assert_eq!(page.value("mongodbatlas_peering_poll_success", &[AWS[0], ("provider", "GCP")]), Some(1.0));
    rig.atlas.simulator.clear_faults();
    rig.until("the truth", |page| peerings(page) == 1 && stale(page) == 0.0).await;
}

#[tokio::test]
async fn a_listing_that_is_too_old_goes_and_its_timestamp_stays() {
    let poll = PollConfig { max_staleness: Duration::from_secs(1), ..quick() };
    let rig = Rig::with(&scenario(), poll).await;
    rig.until("two peerings", |page| peerings(page) == 2).await;
    rig.atlas.simulator.fail(of_the_target(Fault::status(400)));
    let page = rig.until("no peering", |page| peerings(page) == 0).await;
    assert!(page.all("mongodbatlas_network_peerings", &AWS).is_empty(), "no count is better than a wrong 0");
    assert_eq!((success(&page), stale(&page)), (0.0, 0.0));
    assert!(last_success(&page) > 0.0);
    assert_eq!(page.all("mongodbatlas_network_peering_status", &[("group_id", OTHER)]).len(), 1);
}

#[tokio::test]
async fn a_listing_gets_too_old_even_while_a_poll_hangs() {
    let poll = PollConfig {
        max_staleness: Duration::from_secs(1),
        timeout: Duration::from_secs(60),
        deadline: Duration::from_secs(60),
        ..quick()
    };
    let rig = Rig::with(&scenario(), poll).await;
    rig.until("two peerings", |page| peerings(page) == 2).await;
    rig.atlas.simulator.fail(Fault::new(Effect::Never));
    let page = rig
        .until("no success", |page| {
            page.all("mongodbatlas_peering_poll_success", &[]).iter().all(|success| success.value == 0.0)
        })
        .await;
    assert_eq!(page.count("mongodbatlas_network_peering_status"), 0, "nothing with no success behind it: {page:?}");
}

#[tokio::test]
async fn the_second_404_drops_the_listing() {
    let rig = with_two_peerings().await;
    rig.atlas.simulator.fail(of_the_target(Fault { times: Some(1), ..Fault::status(404) }));
    let not_found = [AWS[0], AWS[1], ("reason", "not_found")];
    let count = |page: &Page| page.value("mongodbatlas_peering_poll_failures_total", &not_found);
    let page = rig.until("one 404", |page| count(page) == Some(1.0)).await;
    assert_eq!(peerings(&page), 2);
    rig.until("a success", |page| success(page) == 1.0).await;

    rig.atlas.simulator.remove_group(GROUP).unwrap();
    let page = rig.until("two more", |page| count(page) >= Some(3.0)).await;
    assert_eq!((peerings(&page), success(&page), stale(&page)), (0, 0.0, 0.0));
    assert!(last_success(&page) > 0.0);
}

#[tokio::test]
async fn an_empty_listing_is_the_truth() {
    let rig = with_two_peerings().await;
    rig.atlas.simulator.remove_peering(GROUP, "a").unwrap();
    rig.atlas.simulator.remove_peering(GROUP, "b").unwrap();
    let page = rig.until("no peering", |page| peerings(page) == 0).await;
    assert_eq!((success(&page), stale(&page)), (1.0, 0.0));
    let failed = [AWS[0], AWS[1], ("status", "FAILED")];
    assert_eq!(page.value("mongodbatlas_network_peerings", &failed), Some(0.0));
}

#[tokio::test]
async fn a_restart_begins_with_nothing_and_says_so() {
    let atlas = Atlas::start(&scenario()).await;
    atlas.simulator.fail(Fault::status(500));
    let rig = Rig::on(atlas, quick()).await;
    let page = rig.page().await;
    assert_eq!(page.count("mongodbatlas_network_peering_status"), 0);
    assert_eq!(page.count("mongodbatlas_network_peerings"), 0);
    assert_eq!((success(&page), last_success(&page), stale(&page)), (0.0, 0.0, 0.0));
    assert_eq!(page.count("mongodbatlas_peering_poll_success"), 6);
    rig.atlas.simulator.clear_faults();
    rig.until("two peerings", |page| peerings(page) == 2 && last_success(page) > 0.0).await;
}

#[tokio::test]
async fn a_group_that_left_the_config_has_no_series() {
    let mut atlas = Atlas::start(&scenario()).await;
    atlas.scenario.groups.retain(|group| group.id == OTHER);
    let rig = Rig::on(atlas, quick()).await;
    let page = rig.until("the other group", |page| page.count("mongodbatlas_network_peering_status") == 1).await;
    for name in ["mongodbatlas_peering_poll_success", "mongodbatlas_group_info", "mongodbatlas_network_peerings"] {
        assert!(
            page.all(name, &[("group_id", GROUP)]).is_empty() && !page.all(name, &[("group_id", OTHER)]).is_empty()
        );
    }
}

#[tokio::test]
async fn ready_means_that_every_target_was_polled_once_and_stays() {
    let atlas = Atlas::start(&scenario()).await;
    let hold = Fault { delay: Some(Duration::from_millis(700)), ..of_the_target(Fault::status(500)) };
    atlas.simulator.fail(Fault { times: Some(1), ..hold });
    let rig = Rig::on(atlas, PollConfig { deadline: Duration::from_millis(900), ..quick() }).await;
    let (status, body) = get(rig.exporter, "/-/ready").await;
    assert_eq!(status, 503);
    assert!(body.starts_with("not ready: ") && body.ends_with(" of 6 listings were not polled yet\n"), "{body}");
    assert_eq!(get(rig.exporter, "/-/healthy").await.0, 200);
    let polled = |page: &Page| page.all("mongodbatlas_peering_polls_total", &[]).iter().all(|polls| polls.value > 0.0);
    rig.until("a poll of every target", polled).await;
    assert_eq!(get(rig.exporter, "/-/ready").await, (200, "ready\n".to_owned()));
    rig.atlas.simulator.fail(Fault::new(Effect::Close));
    rig.until("failures", |page| success(page) == 0.0).await;
    assert_eq!(get(rig.exporter, "/-/ready").await.0, 200);
}

#[tokio::test]
async fn new_peerings_appear_with_all_their_series() {
    let rig = with_two_peerings().await;
    let peering = ScenarioPeering::new(atlas_simulator::ScenarioProvider::Gcp, "WAITING_FOR_USER")
        .with("networkName", "default")
        .with("gcpProjectId", "shop-net")
        .with("containerId", "64c0ffee0000000000000009")
        .with("id", "64c0ffee00000000000000aa");
    rig.atlas.simulator.put_peering(GROUP, peering).unwrap();
    let labels = [("group_id", GROUP), ("provider", "GCP"), ("vpcId", "default")];
    let page = rig.until("it", |page| page.value("mongodbatlas_network_peering_available", &labels).is_some()).await;
    let info = page.all("mongodbatlas_network_peering_info", &labels)[0];
    assert_eq!(info.labels["cloud_account"], "shop-net");
    assert_eq!(info.labels["container_id"], "64c0ffee0000000000000009");
    assert!(page.value("mongodbatlas_network_peering_created_timestamp_seconds", &labels).is_some());
    rig.stop().await.unwrap();
}
