//! How long series live.

use std::time::Duration;

use atlas_simulator::{self, Effect, Fault, ScenarioPeering, StatusFault};
use mongodbatlas_peering_exporter::config::PollConfig;

use crate::{
    exposition::Exposition,
    setup::{Atlas, GROUP, OTHER, TestExporter, get, quick},
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

fn peerings(metrics: &Exposition) -> usize {
    metrics.all("mongodbatlas_network_peering_status", &AWS).len()
}

fn success(metrics: &Exposition) -> f64 {
    metrics.value("mongodbatlas_peering_poll_success", &AWS).unwrap()
}

fn last_success(metrics: &Exposition) -> f64 {
    metrics.value("mongodbatlas_peering_poll_last_success_timestamp_seconds", &AWS).unwrap()
}

async fn with_two_peerings() -> TestExporter {
    let exporter = TestExporter::start(&scenario()).await;
    exporter.until("two peerings", |metrics| peerings(metrics) == 2 && success(metrics) == 1.0).await;
    exporter
}

/// A fault of the first group's AWS peerings.
fn on_the_listing(fault: Fault) -> Fault {
    Fault { group: Some(GROUP.to_owned()), provider: Some(atlas_simulator::ScenarioProvider::Aws), ..fault }
}

#[tokio::test]
async fn a_peering_that_is_no_longer_listed_loses_its_series() {
    let exporter = with_two_peerings().await;
    exporter.atlas.simulator.remove_peering(GROUP, "b").unwrap();
    let metrics = exporter.until("one peering", |metrics| peerings(metrics) == 1).await;
    assert!(metrics.all("mongodbatlas_network_peering_available", &[("vpcId", "b")]).is_empty());
    assert!(metrics.all("mongodbatlas_network_peering_error_info", &[]).is_empty());
    assert_eq!(success(&metrics), 1.0);
}

#[tokio::test]
async fn a_new_status_replaces_the_previous_one() {
    let exporter = with_two_peerings().await;
    exporter.atlas.simulator.set_status(GROUP, "a", "TERMINATING", None).unwrap();
    let status = "mongodbatlas_network_peering_status";
    let metrics =
        exporter.until("the change", |metrics| !metrics.all(status, &[("status", "TERMINATING")]).is_empty()).await;
    assert_eq!(metrics.all(status, &[("vpcId", "a")]).len(), 1);
    assert_eq!(metrics.value("mongodbatlas_network_peering_available", &[("vpcId", "a")]), Some(0.0));
}

#[tokio::test]
async fn a_failed_poll_keeps_the_last_complete_listing() {
    let exporter = with_two_peerings().await;
    exporter.atlas.simulator.fail(on_the_listing(Fault::new(Effect::Garbage)));
    exporter.atlas.simulator.remove_peering(GROUP, "b").unwrap();
    let metrics = exporter.until("a failure", |metrics| success(metrics) == 0.0).await;
    let before = last_success(&metrics);
    let metrics = exporter.after_polls("AWS", 2).await;
    assert_eq!((peerings(&metrics), success(&metrics), last_success(&metrics)), (2, 0.0, before));
    let failures = metrics.value("mongodbatlas_peering_poll_failures_total", &AWS);
    assert!(failures >= Some(2.0));
    assert_eq!(metrics.labels("mongodbatlas_peering_poll_failure_info", "reason"), ["decode"]);
    let decode = [("account", "main"), ("reason", "decode")];
    assert_eq!(metrics.value("mongodbatlas_account_poll_failures_total", &decode), failures);
    let gcp = [AWS[0], ("provider", "GCP")];
    assert_eq!(metrics.value("mongodbatlas_peering_poll_failures_total", &gcp), Some(0.0));
    assert_eq!(metrics.value("mongodbatlas_peering_poll_success", &gcp), Some(1.0));
    exporter.atlas.simulator.clear_faults();
    exporter.until("the current listing", |metrics| peerings(metrics) == 1 && success(metrics) == 1.0).await;
}

#[tokio::test]
async fn a_stale_listing_is_removed_and_its_timestamp_stays() {
    let poll = PollConfig { max_staleness: Duration::from_secs(1), ..quick() };
    let exporter = TestExporter::start_with(&scenario(), poll).await;
    exporter.until("two peerings", |metrics| peerings(metrics) == 2).await;
    exporter.atlas.simulator.fail(on_the_listing(Fault::status(400)));
    let metrics = exporter.until("no peering", |metrics| peerings(metrics) == 0).await;
    assert!(metrics.all("mongodbatlas_network_peerings", &AWS).is_empty(), "no count rather than a wrong 0");
    assert_eq!(success(&metrics), 0.0);
    assert!(last_success(&metrics) > 0.0);
    assert_eq!(metrics.all("mongodbatlas_network_peering_status", &[("group_id", OTHER)]).len(), 1);
}

#[tokio::test]
async fn a_listing_becomes_stale_even_while_a_poll_hangs() {
    let poll = PollConfig {
        max_staleness: Duration::from_secs(1),
        timeout: Duration::from_secs(60),
        deadline: Duration::from_secs(60),
        ..quick()
    };
    let exporter = TestExporter::start_with(&scenario(), poll).await;
    exporter.until("two peerings", |metrics| peerings(metrics) == 2).await;
    exporter.atlas.simulator.fail(Fault::new(Effect::Never));
    let metrics = exporter
        .until("no success", |metrics| {
            metrics.all("mongodbatlas_peering_poll_success", &[]).iter().all(|success| success.value == 0.0)
        })
        .await;
    assert_eq!(metrics.count("mongodbatlas_network_peering_status"), 0, "no series without a success: {metrics:?}");
}

#[tokio::test]
async fn the_second_404_drops_the_listing() {
    let exporter = with_two_peerings().await;
    exporter.atlas.simulator.fail(on_the_listing(Fault { times: Some(1), ..Fault::status(404) }));
    let count = |metrics: &Exposition| metrics.value("mongodbatlas_peering_poll_failures_total", &AWS);
    let metrics = exporter.until("one 404", |metrics| count(metrics) == Some(1.0)).await;
    assert_eq!(peerings(&metrics), 2);
    exporter.until("a success", |metrics| success(metrics) == 1.0).await;

    exporter.atlas.simulator.remove_group(GROUP).unwrap();
    let metrics = exporter.until("two more", |metrics| count(metrics) >= Some(3.0)).await;
    assert_eq!((peerings(&metrics), success(&metrics)), (0, 0.0));
    let reason = metrics.all("mongodbatlas_peering_poll_failure_info", &AWS)[0];
    assert_eq!(reason.labels["reason"], "not_found");
    assert!(last_success(&metrics) > 0.0);
}

#[tokio::test]
async fn a_404_of_a_gateway_keeps_the_listing() {
    let exporter = with_two_peerings().await;
    let gateway = StatusFault { code: 404, html: true, ..StatusFault::default() };
    // Between two 404s of Atlas, which then are not two in a row.
    exporter.atlas.simulator.fail(on_the_listing(Fault { times: Some(1), ..Fault::status(404) }));
    exporter.atlas.simulator.fail(on_the_listing(Fault { times: Some(3), ..Fault::new(Effect::Status(gateway)) }));
    exporter.atlas.simulator.fail(on_the_listing(Fault { times: Some(1), ..Fault::status(404) }));
    let count = |metrics: &Exposition, reason: &str| {
        metrics.value("mongodbatlas_account_poll_failures_total", &[("reason", reason)])
    };
    let metrics = exporter.until("both kinds of 404", |metrics| count(metrics, "not_found") == Some(2.0)).await;
    assert_eq!((peerings(&metrics), count(&metrics, "unexpected_status")), (2, Some(3.0)));
    exporter.until("a success", |metrics| success(metrics) == 1.0 && peerings(metrics) == 2).await;
}

#[tokio::test]
async fn an_empty_listing_removes_the_peerings() {
    let exporter = with_two_peerings().await;
    exporter.atlas.simulator.remove_peering(GROUP, "a").unwrap();
    exporter.atlas.simulator.remove_peering(GROUP, "b").unwrap();
    let metrics = exporter.until("no peering", |metrics| peerings(metrics) == 0).await;
    assert_eq!(success(&metrics), 1.0);
    let counts: Vec<_> = metrics
        .all("mongodbatlas_network_peerings", &AWS)
        .iter()
        .map(|count| (count.labels["status"].as_str(), count.value))
        .collect();
    assert_eq!(counts, [("AVAILABLE", 0.0)], "one series says that there are none");
}

#[tokio::test]
async fn after_a_restart_nothing_is_exported_until_the_first_poll() {
    let atlas = Atlas::start(&scenario()).await;
    atlas.simulator.fail(Fault::status(500));
    let exporter = TestExporter::on(atlas, quick()).await;
    let metrics = exporter.scrape().await;
    assert_eq!(metrics.count("mongodbatlas_network_peering_status"), 0);
    assert_eq!(metrics.count("mongodbatlas_network_peerings"), 0);
    assert_eq!((success(&metrics), last_success(&metrics)), (0.0, 0.0));
    assert_eq!(metrics.count("mongodbatlas_peering_poll_success"), 6);
    exporter.atlas.simulator.clear_faults();
    exporter.until("two peerings", |metrics| peerings(metrics) == 2 && last_success(metrics) > 0.0).await;
}

#[tokio::test]
async fn a_group_removed_from_the_config_has_no_series() {
    let mut atlas = Atlas::start(&scenario()).await;
    atlas.scenario.groups.retain(|group| group.id == OTHER);
    let exporter = TestExporter::on(atlas, quick()).await;
    let metrics =
        exporter.until("the other group", |metrics| metrics.count("mongodbatlas_network_peering_status") == 1).await;
    for name in ["mongodbatlas_peering_poll_success", "mongodbatlas_group_info", "mongodbatlas_network_peerings"] {
        assert!(
            metrics.all(name, &[("group_id", GROUP)]).is_empty()
                && !metrics.all(name, &[("group_id", OTHER)]).is_empty()
        );
    }
}

#[tokio::test]
async fn the_exporter_is_ready_once_every_listing_was_polled_and_stays_ready() {
    let atlas = Atlas::start(&scenario()).await;
    let hold = Fault { delay: Some(Duration::from_millis(700)), ..on_the_listing(Fault::status(500)) };
    atlas.simulator.fail(Fault { times: Some(1), ..hold });
    let exporter = TestExporter::on(atlas, PollConfig { deadline: Duration::from_millis(900), ..quick() }).await;
    let (status, body) = get(exporter.address, "/-/ready").await;
    assert_eq!(status, 503);
    assert!(body.starts_with("not ready: ") && body.ends_with(" of 6 listings have not been polled yet\n"), "{body}");
    assert_eq!(get(exporter.address, "/-/healthy").await.0, 200);
    let polled = |metrics: &Exposition| {
        metrics.all("mongodbatlas_peering_polls_total", &[]).iter().all(|polls| polls.value > 0.0)
    };
    exporter.until("a poll of every listing", polled).await;
    assert_eq!(get(exporter.address, "/-/ready").await, (200, "ready\n".to_owned()));
    exporter.atlas.simulator.fail(Fault::new(Effect::Close));
    exporter.until("failures", |metrics| success(metrics) == 0.0).await;
    assert_eq!(get(exporter.address, "/-/ready").await.0, 200);
}

#[tokio::test]
async fn new_peerings_appear_with_all_their_series() {
    let exporter = with_two_peerings().await;
    let peering = ScenarioPeering::new(atlas_simulator::ScenarioProvider::Gcp, "WAITING_FOR_USER")
        .with("networkName", "default")
        .with("gcpProjectId", "shop-net")
        .with("containerId", "64c0ffee0000000000000009")
        .with("id", "64c0ffee00000000000000aa");
    exporter.atlas.simulator.put_peering(GROUP, peering).unwrap();
    let labels = [("group_id", GROUP), ("provider", "GCP"), ("vpcId", "default")];
    let metrics = exporter
        .until("the new peering", |metrics| metrics.value("mongodbatlas_network_peering_available", &labels).is_some())
        .await;
    let info = metrics.all("mongodbatlas_network_peering_info", &labels)[0];
    assert_eq!(info.labels["cloud_account"], "shop-net");
    assert_eq!(info.labels["container_id"], "64c0ffee0000000000000009");
    assert!(metrics.value("mongodbatlas_network_peering_created_timestamp_seconds", &labels).is_some());
    exporter.stop().await.unwrap();
}
