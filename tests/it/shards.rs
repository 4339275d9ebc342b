//! Shards: several exporters for one organization.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use mongodbatlas_peering_exporter::{collector::once, metrics::render, shard::Shard};
use tokio::time::sleep;

use crate::{
    exposition::Exposition,
    setup::{Atlas, GROUP, TestExporter, get, quick},
};

/// Of two shards, the one that does not own the group.
fn other_shard() -> Shard {
    let owns = |index: &u32| Shard { index: *index, count: 2 }.owns(GROUP);
    Shard { index: (0..2).find(|index| !owns(index)).unwrap(), count: 2 }
}

#[tokio::test]
async fn a_shard_without_groups_is_ready_and_discovers_at_its_interval() {
    for settings in [format!("groups: [{{id: {GROUP}}}]"), "discover: {interval: 1h}".to_owned()] {
        let atlas = Atlas::start(&format!("groups: [{{id: {GROUP}, name: a}}]")).await;
        let config = atlas.service_account_with(&settings, quick());
        let state = once(&config, other_shard()).await.unwrap();
        assert!(state.read().all_succeeded(), "{settings}");
        atlas.simulator.clear_requests();
        let (exporter, _) = TestExporter::sharded(atlas, config, other_shard()).await;
        sleep(Duration::from_secs(1)).await;
        assert_eq!(get(exporter.address, "/-/ready").await, (200, "ready\n".to_owned()), "{settings}");
        assert_eq!(exporter.atlas.count("groups", &["ok"]) > 0, settings.starts_with("discover"));
        exporter.atlas.simulator.clear_requests();
        sleep(Duration::from_secs(1)).await;
        assert_eq!(exporter.atlas.count("groups", &["ok"]), 0, "five poll intervals");
        exporter.stop().await.unwrap();
    }
}

#[tokio::test]
async fn no_group_on_any_shard_is_a_failure() {
    let atlas = Atlas::start(&format!("groups: [{{id: {GROUP}, name: a}}]")).await;
    let config = atlas.service_account_with("discover: {include: [{name: nothing}]}", quick());
    for index in 0..2 {
        let state = once(&config, Shard { index, count: 2 }).await.unwrap();
        assert!(!state.read().all_succeeded());
    }
}

#[tokio::test]
async fn three_shards_poll_every_group_once_whether_discovered_or_configured() {
    let groups: Vec<String> =
        (1..=60).map(|n| format!("  - {{id: 5e57d85c854180642f7844{n:02}, name: g{n}}}")).collect();
    let atlas = Atlas::start(&format!("groups:\n{}", groups.join("\n"))).await;
    let listed: Vec<String> = atlas.scenario.groups.iter().map(|group| format!("{{id: '{}'}}", group.id)).collect();
    for settings in ["discover: true".to_owned(), format!("groups: [{}]", listed.join(", "))] {
        let config = atlas.service_account_with(&settings, quick());
        let mut seen = BTreeSet::new();
        for index in 0..3 {
            let state = once(&config, Shard { index, count: 3 }).await.unwrap();
            let state = state.read();
            assert!(state.all_succeeded());
            let metrics = Exposition::parse(&render(&state, Instant::now()));
            let groups = metrics.labels("mongodbatlas_group_info", "group_id");
            assert!((10..=30).contains(&groups.len()), "{} of 60", groups.len());
            assert_eq!(metrics.count("mongodbatlas_peering_poll_success"), 3 * groups.len());
            assert_eq!(metrics.value("mongodbatlas_peering_exporter_shard_index", &[]), Some(f64::from(index)));
            assert_eq!(metrics.value("mongodbatlas_peering_exporter_shards", &[]), Some(3.0));
            assert!(groups.into_iter().all(|group| seen.insert(group.to_owned())), "a group on two shards");
        }
        assert_eq!(seen.len(), 60);
    }
}
