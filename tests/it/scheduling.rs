//! Who is polled when, and who waits for whom.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use atlas::{Client, Provider};
use atlas_simulator::{Effect, Fault, LoggedRequest, StatusFault};
use mongodbatlas_peering_exporter::{
    collector::roster::initial_state,
    collector::{self, AccountSettings, DiscoverySettings, PollSchedule, RateLimitBackoffs},
    config::PollConfig,
    shard::Shard,
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use crate::rig::{Atlas, GROUP, Rig, quick};

/// So many groups with one AWS peering each.
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

/// When the simulator was asked about the group, in seconds since the first time.
fn times(requests: &[LoggedRequest], n: u32) -> Vec<f64> {
    let times: Vec<f64> = requests
        .iter()
        .filter(|request| request.group_id.as_deref() == Some(&id(n)) && request.outcome != "challenge")
        .map(|request| request.at)
        .collect();
    times.iter().map(|at| at - times.first().unwrap()).collect()
}

#[tokio::test]
async fn groups_that_hang_fail_or_are_limited_delay_no_other() {
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
    let rig = Rig::on(atlas, poll).await;
    // The first polls of hanging groups hold all places until they fail once; then they share a quarter of them.
    rig.until("a failure of each hanging target, and a poll of all others", |page| {
        let failed = page.all("mongodbatlas_peering_poll_failures_total", &[("reason", "timeout")]);
        let polls = page.all("mongodbatlas_peering_polls_total", &[]);
        failed.len() >= 18 && polls.iter().all(|polls| polls.value > 0.0)
    })
    .await;
    let begun = Instant::now();
    while begun.elapsed() < interval * 4 {
        sleep(Duration::from_millis(100)).await;
        let page = rig.page().await;
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
        for n in 10..=30 {
            let labels = [("group_id", id(n)), ("provider", "AWS".to_owned())];
            let labels = labels.each_ref().map(|(key, value)| (*key, value.as_str()));
            let name = "mongodbatlas_peering_poll_last_success_timestamp_seconds";
            let age = now - page.value(name, &labels).unwrap();
            assert!(age < interval.as_secs_f64() * 2.0, "group {n} is {age} s old");
        }
    }
    let asked = rig.atlas.asked();
    let gaps: Vec<f64> = times(&of(&asked, "AWS"), 9).windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(
        gaps.len() > 2 && gaps.iter().all(|gap| *gap < 2.0 * interval.as_secs_f64()),
        "a quick 404 waits: {gaps:?}"
    );
}

#[tokio::test]
async fn a_limited_group_is_left_alone_for_as_long_as_atlas_asks() {
    let rig = Rig::start(&groups(2, "")).await;
    rig.after_polls("AWS", 1).await;
    let limited = StatusFault { code: 429, retry_after: Some(2), ..StatusFault::default() };
    rig.atlas.simulator.fail(Fault { times: Some(1), ..of_group(1, Fault::new(Effect::Status(limited))) });
    rig.until("the limit", |page| !page.all("mongodbatlas_peering_poll_failures_total", &[]).is_empty()).await;
    for success in [0.0, 1.0] {
        rig.until("a failure of all three targets, then a success", |page| {
            let group = page.all("mongodbatlas_peering_poll_success", &[("group_id", GROUP)]);
            group.iter().all(|target| target.value == success)
        })
        .await;
    }
    rig.after_polls("AWS", 2).await;
    let asked = rig.atlas.asked();
    let longest = |n| times(&asked, n).windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
    assert!(longest(1) >= 1.9, "the limited group was left alone for {} s", longest(1));
    assert!(longest(2) < 1.0, "the other group was left alone for {} s", longest(2));
}

#[tokio::test]
async fn a_group_limited_for_longer_than_the_interval_passes_for_no_success() {
    let rig = Rig::start(&groups(2, "")).await;
    rig.after_polls("AWS", 1).await;
    let limited = StatusFault { code: 429, retry_after: Some(3600), ..StatusFault::default() };
    rig.atlas.simulator.fail(Fault { times: Some(1), ..of_group(1, Fault::new(Effect::Status(limited))) });
    let success = "mongodbatlas_peering_poll_success";
    rig.until("a failure of all three targets", |page| {
        page.all(success, &[("group_id", GROUP)]).iter().all(|success| success.value == 0.0)
    })
    .await;
    rig.atlas.asked();
    let page = rig.after_polls("AWS", 2).await;
    assert!(times(&rig.atlas.asked(), 1).is_empty(), "the limited group is left alone");
    assert!(page.all(success, &[("group_id", &id(2))]).iter().all(|success| success.value == 1.0));
}

#[tokio::test]
async fn polling_once_ends_though_a_group_is_limited() {
    let atlas = Atlas::start(&groups(1, "")).await;
    let limited = StatusFault { code: 429, retry_after: Some(3600), ..StatusFault::default() };
    atlas.simulator.fail(Fault::new(Effect::Status(limited)));
    let state = mongodbatlas_peering_exporter::once(&atlas.config(quick()), Shard::WHOLE).await.unwrap();
    assert!(!state.all_succeeded() && state.is_ready());
}

#[tokio::test]
async fn where_atlas_fails_for_everybody_every_target_learns_it_within_two_intervals_and_why() {
    let atlas = Atlas::start(&groups(80, "latency: 10ms")).await;
    let interval = Duration::from_secs(4);
    let poll = PollConfig { interval, deadline: Duration::from_secs(3), containers: false, ..quick() };
    let rig = Rig::on(atlas, poll).await;
    let all = |page: &crate::page::Page, success: f64| {
        page.all("mongodbatlas_peering_poll_success", &[]).iter().all(|poll| poll.value == success)
    };
    rig.until("success", |page| all(page, 1.0)).await;
    rig.atlas.simulator.fail(Fault::status(503));
    let begun = Instant::now();
    let page = rig.until("failure of all", |page| all(page, 0.0)).await;
    assert!(begun.elapsed() < interval * 3, "{:?}", begun.elapsed());
    assert_eq!(page.labels("mongodbatlas_peering_poll_failures_total", "reason").first(), Some(&"server"));
    assert_eq!(page.labels("mongodbatlas_peering_poll_failures_total", "reason").last(), Some(&"server"));
    rig.atlas.simulator.clear_faults();
    rig.until("success again", |page| all(page, 1.0)).await;
}

#[tokio::test]
async fn a_target_is_polled_once_an_interval() {
    let rig =
        Rig::with(&groups(1, "latency: 100ms"), PollConfig { interval: Duration::from_millis(500), ..quick() }).await;
    rig.after_polls("AZURE", 4).await;
    let asked = rig.atlas.asked();
    let azure = of(&asked, "AZURE");
    // The first poll comes later than it began: the challenge comes before it.
    for pair in times(&azure, 1)[1..].windows(2) {
        let gap = pair[1] - pair[0];
        assert!((0.3..0.8).contains(&gap), "{gap} s from one poll to the next");
    }
}

#[tokio::test]
async fn polls_that_began_together_do_not_stay_together() {
    let interval = Duration::from_secs(2);
    let rig = Rig::with(&groups(30, ""), PollConfig { interval, concurrency: 64, containers: false, ..quick() }).await;
    rig.after_polls("AWS", 2).await;
    rig.atlas.asked();
    rig.after_polls("AWS", 2).await;
    let asked = rig.atlas.asked();
    // Ninety polls in an interval: nine in a tenth of it if they are spread, all if they are not.
    let within = |begin: f64| asked.iter().filter(|request| (begin..begin + 0.2).contains(&request.at)).count();
    let most = asked.iter().map(|request| within(request.at)).max().unwrap();
    assert!(asked.len() > 90 && most <= 30, "{most} of {} polls in a tenth of the interval", asked.len());
}

#[tokio::test]
async fn no_more_polls_run_at_once_than_the_account_may() {
    // 30 targets at 100 ms each, three at once: a second, and not less.
    let begun = Instant::now();
    let rig = Rig::with(
        &groups(10, "latency: 100ms"),
        PollConfig { concurrency: 3, interval: Duration::from_secs(60), ..quick() },
    )
    .await;
    rig.until("a poll of every target", |page| {
        page.all("mongodbatlas_peering_poll_success", &[]).iter().all(|success| success.value == 1.0)
    })
    .await;
    let took = begun.elapsed();
    assert!(took >= Duration::from_secs(1), "{took:?}");
    assert!(took < Duration::from_millis(2500), "{took:?}");
    let challenges = rig.atlas.outcomes().iter().filter(|outcome| **outcome == "challenge").count();
    assert!(challenges <= 3, "{challenges} challenges for three places");
}

#[tokio::test]
async fn the_exporter_ends_at_once_while_polls_hang() {
    let atlas = Atlas::start(&groups(1, "")).await;
    atlas.simulator.fail(Fault::new(Effect::Never));
    let poll = PollConfig { timeout: Duration::from_secs(60), deadline: Duration::from_secs(60), ..quick() };
    let rig = Rig::on(atlas, poll).await;
    assert_eq!(
        rig.page().await.value("mongodbatlas_peering_poll_success", &[("group_id", GROUP), ("provider", "GCP")]),
        Some(0.0)
    );
    let begun = Instant::now();
    rig.stop().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_panic_in_a_task_ends_the_watch_instead_of_freezing_its_targets() {
    let atlas = Atlas::start(&groups(1, "")).await;
    let state = watch::Sender::new(initial_state(&atlas.service_account(quick()), Shard::WHOLE));
    let account = AccountSettings {
        name: "main".to_owned(),
        client: Arc::new(Client::new(atlas.settings(), |_| {}).unwrap()),
        pauses: Arc::new(RateLimitBackoffs::new(quick().interval)),
        discovery: Some(DiscoverySettings {
            organization: None,
            interval: quick().interval,
            providers: vec![Provider::Aws],
            selects: Box::new(|_| panic!("a fault of ours")),
        }),
        asks_for_containers: false,
    };
    let pace = PollSchedule { interval: quick().interval, deadline: quick().deadline, concurrency: 1 };
    let end = timeout(Duration::from_secs(20), collector::watch(account, pace, state)).await.unwrap();
    assert!(end.unwrap_err().is_panic());
}
