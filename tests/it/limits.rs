//! Rate limits delay requests from the same bucket, and no others.

use std::time::Duration;

use atlas_simulator::{Effect, Fault, SimulatedEndpoint, StatusFault};
use mongodbatlas_peering_exporter::config::PollConfig;

use crate::setup::{Atlas, GROUP, OTHER, TestExporter, quick};

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
async fn a_rate_limit_on_the_list_of_groups_does_not_delay_polls() {
    let atlas = Atlas::start(&scenario("")).await;
    let exporter = TestExporter::with_service_account(atlas, quick()).await;
    exporter.until("two groups", |metrics| metrics.value("mongodbatlas_account_groups", &MAIN) == Some(2.0)).await;
    exporter.atlas.simulator.fail(limited(SimulatedEndpoint::Groups, 4));
    exporter
        .until("the rate limit", |metrics| metrics.value("mongodbatlas_discovery_success", &MAIN) == Some(0.0))
        .await;
    exporter.atlas.simulator.clear_requests();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let metrics = exporter.scrape().await;
    assert_eq!(metrics.value("mongodbatlas_discovery_success", &MAIN), Some(0.0));
    assert!(metrics.all("mongodbatlas_peering_poll_success", &[]).iter().all(|poll| poll.value == 1.0));
    assert_eq!(exporter.atlas.count("groups", &["ok", "fault"]), 0, "no discovery until Retry-After");
    exporter.until("an end", |metrics| metrics.value("mongodbatlas_discovery_success", &MAIN) == Some(1.0)).await;
}

#[tokio::test]
async fn a_rate_limit_on_containers_delays_the_polls_of_the_group() {
    let atlas = Atlas::start(&scenario("")).await;
    atlas.simulator.fail(limited(SimulatedEndpoint::Containers, 3600));
    let exporter = TestExporter::on(atlas, quick()).await;
    let of = |group| [("group_id", group), ("reason", "rate_limited")];
    let metrics = exporter
        .until("a rate-limited group", |metrics| {
            !metrics.all("mongodbatlas_peering_poll_failure_info", &of(GROUP)).is_empty()
        })
        .await;
    let failures = metrics.all("mongodbatlas_peering_poll_failures_total", &[("group_id", OTHER)]);
    assert!(failures.len() == 3 && failures.iter().all(|failures| failures.value == 0.0), "{metrics:?}");
}

#[tokio::test]
async fn an_empty_bucket_gets_no_requests_before_atlas_rejects_them() {
    // Six requests at once and three a second; six listings every 200 ms would send thirty a second.
    let atlas = Atlas::start(&scenario("rate_limit: {capacity: 6, refill_per_minute: 180}")).await;
    let exporter = TestExporter::on(atlas, PollConfig { containers: false, concurrency: 1, ..quick() }).await;
    exporter.after_polls("AWS", 6).await;
    let (fine, refused) = (exporter.atlas.count("peers", &["ok"]), exporter.atlas.count("peers", &["rate_limited"]));
    assert!(fine >= 12 && refused * 4 < fine, "{refused} requests rate limited, {fine} not");
}

#[tokio::test]
async fn every_bucket_has_its_series() {
    let atlas = Atlas::start(&scenario("group_list_rate_limit: {capacity: 77, refill_per_minute: 60}")).await;
    let exporter =
        TestExporter::with_service_account(atlas, PollConfig { interval: Duration::from_secs(60), ..quick() }).await;
    let remaining = "mongodbatlas_api_ratelimit_remaining";
    let metrics = exporter.until("three buckets", |metrics| metrics.count(remaining) == 3).await;
    for (endpoint, groups, limit) in [("groups", &[""][..], 77.0), ("peers", &[GROUP, OTHER], 2000.0)] {
        let labels = [MAIN[0], ("endpoint", endpoint)];
        assert_eq!(metrics.value("mongodbatlas_api_ratelimit_limit", &labels), Some(limit));
        for group in groups {
            let labels = [labels[0], labels[1], ("group_id", group)];
            assert!(metrics.value(remaining, &labels).is_some_and(|remaining| remaining < limit), "{labels:?}");
        }
    }
}

#[tokio::test]
async fn an_announced_sunset_is_a_metric_until_it_is_withdrawn() {
    let dates = "deprecation: 'Mon, 5 Aug 2024 00:00:00 GMT'\nsunset: 'Thu, 1 Jul 2027 00:00:00 GMT'";
    let exporter = TestExporter::start_with(&scenario(dates), PollConfig { containers: false, ..quick() }).await;
    let labels = [MAIN[0], ("endpoint", "peers"), ("version", "2023-01-01")];
    let sunset = "mongodbatlas_api_sunset_timestamp_seconds";
    let metrics = exporter.until("the sunset", |metrics| metrics.value(sunset, &labels) == Some(1_814_400_000.0)).await;
    assert_eq!(metrics.value("mongodbatlas_api_deprecation_timestamp_seconds", &labels), Some(1_722_816_000.0));
    exporter.atlas.simulator.set_sunset(Some("Fri, 1 Jan 2027 00:00:00 GMT".to_owned()));
    exporter.until("an earlier sunset", |metrics| metrics.value(sunset, &labels) == Some(1_798_761_600.0)).await;
    exporter.atlas.simulator.set_sunset(None);
    exporter.until("no sunset", |metrics| metrics.count(sunset) == 0).await;
}
