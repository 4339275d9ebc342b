//! An organization of 250 groups, some of which fail.

use std::time::{Duration, Instant, SystemTime};

use atlas_simulator::{Effect, Fault, StatusFault};
use mongodbatlas_peering_exporter::config::PollConfig;
use tokio::time::sleep;

use crate::setup::{Atlas, TestExporter};

const GROUPS: u32 = 250;

/// Long enough for 750 polls in an unoptimized build while other tests run.
const INTERVAL: Duration = Duration::from_secs(6);

fn id(n: u32) -> String {
    format!("5e57d85c854180642f{n:06x}")
}

fn scenario() -> String {
    let peering = "{provider: AWS, status: AVAILABLE, vpcId: v}";
    let group = |n: u32| format!("  - {{id: '{}', name: group-{n}, peerings: [{peering}]}}\n", id(n));
    format!("groups:\n{}", (1..=GROUPS).map(group).collect::<String>())
}

fn status(code: u16, error_code: Option<&str>) -> Effect {
    Effect::Status(StatusFault { code, error_code: error_code.map(str::to_owned), ..StatusFault::default() })
}

#[tokio::test]
async fn five_failing_groups_never_delay_the_others() {
    let atlas = Atlas::start(&scenario()).await;
    let bad = [
        ("forbidden", status(401, Some("NOT_IN_GROUP"))),
        ("not_found", status(404, None)),
        ("rate_limited", status(429, None)),
        ("server", status(500, None)),
        ("timeout", Effect::Never),
    ];
    for (n, (_, effect)) in (1..).zip(bad.clone()) {
        atlas.simulator.fail(Fault { group: Some(id(n * 40)), ..Fault::new(effect) });
    }
    let poll = PollConfig {
        interval: INTERVAL,
        timeout: Duration::from_secs(2),
        deadline: Duration::from_secs(4),
        items_per_page: 100,
        containers: false,
        ..PollConfig::default()
    };
    let config = atlas.service_account_with("discover: {interval: 5s}", poll);
    let exporter = TestExporter::run(atlas, config).await;
    let good = |group: &str| (1..).zip(&bad).all(|(n, _)| group != id(n * 40));
    let name = "mongodbatlas_peering_poll_last_success_timestamp_seconds";
    exporter
        .until("a poll of every working listing", |metrics| {
            let fresh = metrics
                .all(name, &[])
                .into_iter()
                .filter(|sample| good(&sample.labels["group_id"]) && sample.value > 0.0);
            fresh.count() == (GROUPS as usize - bad.len()) * 3
        })
        .await;
    let started = Instant::now();
    while started.elapsed() < INTERVAL * 4 {
        let metrics = exporter.scrape().await;
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
        for sample in metrics.all(name, &[]).into_iter().filter(|sample| good(&sample.labels["group_id"])) {
            let age = now - sample.value;
            // In such a build, the exposition may lag behind a poll by some seconds.
            assert!(age < INTERVAL.as_secs_f64() * 2.0, "{:?} is {age} s old", sample.labels);
        }
        let success = metrics.all("mongodbatlas_peering_poll_success", &[]);
        assert!(success.iter().all(|poll| good(&poll.labels["group_id"]) == (poll.value == 1.0)), "only these fail");
        sleep(Duration::from_millis(250)).await;
    }
    let metrics = exporter.scrape().await;
    for (n, (reason, _)) in (1..).zip(&bad) {
        let failures = metrics.all("mongodbatlas_peering_poll_failure_info", &[("group_id", &id(n * 40))]);
        let reasons: Vec<&str> = failures.iter().map(|failure| failure.labels["reason"].as_str()).collect();
        assert_eq!(reasons, [*reason; 3], "group {n}");
    }
    assert_eq!(exporter.atlas.count("token", &["ok"]), 1);
}
