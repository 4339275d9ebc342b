//! Rate limits: what is limited is left alone, and nothing else.

use std::time::Duration;

use atlas_simulator::{Effect, Fault, SimulatedEndpoint, StatusFault};
use mongodbatlas_peering_exporter::config::PollConfig;

use crate::rig::{Atlas, GROUP, OTHER, Rig, quick};

const MAIN: [(&str, &str); 1] = [("account", "main")];

fn scenario(settings: &str) -> String {
    let peerings = "[{provider: AWS, status: AVAILABLE, vpcId: v, containerId: 64c0ffee0000000000000001}]";
    format!("{settings}\ngroups:\n  - {{id: {GROUP}, name: one, peerings: {peerings}}}\n  - {{id: {OTHER}, name: two}}")
}

fn limited(endpoint: SimulatedEndpoint, retry_after: u64) -> Fault {
    let status = StatusFault { code: 429, retry_after: Some(retry_after), ..StatusFault::default() };
    Fault { endpoint: Some(endpoint), times: Some(1), ..Fault::new(Effect::Status(status)) }
}

#[tokio::test]
async fn a_limited_list_of_groups_does_not_pause_polls() {
    let atlas = Atlas::start(&scenario("")).await;
    let config = atlas.service_account(quick());
    let rig = Rig::of(atlas, config).await;
    rig.until("two groups", |page| page.value("mongodbatlas_account_groups", &MAIN) == Some(2.0)).await;
    rig.atlas.simulator.fail(limited(SimulatedEndpoint::Groups, 4));
    rig.until("the limit", |page| page.value("mongodbatlas_discovery_success", &MAIN) == Some(0.0)).await;
    rig.atlas.simulator.clear_requests();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let page = rig.page().await;
    assert_eq!(page.value("mongodbatlas_discovery_success", &MAIN), Some(0.0));
    assert!(page.all("mongodbatlas_peering_poll_success", &[]).iter().all(|poll| poll.value == 1.0));
    assert_eq!(rig.atlas.count("groups", &["ok", "fault"]), 0, "the list is left alone for as long as Atlas asks");
    rig.until("an end", |page| page.value("mongodbatlas_discovery_success", &MAIN) == Some(1.0)).await;
}

#[tokio::test]
async fn a_group_that_is_limited_by_its_containers_is_paused() {
    let atlas = Atlas::start(&scenario("")).await;
    atlas.simulator.fail(limited(SimulatedEndpoint::Containers, 3600));
    let rig = Rig::on(atlas, quick()).await;
    let of = |group| [("group_id", group), ("reason", "rate_limited")];
    let page = rig
        .until("a pause of the group", |page| {
            !page.all("mongodbatlas_peering_poll_failures_total", &of(GROUP)).is_empty()
        })
        .await;
    assert!(page.all("mongodbatlas_peering_poll_failures_total", &of(OTHER)).is_empty());
}

#[tokio::test]
async fn an_empty_bucket_is_left_alone_before_atlas_refuses() {
    // Six requests at once and three a second; six targets every 200 ms would be thirty a second.
    let atlas = Atlas::start(&scenario("rate_limit: {capacity: 6, refill_per_minute: 180}")).await;
    let rig = Rig::on(atlas, PollConfig { containers: false, concurrency: 1, ..quick() }).await;
    rig.after_polls("AWS", 6).await;
    let (fine, refused) = (rig.atlas.count("peers", &["ok"]), rig.atlas.count("peers", &["rate_limited"]));
    assert!(fine >= 12 && refused * 4 < fine, "{refused} refused, {fine} answered");
}

#[tokio::test]
async fn every_bucket_has_its_series() {
    let atlas = Atlas::start(&scenario("group_list_rate_limit: {capacity: 77, refill_per_minute: 60}")).await;
    let config = atlas.service_account(PollConfig { interval: Duration::from_secs(60), ..quick() });
    let rig = Rig::of(atlas, config).await;
    let limit = "mongodbatlas_api_ratelimit_limit";
    let page = rig.until("three buckets", |page| page.count(limit) == 3).await;
    let of = |endpoint, group| [MAIN[0], ("endpoint", endpoint), ("group_id", group)];
    assert_eq!(page.value(limit, &of("groups", "")), Some(77.0));
    for group in [GROUP, OTHER] {
        assert_eq!(page.value(limit, &of("peers", group)), Some(2000.0));
        assert!(page.value("mongodbatlas_api_ratelimit_remaining", &of("peers", group)) < Some(2000.0));
    }
}

#[tokio::test]
async fn an_announced_end_of_the_version_is_a_metric_that_goes_when_it_is_called_off() {
    let dates = "deprecation: 'Mon, 5 Aug 2024 00:00:00 GMT'\nsunset: 'Thu, 1 Jul 2027 00:00:00 GMT'";
    let rig = Rig::with(&scenario(dates), PollConfig { containers: false, ..quick() }).await;
    let labels = [MAIN[0], ("endpoint", "peers"), ("version", "2023-01-01")];
    let sunset = "mongodbatlas_api_sunset_timestamp_seconds";
    let page = rig.until("the end", |page| page.value(sunset, &labels) == Some(1_814_400_000.0)).await;
    assert_eq!(page.value("mongodbatlas_api_deprecation_timestamp_seconds", &labels), Some(1_722_816_000.0));
    rig.atlas.simulator.set_sunset(Some("Fri, 1 Jan 2027 00:00:00 GMT".to_owned()));
    rig.until("an earlier end", |page| page.value(sunset, &labels) == Some(1_798_761_600.0)).await;
    rig.atlas.simulator.set_sunset(None);
    rig.until("no end", |page| page.count(sunset) == 0).await;
}
