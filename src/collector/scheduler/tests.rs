use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use atlas::{GroupId, Provider};

/// How the polls of a listing behave: for how long each holds a permit, and whether it succeeds.
#[derive(Clone, Copy, Debug)]
enum Behavior {
    /// Succeeds after these milliseconds.
    Succeeds(u64),
    /// Fails with status 500 after these milliseconds.
    Fails(u64),
    /// Gets no answer within the request timeout.
    Hangs,
}

/// Simulates an account in virtual time.
struct Simulation {
    scheduler: Scheduler,
    poll: PollConfig,
    start: Instant,
    now: Instant,
    running: BTreeMap<ListingKey, (Instant, End)>,
    /// For each listing: when its last successful poll ended, and the worst age of its data since the last reset.
    data: HashMap<ListingKey, (Instant, Duration)>,
    /// The longest time from the due time to the start since the last reset, by listing.
    lateness: HashMap<ListingKey, Duration>,
    attempts: HashMap<ListingKey, u32>,
    failures: HashMap<ListingKey, Vec<FailureReason>>,
}

fn group(n: u32) -> GroupId {
    format!("5e57d85c85418064{n:08x}").parse().unwrap()
}

fn key(n: u32, provider: Provider) -> ListingKey {
    ListingKey { group: group(n), provider }
}

fn number(key: &ListingKey) -> u32 {
    u32::from_str_radix(&key.group.as_str()[16..], 16).unwrap()
}

fn failure(reason: Reason) -> Failure {
    Failure::without_request(reason, "as simulated".to_owned())
}

impl Simulation {
    fn new(groups: u32, poll: PollConfig) -> Self {
        let start = Instant::now();
        let mut scheduler = Scheduler::new(&poll);
        for n in 0..groups {
            for provider in Provider::ALL {
                scheduler.insert(&key(n, provider), start, true);
            }
        }
        let data = scheduler.keys().map(|key| (key.clone(), (start, Duration::ZERO))).collect();
        Self {
            scheduler,
            poll,
            start,
            now: start,
            running: BTreeMap::new(),
            data,
            lateness: HashMap::new(),
            attempts: HashMap::new(),
            failures: HashMap::new(),
        }
    }

    /// Runs for this many intervals.
    fn run(&mut self, intervals: f64, behavior: impl Fn(&ListingKey) -> Behavior) {
        let end = self.now + self.poll.interval.mul_f64(intervals);
        loop {
            for action in self.scheduler.step(self.now, |_| None) {
                self.perform(action, &behavior);
            }
            assert!(self.running.len() <= self.poll.concurrency, "a permit too many");
            assert_eq!(self.running.len(), self.scheduler.running());
            let ended = self.running.iter().min_by_key(|(_, (at, _))| *at).map(|(key, (at, _))| (*at, key.clone()));
            let next = [ended.as_ref().map(|(at, _)| *at), self.scheduler.next_step()].into_iter().flatten().min();
            let next = next.unwrap().max(self.now);
            if next > end {
                self.now = end;
                return;
            }
            self.now = next;
            if let Some((_, key)) = ended.filter(|(at, _)| *at <= next) {
                let (_, end) = self.running.remove(&key).unwrap();
                self.finish(&key, &end);
            }
        }
    }

    /// Adds a group.
    fn insert(&mut self, n: u32) {
        for key in Provider::ALL.map(|provider| key(n, provider)) {
            self.scheduler.insert(&key, self.now, true);
            self.data.insert(key, (self.now, Duration::ZERO));
        }
    }

    fn perform(&mut self, action: Action, behavior: impl Fn(&ListingKey) -> Behavior) {
        match action {
            Action::Start(key, deadline) => {
                let failed =
                    |reason| End::Failed { failure: failure(reason), is_transient: true, retry_after: Duration::ZERO };
                let (held, end) = match behavior(&key) {
                    Behavior::Succeeds(millis) => (Duration::from_millis(millis), End::Succeeded),
                    Behavior::Fails(millis) => (Duration::from_millis(millis), failed(Reason::Server)),
                    Behavior::Hangs => (self.poll.timeout.min(deadline), failed(Reason::Timeout)),
                };
                *self.attempts.entry(key.clone()).or_default() += 1;
                let twice = self.running.insert(key, (self.now + held, end));
                assert!(twice.is_none(), "two polls of one listing");
            }
            Action::Abort(key) => {
                let (at, end) = self.running.get_mut(&key).unwrap();
                (*at, *end) = (self.now, End::Aborted);
            }
            Action::Fail(key, failure, record) => {
                if let Some(run) = record.run {
                    self.started(&key, run);
                }
                self.failures.entry(key).or_default().push(failure.reason);
            }
        }
    }

    fn finish(&mut self, key: &ListingKey, end: &End) {
        let Some(record) = self.scheduler.finish(key, self.now, end) else { return };
        self.started(key, record.run.unwrap());
        match end {
            End::Succeeded => {
                let (read, worst) = self.data.get_mut(key).unwrap();
                *worst = (self.now - *read).max(*worst);
                *read = self.now;
            }
            End::Failed { failure, .. } => self.failures.entry(key.clone()).or_default().push(failure.reason),
            End::Aborted => panic!("an aborted poll is not recorded"),
        }
    }

    fn started(&mut self, key: &ListingKey, run: PollRun) {
        let lateness = self.lateness.entry(key.clone()).or_default();
        *lateness = run.lateness.max(*lateness);
    }

    fn reset(&mut self) {
        self.lateness.clear();
        self.attempts.clear();
        self.failures.clear();
        for (_, worst) in self.data.values_mut() {
            *worst = Duration::ZERO;
        }
    }

    /// The worst age of the data of these listings since the last reset, and the worst lateness, in intervals.
    fn worst(&self, includes: impl Fn(&ListingKey) -> bool) -> (f64, f64) {
        let interval = self.poll.interval.as_secs_f64();
        let ages = self.data.iter().filter(|(key, _)| includes(key));
        let age = ages.map(|(_, (read, worst))| (self.now - *read).max(*worst)).max().unwrap_or_default();
        let late = self.lateness.iter().filter(|(key, _)| includes(key)).map(|(_, late)| *late).max();
        (age.as_secs_f64() / interval, late.unwrap_or_default().as_secs_f64() / interval)
    }
}

fn poll() -> PollConfig {
    PollConfig { deadline: Duration::from_secs(45), ..PollConfig::default() }
}

/// Which listings a fault affects.
#[derive(Clone, Copy, Debug)]
enum Share {
    OneProvider,
    TwoProviders,
    TenthOfTheGroups,
    HalfOfTheGroups,
    ProviderInMostGroups,
}

impl Share {
    const ALL: [Self; 5] = [
        Self::OneProvider,
        Self::TwoProviders,
        Self::TenthOfTheGroups,
        Self::HalfOfTheGroups,
        Self::ProviderInMostGroups,
    ];

    fn includes(self, key: &ListingKey) -> bool {
        match self {
            Self::OneProvider => key.provider == Provider::Azure,
            Self::TwoProviders => key.provider != Provider::Aws,
            Self::TenthOfTheGroups => number(key) % 10 == 3,
            Self::HalfOfTheGroups => number(key).is_multiple_of(2),
            Self::ProviderInMostGroups => key.provider == Provider::Azure && number(key) % 10 != 3,
        }
    }
}

#[test]
fn whatever_a_share_of_the_polls_does_the_others_start_within_an_interval() {
    // At 1,000 groups, 3,000 polls of 150 ms take 450 of the 480 s that eight permits have in a minute.
    for (groups, healthy) in [(250, 150), (1000, 150), (60, 2000)] {
        for share in Share::ALL {
            for fault in [Behavior::Hangs, Behavior::Fails(150), Behavior::Fails(900), Behavior::Succeeds(9900)] {
                let case = format!("{groups} groups, {share:?}, {fault:?}");
                let mut simulation = Simulation::new(groups, poll());
                simulation.run(2.0, |_| Behavior::Succeeds(healthy));
                simulation.reset();
                let behavior = |key: &ListingKey| if share.includes(key) { fault } else { Behavior::Succeeds(healthy) };
                simulation.run(6.0, behavior);
                // Where nine in ten listings of a provider hang, a thousand groups take minutes to find the others.
                let is_hidden = |key: &ListingKey| {
                    groups == 1000 && matches!(share, Share::ProviderInMostGroups) && key.provider == Provider::Azure
                };
                let is_healthy = |key: &ListingKey| !share.includes(key) && !is_hidden(key);
                let (age, late) = simulation.worst(is_healthy);
                // It takes longer if neither a provider nor a few groups are the cause, or with sixty groups if each
                // poll takes seconds.
                let is_known_late = groups == 1000 && matches!(share, Share::HalfOfTheGroups)
                    || groups == 60 && matches!(share, Share::ProviderInMostGroups);
                let is_hard = is_known_late || matches!(share, Share::ProviderInMostGroups) && groups == 1000;
                let bound = if is_known_late { 1.75 } else { 1.0 };
                assert!(late <= bound, "{case}: {late} intervals late");
                assert!(age <= 1.0 + bound, "{case}: data of {age} intervals");
                let is_sibling = |key: &ListingKey| {
                    matches!(share, Share::ProviderInMostGroups) && key.provider == Provider::Azure && is_known_late
                };
                let healthy_failures =
                    simulation.failures.iter().filter(|(key, _)| is_healthy(key) && !is_sibling(key));
                let is_false = |(_, reasons): &(_, &Vec<FailureReason>)| {
                    !is_known_late || reasons.iter().any(|reason| *reason != FailureReason::QueueTimeout)
                };
                let false_failures: Vec<_> = healthy_failures.filter(is_false).collect();
                assert!(false_failures.is_empty(), "{case}: {false_failures:?}");
                for (key, reasons) in simulation.failures.iter().filter(|(key, _)| share.includes(key)) {
                    let is_true = |reason: &FailureReason| match fault {
                        _ if is_hard && *reason == FailureReason::QueueTimeout => true,
                        Behavior::Fails(150) => *reason == Reason::Server.into(),
                        // An attempt that holds its permit for this long may be aborted.
                        Behavior::Fails(_) => [Reason::Server, Reason::Timeout].map(Into::into).contains(reason),
                        Behavior::Hangs => *reason == Reason::Timeout.into(),
                        // There are not enough permits for polls this slow.
                        Behavior::Succeeds(_) => {
                            *reason == FailureReason::QueueTimeout || *reason == Reason::Timeout.into()
                        }
                    };
                    assert!(reasons.iter().all(is_true), "{case}: {key:?} {reasons:?}");
                }
                // The end of the fault.
                let ended = simulation.now;
                let recovery = if groups == 250 { 1.1 } else { 2.0 };
                simulation.run(recovery, |_| Behavior::Succeeds(healthy));
                let still = simulation.data.values().filter(|(read, _)| *read < ended).count();
                assert_eq!(still, 0, "{case}: not recovered within {recovery} intervals");
            }
        }
    }
}

#[test]
fn a_failing_listing_is_polled_each_interval_while_others_hang() {
    let mut simulation = Simulation::new(250, poll());
    let glitch = key(7, Provider::Aws);
    let behavior = |key: &ListingKey| match key.provider {
        Provider::Azure => Behavior::Hangs,
        _ if *key == glitch => Behavior::Fails(100),
        _ => Behavior::Succeeds(100),
    };
    simulation.run(5.0, behavior);
    simulation.reset();
    simulation.run(10.0, behavior);
    assert!(simulation.attempts[&glitch] >= 9, "{}", simulation.attempts[&glitch]);
    assert!(simulation.worst(|key| *key == glitch).1 < 0.5);
}

#[test]
fn a_transient_failure_is_retried_unless_other_polls_wait() {
    for (groups, attempts) in [(1, 4), (1000, 1)] {
        let config = PollConfig { concurrency: if groups == 1 { 8 } else { 1 }, ..poll() };
        let mut simulation = Simulation::new(groups, config);
        let glitch = key(0, Provider::Aws);
        simulation.scheduler.remove(&glitch);
        simulation.scheduler.insert(&glitch, simulation.start, false);
        simulation.run(0.5, |key| if *key == glitch { Behavior::Fails(100) } else { Behavior::Succeeds(100) });
        assert_eq!(simulation.attempts[&glitch], attempts, "{groups} groups");
        assert_eq!(simulation.failures.get(&glitch).map(Vec::len), Some(1), "{groups} groups");
    }
}

#[test]
fn a_listing_that_is_back_before_its_aborted_poll_ended_is_polled_as_if_nothing_was_known() {
    let (mut scheduler, now, back) = (Scheduler::new(&poll()), Instant::now(), key(0, Provider::Aws));
    scheduler.insert(&back, now, true);
    let start = || Action::Start(back.clone(), poll().deadline);
    assert_eq!(scheduler.step(now, |_| None), [start()]);
    scheduler.remove(&back);
    scheduler.insert(&back, now, true);
    assert_eq!(scheduler.step(now, |_| None), [], "never two polls of one listing");
    assert_eq!(scheduler.finish(&back, now, &End::Aborted), None);
    assert_eq!(scheduler.entries[&back].condition, Condition::Healthy);
    assert_eq!(scheduler.step(now, |_| None), [start()]);
}

#[test]
fn if_there_are_too_many_polls_each_starts_in_turn_and_those_that_cannot_say_why() {
    // Four times as many as permits allow.
    let mut simulation = Simulation::new(200, PollConfig { concurrency: 1, ..poll() });
    simulation.run(5.0, |_| Behavior::Succeeds(400));
    simulation.reset();
    simulation.run(12.0, |_| Behavior::Succeeds(400));
    let least = simulation.scheduler.keys().map(|key| simulation.attempts.get(key).copied().unwrap_or_default()).min();
    assert!(least >= Some(2), "{least:?}");
    assert!(simulation.failures.values().flatten().all(|reason| *reason == FailureReason::QueueTimeout));
    assert_eq!(simulation.failures.len(), 600);
}

#[test]
fn a_slow_answer_now_and_then_delays_nothing_while_a_provider_hangs() {
    for (groups, healthy) in [(250, 150), (1000, 100)] {
        for answer in [Behavior::Succeeds(1500), Behavior::Fails(1500)] {
            let mut simulation = Simulation::new(groups, poll());
            let behavior = |key: &ListingKey| match key.provider {
                Provider::Azure => Behavior::Hangs,
                _ if fastrand::u8(..100) == 0 => answer,
                _ => Behavior::Succeeds(healthy),
            };
            simulation.run(5.0, behavior);
            simulation.reset();
            simulation.run(20.0, behavior);
            let is_healthy = |key: &ListingKey| key.provider != Provider::Azure;
            let (age, late) = simulation.worst(is_healthy);
            let case = format!("{groups} groups, {answer:?}: {late} intervals late, data of {age} intervals");
            // A failure that is not retried costs an interval.
            assert!(late <= 1.0 && age <= if matches!(answer, Behavior::Fails(_)) { 4.0 } else { 2.0 }, "{case}");
            let mut reasons = simulation.failures.iter().filter(|(key, _)| is_healthy(key)).flat_map(|(_, all)| all);
            assert!(reasons.all(|reason| *reason != FailureReason::QueueTimeout), "{case}");
        }
    }
}

#[test]
fn a_provider_recovers_within_an_interval_while_another_one_hangs() {
    for groups in [60, 250, 1000] {
        let mut simulation = Simulation::new(groups, poll());
        let only = |hanging: &'static [Provider]| {
            move |key: &ListingKey| {
                if hanging.contains(&key.provider) { Behavior::Hangs } else { Behavior::Succeeds(100) }
            }
        };
        simulation.run(2.0, only(&[]));
        simulation.run(12.0, only(&[Provider::Azure, Provider::Gcp]));
        let ended = simulation.now;
        simulation.run(if groups == 1000 { 2.0 } else { 1.1 }, only(&[Provider::Azure]));
        let read = |key: &ListingKey| simulation.data[key].0;
        let still = simulation.data.keys().filter(|key| key.provider != Provider::Azure && read(key) < ended).count();
        assert_eq!(still, 0, "{groups} groups");
    }
}

#[test]
fn more_healthy_polls_than_permits_allow_do_not_starve_suspects() {
    // Half of the listings fail at once. The others take four times as long as the permit allows.
    let mut simulation = Simulation::new(27, PollConfig { concurrency: 1, ..poll() });
    let behavior = |key: &ListingKey| match (number(key) * 3 + key.provider as u32) % 2 {
        0 => Behavior::Fails(1),
        _ => Behavior::Succeeds(6086),
    };
    simulation.run(40.0, behavior);
    let unpolled = simulation.scheduler.keys().filter(|key| !simulation.lateness.contains_key(*key)).count();
    assert_eq!(unpolled, 0, "of {}", simulation.attempts.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_starves_and_permits_are_never_exceeded(
        groups in 1u32..60,
        concurrency in 1usize..10,
        behaviors in prop::collection::vec(
            prop_oneof![
                4 => (1u64..400).prop_map(Behavior::Succeeds),
                1 => (1u64..20_000).prop_map(Behavior::Succeeds),
                1 => (1u64..9_000).prop_map(Behavior::Fails),
                1 => Just(Behavior::Hangs),
            ],
            1..40,
        ),
        removed in 0u32..60,
    ) {
        let mut simulation = Simulation::new(groups, PollConfig { concurrency, ..poll() });
        let behavior = |key: &ListingKey| behaviors[(number(key) as usize * 3 + key.provider as usize) % behaviors.len()];
        simulation.run(3.0, behavior);
        simulation.scheduler.remove(&key(removed, Provider::Gcp));
        // If every poll took a minute, one permit could serve the three listings of a group in three intervals.
        simulation.run(f64::from(groups) * 3.0, behavior);
        let recorded = simulation.scheduler.keys().filter(|key| !simulation.lateness.contains_key(*key)).count();
        prop_assert_eq!(recorded, 0, "polls that never ended");
    }

    #[test]
    fn healthy_polls_start_in_time_whatever_the_others_do(
        groups in 20u32..150,
        spare in 1usize..8,
        bad_part in 0u64..60,
        bad in prop::collection::vec(
            prop_oneof![
                (1u64..20_000).prop_map(Behavior::Fails),
                (5_000u64..20_000).prop_map(Behavior::Succeeds),
                Just(Behavior::Hangs),
            ],
            1..6,
        ),
        latency in 20u64..400,
        seed: u64,
    ) {
        // Twice as many permits as the healthy polls of all groups need, and some.
        let needed = usize::try_from(u64::from(groups + 20) * 3 * latency * 5 / 2 / 60_000).unwrap() + 1;
        let mut simulation = Simulation::new(groups, PollConfig { concurrency: needed * 2 + spare, ..poll() });
        let kind = |key: &ListingKey| (u64::from(number(key)) * 3 + key.provider as u64 + 1).wrapping_mul(seed | 1) >> 32;
        let is_bad = |key: &ListingKey| kind(key) % 100 < bad_part;
        let behavior = |key: &ListingKey| {
            let index = usize::try_from(kind(key)).unwrap() / 100 % bad.len();
            let tail = if fastrand::u8(..50) == 0 { 2 } else { 1 };
            if is_bad(key) { bad[index] } else { Behavior::Succeeds((latency + fastrand::u64(..latency)) * tail) }
        };
        simulation.run(2.0, |_| Behavior::Succeeds(latency));
        for n in 0..20 {
            // Some come and others go at any time.
            simulation.insert(groups + n);
            simulation.scheduler.remove(&key(n, Provider::Gcp));
            simulation.run(0.3, behavior);
        }
        let (_, late) = simulation.worst(|key| !is_bad(key));
        prop_assert!(late <= 1.0, "{late} intervals late");
        let reasons = simulation.failures.iter().filter(|(key, _)| !is_bad(key)).flat_map(|(_, reasons)| reasons);
        prop_assert_eq!(reasons.count(), 0);
    }
}
