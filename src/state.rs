//! What we know now: plain data, changed by polls and API exchanges, read by the metrics.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant, SystemTime},
};

use crate::atlas::{Exchange, GroupId, Listing, Peering, Provider, RateLimit, Reason};

/// A group answering 404 this often in a row is gone, not hidden by a passing fault.
const NOT_FOUND_ENDS_IT: u32 = 2;

/// The unit that is polled: one group and one provider.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The Atlas project.
    pub group: GroupId,
    /// The cloud.
    pub provider: Provider,
}

/// What is known of a group beside its peerings.
#[derive(Clone, Debug)]
pub struct Group {
    /// The account that polls it, as the config names it.
    pub account: String,
    /// The name that the config gives it; may be empty.
    pub name: String,
}

/// Everything that is known.
#[derive(Debug)]
pub struct State {
    /// How often each target is polled.
    pub interval: Duration,
    /// A listing older than this is served no more.
    pub max_staleness: Duration,
    /// When the config was read.
    pub config_read: SystemTime,
    /// Every group that is watched.
    pub groups: BTreeMap<GroupId, Group>,
    /// Every target, polled or not.
    pub targets: BTreeMap<Target, TargetState>,
    /// Exchanges with Atlas by account and endpoint.
    pub api: BTreeMap<(String, &'static str), ApiState>,
    /// The last word on each rate limit, by endpoint and group.
    pub rate_limits: BTreeMap<(&'static str, GroupId), RateLimit>,
}

/// What is known of one target.
#[derive(Debug, Default)]
pub struct TargetState {
    /// Polls that ended.
    pub polls: u64,
    /// Those that failed, by reason.
    pub failures: BTreeMap<Reason, u64>,
    /// How long the last poll took.
    pub duration: Duration,
    /// Why the last poll failed, if it did.
    pub failure: Option<Failure>,
    /// When a poll last succeeded.
    pub last_success: Option<SystemTime>,
    /// The last complete listing. Ask [`TargetState::served`] for what may be shown of it.
    listing: Option<Known>,
    /// Failures since the last success.
    failed_in_a_row: u32,
    /// 404s since another outcome.
    not_found_in_a_row: u32,
}

#[derive(Debug)]
struct Known {
    listing: Listing,
    since: Instant,
}

/// A poll that ended.
#[derive(Debug)]
pub struct Poll {
    /// By the clock that ages are reckoned with.
    pub ended: Instant,
    /// By the clock that is shown.
    pub ended_at: SystemTime,
    /// From its start to its end.
    pub duration: Duration,
    /// A complete listing or a failure.
    pub outcome: Result<Listing, Failure>,
}

/// Why a poll failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The word it is counted under.
    pub reason: Reason,
    /// The whole chain of causes as a sentence.
    pub message: String,
}

/// A change that someone may want to read about in the log.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// Polls of the target begin to fail, or fail for another reason than before.
    Failing(Failure),
    /// Polls succeed again.
    Recovered {
        /// How many failed in between.
        failed: u32,
    },
    /// The listing went because the group is gone or the listing is too old.
    Dropped {
        /// How many peerings it held.
        peerings: usize,
    },
    /// A listing without peerings where there were some.
    Emptied {
        /// How many there were.
        peerings: usize,
    },
    /// Atlas sent more peerings twice in one listing than before.
    Duplicates(u64),
    /// A peering that was not in the listing before.
    Appeared(Peering),
    /// A peering that is in the listing no more.
    Vanished(Peering),
    /// Another status or error than before.
    Changed {
        /// The status before.
        from: String,
        /// The peering as it is now.
        to: Peering,
    },
}

/// Exchanges with one endpoint of one account.
#[derive(Debug, Default)]
pub struct ApiState {
    /// HTTP requests that left, by status or reason.
    pub requests: BTreeMap<String, u64>,
    /// How long they took.
    pub durations: Histogram,
}

/// Durations, counted by upper bound.
#[derive(Debug, Default)]
pub struct Histogram {
    /// How many were not above the bound at the same place, but above the one before.
    pub counts: [u64; Histogram::BOUNDS.len()],
    /// How many in all.
    pub count: u64,
    /// All together, in seconds.
    pub sum: f64,
}

impl Histogram {
    /// In seconds. Atlas answers in tenths of seconds; the timeout is some seconds.
    pub const BOUNDS: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

    fn observe(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        self.count += 1;
        self.sum += seconds;
        if let Some(place) = Self::BOUNDS.iter().position(|bound| seconds <= *bound) {
            self.counts[place] += 1;
        }
    }
}

impl State {
    /// Knows the targets, and nothing of them yet.
    #[must_use]
    pub fn new(
        interval: Duration,
        max_staleness: Duration,
        config_read: SystemTime,
        groups: BTreeMap<GroupId, Group>,
        targets: impl IntoIterator<Item = Target>,
    ) -> Self {
        let targets = targets.into_iter().map(|target| (target, TargetState::default())).collect();
        Self {
            interval,
            max_staleness,
            config_read,
            groups,
            targets,
            api: BTreeMap::new(),
            rate_limits: BTreeMap::new(),
        }
    }

    /// Whether every target was polled once, whatever came of it.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.targets.values().all(|target| target.polls > 0)
    }

    /// Whether the last poll of every target succeeded.
    #[must_use]
    pub fn all_succeeded(&self) -> bool {
        self.targets.values().all(TargetState::succeeded)
    }

    /// When the next listing will become too old to be shown.
    #[must_use]
    pub fn next_expiry(&self, now: Instant) -> Option<Instant> {
        let ends = self.targets.values().filter_map(|target| Some(target.listing.as_ref()?.since + self.max_staleness));
        ends.filter(|end| *end >= now).min()
    }

    /// Takes in an exchange with Atlas.
    pub fn record_exchange(&mut self, account: &str, exchange: Exchange) {
        let api = self.api.entry((account.to_owned(), exchange.endpoint)).or_default();
        *api.requests.entry(exchange.code).or_default() += 1;
        api.durations.observe(exchange.duration);
        if let Some(rate_limit) = exchange.rate_limit {
            self.rate_limits.insert((exchange.endpoint, exchange.group), rate_limit);
        }
    }

    /// Takes in a poll and tells what it changed. A target that is watched no more stays unknown.
    pub fn record(&mut self, target: &Target, poll: Poll) -> Vec<Event> {
        let Some(state) = self.targets.get_mut(target) else { return Vec::new() };
        state.polls += 1;
        state.duration = poll.duration;
        match poll.outcome {
            Ok(listing) => state.succeed(listing, poll.ended, poll.ended_at),
            Err(failure) => state.fail(failure, poll.ended, self.max_staleness),
        }
    }
}

impl TargetState {
    /// Whether the last poll succeeded; false before the first.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.polls > 0 && self.failure.is_none()
    }

    /// The last complete listing, unless it is too old at `now`.
    #[must_use]
    pub fn served(&self, now: Instant, max_staleness: Duration) -> Option<&Listing> {
        let known = self.listing.as_ref()?;
        (now.saturating_duration_since(known.since) <= max_staleness).then_some(&known.listing)
    }

    fn succeed(&mut self, listing: Listing, ended: Instant, ended_at: SystemTime) -> Vec<Event> {
        let mut events = Vec::new();
        if self.failure.take().is_some() {
            events.push(Event::Recovered { failed: self.failed_in_a_row });
        }
        let duplicates = self.listing.as_ref().map_or(0, |known| known.listing.duplicates);
        if listing.duplicates > duplicates {
            events.push(Event::Duplicates(listing.duplicates));
        }
        if let Some(known) = &self.listing {
            events.extend(differences(&known.listing.peerings, &listing.peerings));
        }
        self.failed_in_a_row = 0;
        self.not_found_in_a_row = 0;
        self.last_success = Some(ended_at);
        self.listing = Some(Known { listing, since: ended });
        events
    }

    fn fail(&mut self, failure: Failure, ended: Instant, max_staleness: Duration) -> Vec<Event> {
        let mut events = Vec::new();
        let reason = failure.reason;
        *self.failures.entry(reason).or_default() += 1;
        self.failed_in_a_row += 1;
        self.not_found_in_a_row = if reason == Reason::NotFound { self.not_found_in_a_row + 1 } else { 0 };
        let before = self.failure.replace(failure.clone());
        if before.is_none_or(|before| before.reason != reason) {
            events.push(Event::Failing(failure));
        }
        let is_gone = self.not_found_in_a_row >= NOT_FOUND_ENDS_IT || self.served(ended, max_staleness).is_none();
        if let Some(known) = self.listing.take_if(|_| is_gone) {
            events.push(Event::Dropped { peerings: known.listing.peerings.len() });
        }
        events
    }
}

fn differences(before: &[Peering], after: &[Peering]) -> Vec<Event> {
    let mut gone: HashMap<&str, &Peering> = before.iter().map(|peering| (peering.id.as_str(), peering)).collect();
    let mut events = Vec::new();
    for peering in after {
        match gone.remove(peering.id.as_str()) {
            None => events.push(Event::Appeared(peering.clone())),
            Some(old) if (&old.status, &old.error) != (&peering.status, &peering.error) => {
                events.push(Event::Changed { from: old.status.clone(), to: peering.clone() });
            }
            Some(_) => {}
        }
    }
    let vanished = before.iter().filter(|peering| gone.contains_key(peering.id.as_str()));
    events.extend(vanished.cloned().map(Event::Vanished));
    if after.is_empty() && !before.is_empty() {
        events.push(Event::Emptied { peerings: before.len() });
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_STALENESS: Duration = Duration::from_secs(900);

    struct Fixture {
        state: State,
        target: Target,
        start: Instant,
    }

    impl Fixture {
        fn new() -> Self {
            let target = Target { group: "64c0ffee0000000000000001".parse().unwrap(), provider: Provider::Aws };
            let state = State::new(
                Duration::from_secs(60),
                MAX_STALENESS,
                SystemTime::UNIX_EPOCH,
                BTreeMap::new(),
                [target.clone()],
            );
            Self { state, target, start: Instant::now() }
        }

        fn poll(&mut self, after: u64, outcome: Result<Listing, Failure>) -> Vec<Event> {
            let ended = self.start + Duration::from_secs(after);
            let ended_at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + after);
            self.state.record(&self.target, Poll { ended, ended_at, duration: Duration::from_millis(150), outcome })
        }

        fn served(&self, after: u64) -> Option<usize> {
            let now = self.start + Duration::from_secs(after);
            let served = self.state.targets[&self.target].served(now, MAX_STALENESS);
            served.map(|listing| listing.peerings.len())
        }
    }

    fn listing(peerings: &[(&str, &str)]) -> Listing {
        let peering = |(id, status): &(&str, &str)| Peering {
            id: (*id).to_owned(),
            status: (*status).to_owned(),
            ..Peering::default()
        };
        Listing { peerings: peerings.iter().map(peering).collect(), duplicates: 0 }
    }

    fn failure(reason: Reason) -> Failure {
        Failure { reason, message: reason.as_str().to_owned() }
    }

    #[test]
    fn nothing_is_served_and_nothing_is_ready_before_the_first_poll() {
        let fixture = Fixture::new();
        assert_eq!(fixture.served(0), None);
        assert!(!fixture.state.is_ready());
        assert!(!fixture.state.all_succeeded());
    }

    #[test]
    fn a_failed_first_poll_makes_ready_too() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.poll(0, Err(failure(Reason::Dns))), [Event::Failing(failure(Reason::Dns))]);
        assert!(fixture.state.is_ready());
        assert!(!fixture.state.all_succeeded());
    }

    #[test]
    fn a_failure_keeps_the_last_complete_listing() {
        let mut fixture = Fixture::new();
        fixture.poll(0, Ok(listing(&[("a", "AVAILABLE")])));
        fixture.poll(60, Err(failure(Reason::Timeout)));
        assert_eq!(fixture.served(61), Some(1));
        let state = &fixture.state.targets[&fixture.target];
        assert_eq!(state.last_success, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)));
    }

    #[test]
    fn a_failure_is_told_when_it_begins_when_it_becomes_another_and_when_it_ends() {
        let mut fixture = Fixture::new();
        fixture.poll(0, Ok(listing(&[])));
        assert_eq!(fixture.poll(1, Err(failure(Reason::Server))), [Event::Failing(failure(Reason::Server))]);
        assert_eq!(fixture.poll(2, Err(failure(Reason::Server))), []);
        assert_eq!(fixture.poll(3, Err(failure(Reason::Timeout))), [Event::Failing(failure(Reason::Timeout))]);
        assert_eq!(fixture.poll(4, Ok(listing(&[]))), [Event::Recovered { failed: 3 }]);
    }

    #[test]
    fn a_listing_that_is_too_old_is_served_no_more_even_if_no_poll_comes() {
        let mut fixture = Fixture::new();
        fixture.poll(0, Ok(listing(&[("a", "AVAILABLE")])));
        assert_eq!(fixture.served(900), Some(1));
        assert_eq!(fixture.served(901), None);
        assert_eq!(fixture.state.next_expiry(fixture.start), Some(fixture.start + MAX_STALENESS));
        let events = fixture.poll(901, Err(failure(Reason::Server)));
        assert_eq!(events[1], Event::Dropped { peerings: 1 });
        assert_eq!(fixture.state.next_expiry(fixture.start), None);
    }

    #[test]
    fn the_second_404_in_a_row_drops_the_listing() {
        let mut fixture = Fixture::new();
        fixture.poll(0, Ok(listing(&[("a", "AVAILABLE")])));
        fixture.poll(60, Err(failure(Reason::NotFound)));
        assert_eq!(fixture.served(60), Some(1));
        fixture.poll(120, Err(failure(Reason::Server)));
        fixture.poll(180, Err(failure(Reason::NotFound)));
        assert_eq!(fixture.served(180), Some(1));
        assert_eq!(fixture.poll(240, Err(failure(Reason::NotFound))), [Event::Dropped { peerings: 1 }]);
        assert_eq!(fixture.served(240), None);
    }

    #[test]
    fn differences_between_listings_are_told() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.poll(0, Ok(listing(&[("a", "AVAILABLE"), ("b", "FAILED")]))), []);
        let events = fixture.poll(60, Ok(listing(&[("a", "FAILED"), ("c", "INITIATING")])));
        let peering = |id: &str, status: &str| listing(&[(id, status)]).peerings.remove(0);
        let changed = Event::Changed { from: "AVAILABLE".into(), to: peering("a", "FAILED") };
        let expected = [changed, Event::Appeared(peering("c", "INITIATING")), Event::Vanished(peering("b", "FAILED"))];
        assert_eq!(events, expected);
    }

    #[test]
    fn an_empty_listing_after_a_full_one_is_believed_and_told() {
        let mut fixture = Fixture::new();
        fixture.poll(0, Ok(listing(&[("a", "AVAILABLE")])));
        let events = fixture.poll(60, Ok(listing(&[])));
        assert!(events.contains(&Event::Emptied { peerings: 1 }));
        assert_eq!(fixture.served(60), Some(0));
    }

    #[test]
    fn a_poll_of_a_target_that_is_watched_no_more_changes_nothing() {
        let mut fixture = Fixture::new();
        fixture.target.provider = Provider::Gcp;
        assert_eq!(fixture.poll(0, Ok(listing(&[("a", "AVAILABLE")]))), []);
        assert_eq!(fixture.state.targets.len(), 1);
    }

    #[test]
    fn exchanges_are_counted() {
        let mut fixture = Fixture::new();
        for code in ["401", "200", "200"] {
            let rate_limit = (code == "200").then_some(RateLimit { limit: 2000, remaining: 1999 });
            let exchange = Exchange {
                group: fixture.target.group.clone(),
                endpoint: "peers",
                code: code.to_owned(),
                duration: Duration::from_millis(150),
                rate_limit,
            };
            fixture.state.record_exchange("main", exchange);
        }
        let api = &fixture.state.api[&("main".to_owned(), "peers")];
        assert_eq!(api.requests, BTreeMap::from([("200".to_owned(), 2), ("401".to_owned(), 1)]));
        assert_eq!(api.durations.counts, [0, 0, 3, 0, 0, 0, 0, 0, 0]);
        let key = ("peers", fixture.target.group.clone());
        assert_eq!(fixture.state.rate_limits[&key].remaining, 1999);
    }
}
