//! Shards: several exporters for one organization.

use std::{collections::BTreeSet, time::Instant};

use mongodbatlas_peering_exporter::{collector::once, metrics::render, shard::Shard};

use crate::{
    exposition::Exposition,
    setup::{Atlas, quick},
};

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
