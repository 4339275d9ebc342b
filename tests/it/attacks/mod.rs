//! No client harms another. `make check-attacks` prints every attack at 12,500 peerings.

mod attack;
mod site;

use std::{
    fs,
    net::Ipv4Addr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    runtime::Runtime,
    time::{interval, sleep},
};

use self::{
    attack::Attack,
    site::{CHEAP, COSTLY, Exporter, GOOD, Outcome, Site},
};

/// What others may notice of an attack.
struct Bounds {
    response: Duration,
    /// Until the first scrape succeeds after the exporter starts, if the attack is as old.
    first_scrape: Duration,
    /// MB above the quiet state, and after [`REST`].
    memory: u64,
    memory_afterwards: u64,
}

const BOUNDS: Bounds = Bounds {
    response: Duration::from_secs(1),
    first_scrape: Duration::from_secs(10),
    memory: 100,
    memory_afterwards: 80,
};

/// The time after an attack in which memory is given back.
const REST: Duration = Duration::from_secs(5);

/// How much older than the first scrape a flood is that starts with the exporter, so that it is complete.
const FLOOD_LEAD: Duration = Duration::from_secs(2);

/// What was measured during an attack.
#[derive(Debug)]
struct Measured {
    first_scrape: Duration,
    scrapes: Vec<Outcome>,
    pages: Vec<Outcome>,
    health_checks: Vec<Outcome>,
    /// The most memory in MB.
    memory: u64,
    /// After [`REST`].
    memory_afterwards: u64,
}

impl Measured {
    /// What exceeds the bounds.
    fn problems(&self, bounds: &Bounds, quiet: u64) -> Vec<String> {
        let mut problems = Vec::new();
        for (what, outcomes) in [("scrapes", &self.scrapes), ("status page", &self.pages)] {
            let slow = |outcome: &&Outcome| !outcome.as_ref().is_ok_and(|took| *took < bounds.response);
            problems.extend(outcomes.iter().filter(slow).map(|outcome| format!("{what}: {outcome:?}")));
        }
        problems.extend(self.health_checks.iter().filter_map(|outcome| Some(outcome.as_ref().err()?.clone())));
        if self.scrapes.is_empty() || self.first_scrape > bounds.first_scrape {
            problems.push(format!("the first scrape succeeded after {:?}", self.first_scrape));
        }
        if self.memory > quiet + bounds.memory {
            problems.push(format!("memory rose from {quiet} to {} MB", self.memory));
        }
        if self.memory_afterwards > quiet + bounds.memory_afterwards {
            problems.push(format!("memory was {} MB after {REST:?}", self.memory_afterwards));
        }
        problems
    }
}

/// Runs attacks at the same time. If they start with the exporter, the first successful scrape is the start of the
/// measurement.
async fn measure(site: &Arc<Site>, attacks: &[Attack], at_start: bool, share: usize, period: Duration) -> Measured {
    let exporter = site.exporter();
    let started = Instant::now();
    // Not the runtime of the clients that behave, which would measure how long these wait for it.
    let clients = Runtime::new().unwrap();
    let begin = || {
        for (attack, number) in attacks.iter().zip(2..) {
            // An address shares its places and its comparisons of passwords, so those who use up either have another one.
            let is_alone = attacks.len() == 1 && *attack != Attack::WrongPasswords;
            let from = if is_alone { GOOD } else { Ipv4Addr::new(127, 0, 0, number) };
            attack.start(&exporter, from, share, &clients);
        }
    };
    if at_start {
        begin();
        sleep(FLOOD_LEAD).await;
    }
    while exporter.get("/metrics").await.is_err() && started.elapsed() < BOUNDS.first_scrape {
        sleep(Duration::from_millis(100)).await;
    }
    let first_scrape = started.elapsed();
    exporter.wait_until_ready().await;
    if !at_start {
        begin();
    }
    let (scrapes, pages, health_checks, memory) = tokio::join!(
        every(Duration::from_secs(1), period, || exporter.get("/metrics")),
        every(Duration::from_secs(1), period, || exporter.get("/")),
        every(Duration::from_secs(2), period, || exporter.check_health()),
        peak_memory(&exporter, period),
    );
    clients.shutdown_background();
    sleep(REST).await;
    Measured { first_scrape, scrapes, pages, health_checks, memory, memory_afterwards: exporter.memory() }
}

async fn peak_memory(exporter: &Exporter, period: Duration) -> u64 {
    let samples = every(Duration::from_millis(50), period, async || exporter.memory());
    samples.await.into_iter().max().unwrap()
}

/// The results of a call that is repeated for a period.
async fn every<T, F: Future<Output = T>>(pause: Duration, period: Duration, call: impl Fn() -> F) -> Vec<T> {
    let (mut ticks, started, mut results) = (interval(pause), Instant::now(), Vec::new());
    while started.elapsed() < period {
        ticks.tick().await;
        results.push(call().await);
    }
    results
}

/// The slowest of successful outcomes, and their number.
fn summary(outcomes: &[Outcome]) -> String {
    let good: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
    let slowest = good.iter().max().map_or(0, |slowest| slowest.as_millis());
    format!("{} of {}, {slowest} ms", good.len(), outcomes.len())
}

fn machine() -> String {
    let (cpus, memory) = (fs::read_to_string("/proc/cpuinfo").unwrap(), fs::read_to_string("/proc/meminfo").unwrap());
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name\t: ")).unwrap_or("unknown");
    let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap_or_default().trim();
    format!("{} x {model}, {total} of memory, shared with the attackers", cpus.matches("processor\t:").count())
}

/// A cut of the matrix that ends in seconds. The bounds have a margin for a machine under load and code without
/// optimization.
#[tokio::test(flavor = "multi_thread")]
async fn no_client_harms_another() {
    let site = Arc::new(Site::start(10, CHEAP));
    let bounds = Bounds { response: Duration::from_secs(3), ..BOUNDS };
    let quiet = measure(&site, &[], false, 1, Duration::from_secs(1)).await.memory;
    let measured = measure(&site, &Attack::ALL, true, 2, Duration::from_secs(4)).await;
    let problems = measured.problems(&bounds, quiet);
    assert!(problems.is_empty(), "{problems:#?}");
}

/// Takes four minutes.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by `make check-attacks`"]
async fn matrix() {
    let site = Arc::new(Site::start(250, COSTLY));
    println!("{}; 12,500 peerings, a release build, TLS and a password\n", machine());
    println!("| attack | scrapes | status page | health checks | memory, at most | 5 s later | first scrape |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let each = Attack::ALL.map(|attack| (attack.description(), vec![attack]));
    let all = [("all of them at once", Attack::ALL.to_vec())];
    let (mut quiet, mut exceeded) = (None, Vec::new());
    for (name, attacks) in [("none", Vec::new())].into_iter().chain(each).chain(all) {
        let at_start = attacks == [Attack::WrongPasswords];
        let measured = measure(&site, &attacks, at_start, 1, Duration::from_secs(22)).await;
        let Measured { first_scrape, scrapes, pages, health_checks, memory, memory_afterwards } = &measured;
        let outcomes = [scrapes, pages, health_checks].map(|outcomes| summary(outcomes));
        let memory_cells = format!("{memory} MB | {memory_afterwards} MB");
        println!("| {name} | {} | {memory_cells} | {} ms |", outcomes.join(" | "), first_scrape.as_millis());
        let problems = measured.problems(&BOUNDS, *quiet.get_or_insert(*memory));
        exceeded.extend(problems.into_iter().map(|problem| format!("{name}: {problem}")));
    }
    println!("\nBounds: each scrape and status page within 1,000 ms; every health check succeeds; at most 100 MB more");
    println!("than without an attack, and 80 MB five seconds later; the first scrape within 10,000 ms of the start.");
    assert!(exceeded.is_empty(), "above the bounds:\n{}", exceeded.join("\n"));
}
