//! Credentials that change while the exporter runs.

use std::{fs, time::Duration};

use atlas_simulator::Credentials;
use mongodbatlas_peering_exporter::config::PollConfig;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::{
    page::Page,
    rig::{Atlas, GROUP, OTHER, Rig, quick},
};

const MAIN: [(&str, &str); 1] = [("account", "main")];

fn scenario() -> String {
    let peerings = "[{provider: AWS, status: AVAILABLE, vpcId: v}]";
    format!("groups: [{{id: {GROUP}, name: g, peerings: {peerings}}}, {{id: {OTHER}, name: h, peerings: {peerings}}}]")
}

async fn rig(folder: &TempDir, settings: &str, poll: PollConfig) -> Rig {
    let atlas = Atlas::start(&scenario()).await;
    let config = atlas.account(folder.path(), &format!("discover: {{interval: 1h}}, {settings}"), poll);
    let rig = Rig::of(atlas, config).await;
    rig.until("two peerings", |page| page.count("mongodbatlas_network_peering_available") == 2 && all_well(page)).await;
    rig
}

fn all_well(page: &Page) -> bool {
    let polls = page.all("mongodbatlas_peering_poll_success", &[]);
    polls.len() == 6 && polls.iter().all(|poll| poll.value == 1.0)
}

fn refused(page: &Page) -> Option<f64> {
    page.value("mongodbatlas_api_credential_refused", &MAIN)
}

fn file(folder: &TempDir, name: &str, text: &str) {
    fs::write(folder.path().join(name), text).unwrap();
}

/// Watches the page for a while: nothing that was there may be missing.
async fn no_series_is_lost(rig: &Rig, polls: u32) {
    let labels = [("group_id", GROUP), ("provider", "AWS")];
    let count = |page: &Page| page.value("mongodbatlas_peering_polls_total", &labels).unwrap();
    let begun = count(&rig.page().await);
    loop {
        let page = rig.page().await;
        assert_eq!(page.count("mongodbatlas_network_peering_available"), 2, "{page:?}");
        if count(&page) >= begun + f64::from(polls) {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_key_that_changes_in_atlas_and_then_in_its_file_loses_no_series() {
    let folder = tempfile::tempdir().unwrap();
    file(&folder, "key", "demo");
    let rig = rig(&folder, "public_key: demo, private_key_file: key", quick()).await;
    let rotated = Credentials { public_key: "demo".to_owned(), private_key: "rotated".to_owned() };
    rig.atlas.simulator.set_credentials(rotated);
    rig.until("a refusal", |page| refused(page) == Some(1.0)).await;
    no_series_is_lost(&rig, 3).await;
    file(&folder, "key", "rotated\n");
    rig.until("the new key in use", |page| all_well(page) && refused(page) == Some(0.0)).await;
    no_series_is_lost(&rig, 3).await;
}

#[tokio::test]
async fn both_halves_of_a_key_may_change_and_no_poll_fails() {
    let folder = tempfile::tempdir().unwrap();
    file(&folder, "id", "demo");
    file(&folder, "key", "demo");
    let poll = PollConfig { interval: Duration::from_secs(2), ..quick() };
    let rig = rig(&folder, "public_key_file: id, private_key_file: key", poll).await;
    let rotated = Credentials { public_key: "new".to_owned(), private_key: "rotated".to_owned() };
    file(&folder, "id.new", "new");
    file(&folder, "key.new", "rotated");
    rig.atlas.simulator.set_credentials(rotated);
    for name in ["id", "key"] {
        fs::rename(folder.path().join(format!("{name}.new")), folder.path().join(name)).unwrap();
    }
    no_series_is_lost(&rig, 3).await;
    let page = rig.page().await;
    assert!(all_well(&page) && refused(&page) == Some(0.0));
    assert_eq!(page.count("mongodbatlas_peering_poll_failures_total"), 0, "the poll that was refused asked again");
}

#[tokio::test]
async fn a_client_secret_that_changes_is_in_use_while_the_old_token_still_works() {
    let folder = tempfile::tempdir().unwrap();
    file(&folder, "secret", "mdb_sa_sk_demo");
    let id = "mdb_sa_id_5f0000000000000000000002";
    let rig = rig(&folder, &format!("client_id: {id}, client_secret_file: secret"), quick()).await;
    rig.atlas.simulator.set_client(id, "mdb_sa_sk_rotated");
    file(&folder, "secret", "mdb_sa_sk_rotated");
    let mints = |page: &Page| page.value("mongodbatlas_api_token_mints_total", &MAIN);
    let page = rig.until("a second token", |page| mints(page) == Some(2.0)).await;
    assert_eq!(page.count("mongodbatlas_peering_poll_failures_total"), 0, "no poll failed");
    assert_eq!(page.value("mongodbatlas_api_token_mint_failures_total", &MAIN), Some(0.0));
}

#[tokio::test]
async fn a_client_secret_that_is_wrong_is_told_while_the_old_token_still_works() {
    let folder = tempfile::tempdir().unwrap();
    file(&folder, "secret", "mdb_sa_sk_demo");
    let id = "mdb_sa_id_5f0000000000000000000002";
    let slow = PollConfig { interval: Duration::from_secs(3), ..quick() };
    let rig = rig(&folder, &format!("client_id: {id}, client_secret_file: secret"), slow).await;
    file(&folder, "secret", "mdb_sa_sk_typo");
    rig.until("a refusal", |page| refused(page) == Some(1.0)).await;
    no_series_is_lost(&rig, 3).await;
    assert!(all_well(&rig.page().await), "the token is good for an hour");
    file(&folder, "secret", "mdb_sa_sk_demo");
    rig.until("an end of the refusal", |page| refused(page) == Some(0.0)).await;
}

#[tokio::test]
async fn a_file_that_is_gone_for_a_while_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    file(&folder, "key", "demo");
    let rig = rig(&folder, "public_key: demo, private_key_file: key", quick()).await;
    for bad in [None, Some(""), Some("two\nlines")] {
        match bad {
            None => fs::remove_file(folder.path().join("key")).unwrap(),
            Some(text) => file(&folder, "key", text),
        }
        sleep(Duration::from_millis(1200)).await;
        let page = rig.after_polls("AWS", 2).await;
        assert!(all_well(&page), "{page:?}");
        assert_eq!(page.value("mongodbatlas_api_credential_unreadable", &MAIN), Some(1.0));
    }
    file(&folder, "key", "demo");
    let unreadable = |page: &Page| page.value("mongodbatlas_api_credential_unreadable", &MAIN);
    rig.until("a readable file", |page| unreadable(page) == Some(0.0)).await;
}

#[tokio::test]
async fn a_refused_key_is_tried_once_an_interval_however_many_targets_there_are() {
    let groups: Vec<String> = (1..=30).map(|n| format!("  - {{id: 5e57d85c854180642f7844{n:02}, name: g}}")).collect();
    let atlas = Atlas::start(&format!("groups:\n{}", groups.join("\n"))).await;
    let folder = tempfile::tempdir().unwrap();
    file(&folder, "key", "wrong");
    let listed: Vec<String> = atlas.scenario.groups.iter().map(|group| format!("{{id: '{}'}}", group.id)).collect();
    let settings = format!("public_key: demo, private_key_file: key, groups: [{}]", listed.join(", "));
    let poll = PollConfig { interval: Duration::from_secs(1), ..quick() };
    let config = atlas.account(folder.path(), &settings, poll);
    let rig = Rig::of(atlas, config).await;
    rig.until("failures", |page| {
        page.all("mongodbatlas_peering_polls_total", &[]).iter().all(|polls| polls.value >= 4.0)
    })
    .await;
    let tried = rig.atlas.count("peers", &["bad_credentials"]);
    assert!((3..=8).contains(&tried), "90 targets were polled four times: {tried} tries");
    let page = rig.page().await;
    let reasons = page.all("mongodbatlas_peering_poll_failures_total", &[]);
    assert!(reasons.len() == 90 && reasons.iter().all(|failure| failure.labels["reason"] == "unauthorized"));
}
