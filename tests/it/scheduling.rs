//! When listings are polled, and what delays them.

use std::time::{Duration, Instant};

use atlas_simulator::{Effect, Fault, LoggedRequest, StatusFault};
use mongodbatlas_peering_exporter::{collector::once, config::PollConfig, shard::Shard};
use tokio::time::sleep;

use crate::setup::{Atlas, GROUP, TestExporter, quick};

/// A scenario of `count` groups with one AWS peering each.
fn groups(count: u32, settings: &str) -> String {
    let group = |n: u32| {
        let peering = "{provider: AWS, status: AVAILABLE, vpcId: v}";
        format!("  - {{id: {}, name: g{n}, peerings: [{peering}]}}\n", id(n))
    };
    format!("{settings}\ngroups:\n{}", (1..=count).map(group).collect::<String>())
}

fn id(n: u32) -> String {
    format!("5e57d85c854180642f7844{n:02}")
}

fn of_group(n: u32, fault: Fault) -> Fault {
    Fault { group: Some(id(n)), ..fault }
}

fn of(requests: &[LoggedRequest], provider: &str) -> Vec<LoggedRequest> {
    requests.iter().filter(|request| request.query.contains(provider)).cloned().collect()
}

/// The times of requests about the group, in seconds since the first one.
fn times(requests: &[LoggedRequest], n: u32) -> Vec<f64> {
    let times: Vec<f64> = requests
        .iter()
        .filter(|request| request.group_id.as_deref() == Some(&id(n)) && request.outcome != "challenge")
        .map(|request| request.at)
        .collect();
    times.iter().map(|at| at - times.first().unwrap()).collect()
}

#[tokio::test]
async fn hanging_failing_and_rate_limited_groups_do_not_delay_others() {
    let atlas = Atlas::start(&groups(30, "latency: 10ms")).await;
    let limited = StatusFault { code: 429, retry_after: Some(1), ..StatusFault::default() };
    for n in 1..=6 {
        atlas.simulator.fail(of_group(n, Fault::new(Effect::Never)));
    }
    atlas.simulator.fail(of_group(7, Fault::status(500)));
    atlas.simulator.fail(of_group(8, Fault::new(Effect::Status(limited))));
    atlas.simulator.fail(of_group(9, Fault::status(404)));
    let interval = Duration::from_millis(1500);
    let poll = PollConfig { interval, timeout: Duration::from_secs(1), deadline: Duration::from_secs(1), ..quick() };
    let exporter = TestExporter::on(atlas, poll).await;
    exporter
        .until("a failure of each hanging listing, and a success of the healthy ones", |metrics| {
            let failed = metrics.all("mongodbatlas_peering_poll_failure_info", &[("reason", "timeout")]);
            failed.len() >= 18 && metrics.sum("mongodbatlas_peering_poll_success") >= 63.0
        })
        .await;
    let started = Instant::now();
    while started.elapsed() < interval * 4 {
        sleep(Duration::from_millis(100)).await;
        let metrics = exporter.scrape().await;
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
        for n in 10..=30 {
            let labels = [("group_id", id(n)), ("provider", "AWS".to_owned())];
            let labels = labels.each_ref().map(|(key, value)| (*key, value.as_str()));
            let name = "mongodbatlas_peering_poll_last_success_timestamp_seconds";
            let age = now - metrics.value(name, &labels).unwrap();
            assert!(age < interval.as_secs_f64() * 2.0, "group {n} is {age} s old");
        }
    }
    let requests = exporter.atlas.take_requests();
    let gaps: Vec<f64> = times(&of(&requests, "AWS"), 9).windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(
        gaps.len() > 2 && gaps.iter().all(|gap| *gap < 2.0 * interval.as_secs_f64()),
        "a 404 was delayed: {gaps:?}"
    );
}

#[tokio::test]
async fn a_rate_limited_group_gets_no_requests_until_retry_after() {
    let exporter = TestExporter::start(&groups(2, "")).await;
    exporter.after_polls("AWS", 1).await;
    let limited = StatusFault { code: 429, retry_after: Some(2), ..StatusFault::default() };
    exporter.atlas.simulator.fail(Fault { times: Some(1), ..of_group(1, Fault::new(Effect::Status(limited))) });
    exporter.until("the rate limit", |metrics| metrics.sum("mongodbatlas_peering_poll_failures_total") > 0.0).await;
    for success in [0.0, 1.0] {
        exporter
            .until("a failure of all three listings, then a success", |metrics| {
                let group = metrics.all("mongodbatlas_peering_poll_success", &[("group_id", GROUP)]);
                group.iter().all(|listing| listing.value == success)
            })
            .await;
    }
    exporter.after_polls("AWS", 2).await;
    let requests = exporter.atlas.take_requests();
    let longest = |n| times(&requests, n).windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
    assert!(longest(1) >= 1.9, "the rate-limited group got no request for {} s", longest(1));
    assert!(longest(2) < 1.0, "the other group got no request for {} s", longest(2));
}

#[tokio::test]
async fn a_group_rate_limited_for_longer_than_the_interval_counts_as_failed() {
    let exporter = TestExporter::start(&groups(2, "")).await;
    exporter.after_polls("AWS", 1).await;
    let limited = StatusFault { code: 429, retry_after: Some(3600), ..StatusFault::default() };
    exporter.atlas.simulator.fail(Fault { times: Some(1), ..of_group(1, Fault::new(Effect::Status(limited))) });
    let success = "mongodbatlas_peering_poll_success";
    exporter
        .until("a failure of all three listings", |metrics| {
            metrics.all(success, &[("group_id", GROUP)]).iter().all(|success| success.value == 0.0)
        })
        .await;
    exporter.atlas.take_requests();
    let metrics = exporter.after_polls("AWS", 2).await;
    assert!(times(&exporter.atlas.take_requests(), 1).is_empty(), "requests to the rate-limited group");
    assert!(metrics.all(success, &[("group_id", &id(2))]).iter().all(|success| success.value == 1.0));
}

#[tokio::test]
async fn polling_once_ends_even_if_a_group_is_rate_limited() {
    let atlas = Atlas::start(&groups(1, "")).await;
    let limited = StatusFault { code: 429, retry_after: Some(3600), ..StatusFault::default() };
    atlas.simulator.fail(Fault::new(Effect::Status(limited)));
    let state = once(&atlas.config(quick()), Shard::WHOLE).await.unwrap();
    let state = state.read();
    assert!(!state.all_succeeded() && state.is_ready());
}

#[tokio::test]
async fn in_an_outage_every_listing_fails_within_two_intervals_with_the_reason() {
    let atlas = Atlas::start(&groups(80, "latency: 10ms")).await;
    let interval = Duration::from_secs(4);
    let poll = PollConfig { interval, deadline: Duration::from_secs(3), containers: false, ..quick() };
    let exporter = TestExporter::on(atlas, poll).await;
    let all = |metrics: &crate::exposition::Exposition, success: f64| {
        metrics.all("mongodbatlas_peering_poll_success", &[]).iter().all(|poll| poll.value == success)
    };
    exporter.until("success", |metrics| all(metrics, 1.0)).await;
    exporter.atlas.simulator.fail(Fault::status(503));
    let started = Instant::now();
    let metrics = exporter.until("failure of all", |metrics| all(metrics, 0.0)).await;
    assert!(started.elapsed() < interval * 3, "{:?}", started.elapsed());
    assert_eq!(metrics.labels("mongodbatlas_peering_poll_failure_info", "reason").first(), Some(&"server"));
    assert_eq!(metrics.labels("mongodbatlas_peering_poll_failure_info", "reason").last(), Some(&"server"));
    exporter.atlas.simulator.clear_faults();
    exporter.until("success again", |metrics| all(metrics, 1.0)).await;
}

#[tokio::test]
async fn a_listing_is_polled_once_an_interval() {
    let exporter = TestExporter::start_with(
        &groups(1, "latency: 100ms"),
        PollConfig { interval: Duration::from_millis(500), ..quick() },
    )
    .await;
    exporter.after_polls("AZURE", 4).await;
    let requests = exporter.atlas.take_requests();
    let azure = of(&requests, "AZURE");
    // The first poll is late, because a challenge precedes it.
    for pair in times(&azure, 1)[1..].windows(2) {
        let gap = pair[1] - pair[0];
        assert!((0.3..0.8).contains(&gap), "{gap} s from one poll to the next");
    }
}

#[tokio::test]
async fn polls_that_start_together_spread_over_the_interval() {
    let interval = Duration::from_secs(2);
    let exporter = TestExporter::start_with(
        &groups(30, ""),
        PollConfig { interval, concurrency: 64, containers: false, ..quick() },
    )
    .await;
    exporter.after_polls("AWS", 2).await;
    exporter.atlas.take_requests();
    exporter.after_polls("AWS", 2).await;
    let requests = exporter.atlas.take_requests();
    // Ninety polls per interval: nine in a tenth of it if they are spread, all if they are not.
    let within = |begin: f64| requests.iter().filter(|request| (begin..begin + 0.2).contains(&request.at)).count();
    let most = requests.iter().map(|request| within(request.at)).max().unwrap();
    assert!(requests.len() > 90 && most <= 30, "{most} of {} polls in a tenth of the interval", requests.len());
}

#[tokio::test]
async fn concurrent_polls_do_not_exceed_the_limit_of_the_account() {
    // 30 listings at 100 ms each, three at once, take at least a second.
    let started = Instant::now();
    let exporter = TestExporter::start_with(
        &groups(10, "latency: 100ms"),
        PollConfig { concurrency: 3, interval: Duration::from_secs(60), ..quick() },
    )
    .await;
    exporter
        .until("a poll of every listing", |metrics| {
            metrics.all("mongodbatlas_peering_poll_success", &[]).iter().all(|success| success.value == 1.0)
        })
        .await;
    let took = started.elapsed();
    assert!(took >= Duration::from_secs(1), "{took:?}");
    assert!(took < Duration::from_millis(2500), "{took:?}");
    let challenges = exporter.atlas.take_outcomes().iter().filter(|outcome| **outcome == "challenge").count();
    assert!(challenges <= 3, "{challenges} challenges for three slots");
}

#[tokio::test]
async fn the_exporter_exits_at_once_while_polls_hang() {
    let atlas = Atlas::start(&groups(1, "")).await;
    atlas.simulator.fail(Fault::new(Effect::Never));
    let poll = PollConfig { timeout: Duration::from_secs(60), deadline: Duration::from_secs(60), ..quick() };
    let exporter = TestExporter::on(atlas, poll).await;
    assert_eq!(
        exporter.scrape().await.value("mongodbatlas_peering_poll_success", &[("group_id", GROUP), ("provider", "GCP")]),
        Some(0.0)
    );
    let started = Instant::now();
    exporter.stop().await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(2));
}
