//! Rotation of credentials while the exporter runs.

use std::{fs, time::Duration};

use atlas_simulator::Credentials;
use futures_util::future::join_all;
use mongodbatlas_peering_exporter::config::PollConfig;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::{
    exposition::Exposition,
    setup::{Atlas, GROUP, OTHER, TestExporter, quick},
};

const MAIN: [(&str, &str); 1] = [("account", "main")];

fn scenario() -> String {
    let peerings = "[{provider: AWS, status: AVAILABLE, vpcId: v}]";
    format!("groups: [{{id: {GROUP}, name: g, peerings: {peerings}}}, {{id: {OTHER}, name: h, peerings: {peerings}}}]")
}

async fn exporter(folder: &TempDir, settings: &str, poll: PollConfig) -> TestExporter {
    let atlas = Atlas::start(&scenario()).await;
    let config = atlas.account(folder.path(), &format!("discover: {{interval: 1h}}, {settings}"), poll);
    let exporter = TestExporter::run(atlas, config).await;
    exporter
        .until("two peerings", |metrics| {
            metrics.count("mongodbatlas_network_peering_available") == 2 && all_succeed(metrics)
        })
        .await;
    exporter
}

fn all_succeed(metrics: &Exposition) -> bool {
    let polls = metrics.all("mongodbatlas_peering_poll_success", &[]);
    polls.len() == 6 && polls.iter().all(|poll| poll.value == 1.0)
}

fn refused(metrics: &Exposition) -> Option<f64> {
    metrics.value("mongodbatlas_api_credential_refused", &MAIN)
}

fn file(folder: &TempDir, name: &str, text: &str) {
    fs::write(folder.path().join(name), text).unwrap();
}

/// Checks for some polls that no series disappears.
async fn no_series_is_lost(exporter: &TestExporter, polls: u32) {
    let labels = [("group_id", GROUP), ("provider", "AWS")];
    let count = |metrics: &Exposition| metrics.value("mongodbatlas_peering_polls_total", &labels).unwrap();
    let started = count(&exporter.scrape().await);
    loop {
        let metrics = exporter.scrape().await;
        assert_eq!(metrics.count("mongodbatlas_network_peering_available"), 2, "{metrics:?}");
        if count(&metrics) >= started + f64::from(polls) {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn rotating_a_key_in_atlas_and_then_in_its_file_loses_no_series() {
    let folder = tempfile::tempdir().unwrap();
    file(&folder, "key", "demo");
    let exporter = exporter(&folder, "public_key: demo, private_key_file: key", quick()).await;
    let rotated = Credentials { public_key: "demo".to_owned(), private_key: "rotated".to_owned() };
    exporter.atlas.simulator.set_credentials(rotated);
    exporter.until("a rejection", |metrics| refused(metrics) == Some(1.0)).await;
    no_series_is_lost(&exporter, 3).await;
    file(&folder, "key", "rotated\n");
    exporter.until("the new key in use", |metrics| all_succeed(metrics) && refused(metrics) == Some(0.0)).await;
    no_series_is_lost(&exporter, 3).await;
}

#[tokio::test]
async fn rotating_both_halves_of_a_key_fails_no_poll() {
    let folder = tempfile::tempdir().unwrap();
    file(&folder, "id", "demo");
    file(&folder, "key", "demo");
    let poll = PollConfig { interval: Duration::from_secs(2), ..quick() };
    let exporter = exporter(&folder, "public_key_file: id, private_key_file: key", poll).await;
    let rotated = Credentials { public_key: "new".to_owned(), private_key: "rotated".to_owned() };
    file(&folder, "id.new", "new");
    file(&folder, "key.new", "rotated");
    exporter.atlas.simulator.set_credentials(rotated);
    for name in ["id", "key"] {
        fs::rename(folder.path().join(format!("{name}.new")), folder.path().join(name)).unwrap();
    }
    no_series_is_lost(&exporter, 3).await;
    let metrics = exporter.scrape().await;
    assert!(all_succeed(&metrics) && refused(&metrics) == Some(0.0));
    assert_eq!(metrics.sum("mongodbatlas_peering_poll_failures_total"), 0.0, "the rejected poll was retried");
}

#[tokio::test]
async fn a_rotated_client_secret_is_used_while_the_old_token_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    file(&folder, "secret", "mdb_sa_sk_demo");
    let id = "mdb_sa_id_5f0000000000000000000002";
    let exporter = exporter(&folder, &format!("client_id: {id}, client_secret_file: secret"), quick()).await;
    exporter.atlas.simulator.set_client(id, "mdb_sa_sk_rotated");
    file(&folder, "secret", "mdb_sa_sk_rotated");
    let mints = |metrics: &Exposition| metrics.value("mongodbatlas_api_token_mints_total", &MAIN);
    let metrics = exporter.until("a second token", |metrics| mints(metrics) == Some(2.0)).await;
    assert_eq!(metrics.sum("mongodbatlas_peering_poll_failures_total"), 0.0, "no poll failed");
    assert_eq!(metrics.value("mongodbatlas_api_token_mint_failures_total", &MAIN), Some(0.0));
}

#[tokio::test]
async fn a_wrong_client_secret_is_reported_while_the_old_token_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    file(&folder, "secret", "mdb_sa_sk_demo");
    let id = "mdb_sa_id_5f0000000000000000000002";
    let slow = PollConfig { interval: Duration::from_secs(3), ..quick() };
    let exporter = exporter(&folder, &format!("client_id: {id}, client_secret_file: secret"), slow).await;
    file(&folder, "secret", "mdb_sa_sk_typo");
    exporter.until("a rejection", |metrics| refused(metrics) == Some(1.0)).await;
    no_series_is_lost(&exporter, 3).await;
    assert!(all_succeed(&exporter.scrape().await), "the token is good for an hour");
    file(&folder, "secret", "mdb_sa_sk_demo");
    exporter.until("an accepted credential", |metrics| refused(metrics) == Some(0.0)).await;
}

#[tokio::test]
async fn a_missing_or_bad_credential_file_does_not_affect_polls() {
    let overlong = [b'a'; 4097];
    let contents: [Option<&[u8]>; 12] = [
        None,
        Some(b""),
        Some(b"two\nlines"),
        Some(b"\xef\xbb\xbfdemo"),
        Some(b"\xff\xfed\0e\0m\0o\0"),
        Some(b" demo"),
        Some(b"demo \n"),
        Some(b"demo\t"),
        Some("dem\u{f6}".as_bytes()),
        Some("demo\u{a0}".as_bytes()),
        Some(b"dem\xff"),
        Some(&overlong),
    ];
    join_all(contents.map(survives)).await;
}

/// Replaces the content of a credential file in use, or removes it. Polls must go on, and the metric must show it.
async fn survives(content: Option<&[u8]>) {
    let folder = tempfile::tempdir().unwrap();
    file(&folder, "key", "demo");
    let exporter = exporter(&folder, "public_key: demo, private_key_file: key", quick()).await;
    match content {
        None => fs::remove_file(folder.path().join("key")).unwrap(),
        Some(content) => fs::write(folder.path().join("key"), content).unwrap(),
    }
    let unreadable = |metrics: &Exposition| metrics.value("mongodbatlas_api_credential_unreadable", &MAIN);
    exporter.until("an unreadable file", |metrics| unreadable(metrics) == Some(1.0)).await;
    let metrics = exporter.after_polls("AWS", 3).await;
    assert!(all_succeed(&metrics) && refused(&metrics) == Some(0.0), "{content:?}: {metrics:?}");
    file(&folder, "key", "demo");
    exporter.until("a readable file", |metrics| unreadable(metrics) == Some(0.0)).await;
}

#[tokio::test]
async fn a_rejected_key_is_tried_once_an_interval_for_any_number_of_listings() {
    let groups: Vec<String> = (1..=30).map(|n| format!("  - {{id: 5e57d85c854180642f7844{n:02}, name: g}}")).collect();
    let atlas = Atlas::start(&format!("groups:\n{}", groups.join("\n"))).await;
    let folder = tempfile::tempdir().unwrap();
    file(&folder, "key", "wrong");
    let listed: Vec<String> = atlas.scenario.groups.iter().map(|group| format!("{{id: '{}'}}", group.id)).collect();
    let settings = format!("public_key: demo, private_key_file: key, groups: [{}]", listed.join(", "));
    let poll = PollConfig { interval: Duration::from_secs(1), ..quick() };
    let config = atlas.account(folder.path(), &settings, poll);
    let exporter = TestExporter::run(atlas, config).await;
    exporter
        .until("failures", |metrics| {
            metrics.all("mongodbatlas_peering_polls_total", &[]).iter().all(|polls| polls.value >= 4.0)
        })
        .await;
    let tried = exporter.atlas.count("peers", &["bad_credentials"]);
    assert!((3..=8).contains(&tried), "90 listings were polled four times: {tried} tries");
    let metrics = exporter.scrape().await;
    let reasons = metrics.all("mongodbatlas_peering_poll_failure_info", &[]);
    assert!(reasons.len() == 90 && reasons.iter().all(|failure| failure.labels["reason"] == "unauthorized"));
}
