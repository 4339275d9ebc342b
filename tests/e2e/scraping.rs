//! A real Prometheus scrapes the exporter.

use std::collections::BTreeMap;

use crate::{
    http::ask,
    process::wait_for,
    prometheus::Prometheus,
    setup::{Atlas, Exporter, GROUP, SCENARIO, folder},
};

#[test]
fn prometheus_has_every_peering_and_sees_it_fail_and_vanish() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    let exporter = Exporter::of(folder.path(), &atlas);
    let prometheus = Prometheus::scraping(&exporter.address);

    let mut waiting = prometheus.query("mongodbatlas_network_peering_status{provider='GCP',status='WAITING_FOR_USER'}");
    waiting.sort();
    let expected = ["64c0ffee00000000000000c1", "64c0ffee00000000000000c2"].map(|peering| {
        let labels = [
            ("__name__", "mongodbatlas_network_peering_status"),
            ("group_id", GROUP),
            ("instance", &exporter.address),
            ("job", "atlas"),
            ("peering_id", peering),
            ("provider", "GCP"),
            ("status", "WAITING_FOR_USER"),
            ("vpcId", "default"),
        ];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        (BTreeMap::from(labels), "1".to_owned())
    });
    assert_eq!(waiting, expected);
    assert_eq!(prometheus.value("count(mongodbatlas_network_peering_status)").as_deref(), Some("6"));
    assert_eq!(prometheus.value("sum(mongodbatlas_network_peerings)").as_deref(), Some("6"));

    atlas.control(
        &format!("groups/{GROUP}/peers/64c0ffee00000000000000c1"),
        r#"{"status": "FAILED", "error": "somebody deleted it"}"#,
    );
    let statuses = || -> Vec<String> {
        let samples = prometheus.query("mongodbatlas_network_peering_status{peering_id='64c0ffee00000000000000c1'}");
        samples.into_iter().map(|(mut labels, _)| labels.remove("status").unwrap()).collect()
    };
    wait_for("the new status and no other", || {
        let statuses = statuses();
        assert_eq!(statuses.len(), 1, "exactly one status at a time: {statuses:?}");
        (statuses == ["FAILED"]).then_some(())
    });

    let path = format!("/simulator/groups/{GROUP}/peers/64c0ffee00000000000000c2");
    assert_eq!(ask(&atlas.address, "DELETE", &path, "").status, 200);
    wait_for("the end of a peering's series", || {
        prometheus.query("{peering_id='64c0ffee00000000000000c2'}").is_empty().then_some(())
    });
    assert_eq!(prometheus.last_error(), "");
}

#[test]
fn prometheus_ingests_every_sample_without_duplicates() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    let exporter = Exporter::of(folder.path(), &atlas);
    let prometheus = Prometheus::scraping(&exporter.address);

    // Prometheus may silently drop one of two samples with the same labels, so this compares the numbers.
    wait_for("as many series as the exposition has samples", || {
        let samples = exporter.exposition().lines().filter(|line| !line.starts_with('#')).count();
        let series = prometheus.value("count({job='atlas',__name__!~'up|scrape_.*'})")?;
        (series == samples.to_string()).then_some(())
    });
    let own = prometheus.own_metrics();
    for reason in ["duplicate_timestamp", "out_of_bounds", "out_of_order"] {
        let line = format!("prometheus_target_scrapes_sample_{reason}_total 0");
        assert!(own.lines().any(|own| own == line), "{line}");
    }
    assert_eq!(prometheus.last_error(), "");
    assert_eq!(prometheus.value("min_over_time(up[1m])").as_deref(), Some("1"));
}
