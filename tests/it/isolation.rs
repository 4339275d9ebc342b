//! Whatever a share of the polls does, the others are polled in time. `make bench-isolation` prints the whole matrix.

use std::time::{Duration, Instant, SystemTime};

use atlas_simulator::{Effect, Endless, Fault, ScenarioProvider, StatusFault};
use mongodbatlas_peering_exporter::config::{Config, PollConfig};
use tokio::time::sleep;

use crate::{
    exposition::{Exposition, Sample},
    setup::{Atlas, TestExporter},
};

const LAST_SUCCESS: &str = "mongodbatlas_peering_poll_last_success_timestamp_seconds";

/// What the share of the polls does, and the reasons with which it may fail.
struct Misbehavior {
    name: &'static str,
    fault: Fault,
    reasons: &'static [&'static str],
}

fn misbehaviors() -> Vec<Misbehavior> {
    let status =
        |code, retry_after| Fault::new(Effect::Status(StatusFault { code, retry_after, ..StatusFault::default() }));
    // A poll of a slow provider succeeds if it gets a permit; there are too few for all of them.
    let slow = Fault { delay: Some(Duration::from_millis(900)), ..Fault::default() };
    [
        ("no response", Fault::new(Effect::Never), &["timeout"] as &'static [_]),
        ("status 500", status(500, None), &["server"]),
        ("503, Retry-After: 3600", status(503, Some(3600)), &["server"]),
        ("status 429", status(429, None), &["rate_limited"]),
        ("half a body", Fault::new(Effect::Cut), &["connect"]),
        ("a byte a second", Fault::new(Effect::Drip(Duration::from_secs(1))), &["timeout"]),
        (
            "endless pages",
            Fault::new(Effect::Endless(Endless { fresh: true })),
            &["timeout", "pagination", "too_large"],
        ),
        ("slow", slow, &["timeout", "queue_timeout"]),
    ]
    .map(|(name, fault, reasons)| Misbehavior { name, fault, reasons })
    .into()
}

/// The share of the polls that misbehaves.
#[derive(Clone, Copy, Debug)]
enum Share {
    OneProvider,
    TenthOfTheGroups,
    OneAccountOfTwo,
}

impl Share {
    fn has_group(self, n: u32) -> bool {
        match self {
            Self::OneProvider => true,
            Self::TenthOfTheGroups => n.is_multiple_of(10),
            Self::OneAccountOfTwo => n.is_multiple_of(2),
        }
    }

    fn has(self, sample: &Sample) -> bool {
        let n = u32::from_str_radix(&sample.labels["group_id"][16..], 16).unwrap();
        self.has_group(n) && (!matches!(self, Self::OneProvider) || sample.labels["provider"] == "AZURE")
    }
}

/// What was measured, in poll intervals.
#[derive(Debug)]
struct Measured {
    worst_age: f64,
    dropped: usize,
    recovery: f64,
    false_reasons: Vec<String>,
}

fn id(n: u32) -> String {
    format!("5e57d85c85418064{n:08x}")
}

fn scenario(groups: u32) -> String {
    let peerings = "{provider: AWS, status: AVAILABLE, vpcId: v}, {provider: AZURE, status: AVAILABLE, vnetName: v}, \
                    {provider: GCP, status: AVAILABLE, networkName: v}";
    let group = |n| format!("  - {{id: {}, name: g{n}, peerings: [{peerings}]}}\n", id(n));
    format!("latency: 15ms\ngroups:\n{}", (0..groups).map(group).collect::<String>())
}

/// Even and odd groups in an account each.
fn two_accounts(config: Config) -> Config {
    let mut second = config.accounts[0].clone();
    let mut first = second.clone();
    "second".clone_into(&mut second.name);
    let is_even = |id: &str| u32::from_str_radix(&id[16..], 16).unwrap().is_multiple_of(2);
    first.groups.retain(|group| is_even(group.id.as_str()));
    second.groups.retain(|group| !is_even(group.id.as_str()));
    Config { accounts: vec![first, second], ..config }
}

fn now() -> f64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64()
}

async fn measure(groups: u32, poll: PollConfig, share: Share, misbehavior: &Misbehavior, intervals: u32) -> Measured {
    let interval = poll.interval;
    let atlas = Atlas::start(&scenario(groups)).await;
    let config = atlas.config(poll);
    let config = if let Share::OneAccountOfTwo = share { two_accounts(config) } else { config };
    let exporter = TestExporter::run(atlas, config).await;
    let succeeded = |metrics: &Exposition, since: f64| {
        let all = metrics.all(LAST_SUCCESS, &[]);
        all.len() == groups as usize * 3 && all.iter().all(|sample| sample.value > since)
    };
    let deadline = Instant::now() + interval * 10;
    while !succeeded(&exporter.scrape().await, 0.0) {
        assert!(Instant::now() < deadline, "the first polls");
        sleep(interval / 20).await;
    }
    // The second polls spread over the interval.
    sleep(interval).await;

    for n in (0..groups).filter(|n| share.has_group(*n)) {
        if let Share::OneProvider = share {
            let fault = Fault { provider: Some(ScenarioProvider::Azure), ..misbehavior.fault.clone() };
            exporter.atlas.simulator.fail(fault);
            break;
        }
        exporter.atlas.simulator.fail(Fault { group: Some(id(n)), ..misbehavior.fault.clone() });
    }
    let healthy = exporter.scrape().await.all(LAST_SUCCESS, &[]).iter().filter(|sample| !share.has(sample)).count();
    let mut measured = Measured { worst_age: 0.0, dropped: 0, recovery: 0.0, false_reasons: Vec::new() };
    let started = Instant::now();
    while started.elapsed() < interval * intervals {
        sleep(interval / 20).await;
        let metrics = exporter.scrape().await;
        let now = now();
        for sample in metrics.all(LAST_SUCCESS, &[]).into_iter().filter(|sample| !share.has(sample)) {
            measured.worst_age = measured.worst_age.max((now - sample.value) / interval.as_secs_f64());
        }
        let exported = metrics.all("mongodbatlas_network_peering_available", &[]);
        let exported = exported.into_iter().filter(|sample| !share.has(sample)).count();
        measured.dropped = measured.dropped.max(healthy.saturating_sub(exported));
        for sample in metrics.all("mongodbatlas_peering_poll_failure_info", &[]) {
            let reason = sample.labels["reason"].as_str();
            if !share.has(sample) || !misbehavior.reasons.contains(&reason) {
                measured.false_reasons.push(format!("{:?}", sample.labels));
            }
        }
    }

    exporter.atlas.simulator.clear_faults();
    let (ended, started) = (now(), Instant::now());
    while !succeeded(&exporter.scrape().await, ended) && started.elapsed() < interval * 5 {
        sleep(interval / 20).await;
    }
    measured.recovery = started.elapsed().as_secs_f64() / interval.as_secs_f64();
    exporter.stop().await.unwrap();
    measured
}

/// The defaults scaled by ten.
fn scaled() -> PollConfig {
    PollConfig {
        interval: Duration::from_secs(6),
        timeout: Duration::from_secs(1),
        deadline: Duration::from_millis(4500),
        max_staleness: Duration::from_secs(90),
        containers: false,
        ..PollConfig::default()
    }
}

/// A cut of the matrix that ends in seconds. With two permits, the polls that hang would alone take three intervals. The
/// bounds have a margin for a machine under load.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_share_of_the_polls_does_delays_no_other() {
    let all = misbehaviors();
    let poll = PollConfig {
        interval: Duration::from_secs(3),
        timeout: Duration::from_millis(500),
        deadline: Duration::from_secs(2),
        concurrency: 2,
        ..scaled()
    };
    for (share, name) in [
        (Share::OneProvider, "no response"),
        (Share::TenthOfTheGroups, "503, Retry-After: 3600"),
        (Share::OneAccountOfTwo, "no response"),
    ] {
        let misbehavior = all.iter().find(|one| one.name == name).unwrap();
        let measured = measure(40, poll.clone(), share, misbehavior, 3).await;
        assert!(measured.worst_age < 2.5, "{share:?}, {name}: {measured:?}");
        assert_eq!(measured.dropped, 0, "{share:?}, {name}: {measured:?}");
        assert!(measured.recovery < 2.0, "{share:?}, {name}: {measured:?}");
        assert!(measured.false_reasons.is_empty(), "{share:?}, {name}: {measured:?}");
    }
}

/// For how many intervals the share misbehaves.
const INTERVALS: u32 = 4;

/// Takes a quarter of an hour.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by `make bench-isolation`"]
async fn matrix() {
    println!(
        "250 projects with 3 providers, the defaults scaled by ten (interval 6 s), latency 15 ms, {INTERVALS} intervals\n"
    );
    println!("| the polls get | share | worst age of the others | dropped | recovery | false reasons |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let mut exceeded = Vec::new();
    for misbehavior in misbehaviors() {
        for share in [Share::OneProvider, Share::TenthOfTheGroups, Share::OneAccountOfTwo] {
            let measured = measure(250, scaled(), share, &misbehavior, INTERVALS).await;
            let Measured { worst_age, dropped, recovery, false_reasons } = &measured;
            let reasons = false_reasons.len();
            let row = format!(
                "| {} | {share:?} | {worst_age:.2} | {dropped} | {recovery:.2} | {reasons} |",
                misbehavior.name
            );
            println!("{row}");
            // After a 429 the back-off is a second with a jitter of another one, at any interval.
            let backoff = if misbehavior.name == "status 429" { 2.0 / scaled().interval.as_secs_f64() } else { 0.0 };
            if *worst_age > 2.0 || *dropped > 0 || *recovery > 1.1 + backoff || reasons > 0 {
                exceeded.push(format!("{row} {:?}", false_reasons.first()));
            }
        }
    }
    assert!(exceeded.is_empty(), "above the bounds:\n{}", exceeded.join("\n"));
}
