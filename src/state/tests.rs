use super::*;
use atlas::{Listing, Outcome, Peering, Reason};

const MAX_STALENESS: Duration = Duration::from_secs(900);

struct Fixture {
    state: State,
    key: ListingKey,
    start: Instant,
}

impl Fixture {
    fn new() -> Self {
        let key = ListingKey { group: "64c0ffee0000000000000001".parse().unwrap(), provider: Provider::Aws };
        let state = State::new(
            Duration::from_secs(60),
            MAX_STALENESS,
            SystemTime::UNIX_EPOCH,
            [("main".to_owned(), AccountState::default())].into(),
            [(key.group.clone(), GroupState::configured("main", ""))].into(),
            [key.clone()],
        );
        Self { state, key, start: Instant::now() }
    }

    fn poll(&mut self, after: u64, outcome: Result<Listing, Failure>) -> Vec<ListingEvent> {
        self.record(after, Some(PollRun { lateness: Duration::ZERO, duration: Duration::ZERO }), outcome)
    }

    /// Records a poll that got no permit, with the failure of the previous one.
    fn expire(&mut self, after: u64, failure: Failure) -> Vec<ListingEvent> {
        self.record(after, None, Err(failure))
    }

    fn record(&mut self, after: u64, run: Option<PollRun>, outcome: Result<Listing, Failure>) -> Vec<ListingEvent> {
        let ended = self.start + Duration::from_secs(after);
        let ended_at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + after);
        self.state.record_poll(&self.key, PollResult { ended, due: ended, ended_at, run, outcome })
    }

    fn served(&self, after: u64) -> Option<usize> {
        let now = self.start + Duration::from_secs(after);
        let served = self.state.listings[&self.key].served(now, MAX_STALENESS);
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
    Failure::without_request(reason, String::new())
}

#[test]
fn each_reason_is_reported_once_until_a_poll_succeeds() {
    let mut fixture = Fixture::new();
    fixture.poll(0, Ok(listing(&[])));
    assert_eq!(fixture.poll(1, Err(failure(Reason::Server))), [ListingEvent::Failing(failure(Reason::Server))]);
    assert_eq!(fixture.poll(2, Err(failure(Reason::Server))), []);
    assert_eq!(fixture.poll(3, Err(failure(Reason::Timeout))), [ListingEvent::Failing(failure(Reason::Timeout))]);
    assert_eq!(fixture.poll(4, Err(failure(Reason::Server))), [], "already reported");
    assert_eq!(fixture.poll(5, Ok(listing(&[]))), [ListingEvent::Recovered { failed: 4, is_account_wide: false }]);
    assert_eq!(fixture.poll(6, Err(failure(Reason::Server))), [ListingEvent::Failing(failure(Reason::Server))]);
}

#[test]
fn a_stale_listing_is_not_served_even_without_another_poll() {
    let mut fixture = Fixture::new();
    fixture.poll(0, Ok(listing(&[("a", "AVAILABLE")])));
    assert_eq!(fixture.served(900), Some(1));
    assert_eq!(fixture.served(901), None);
    assert_eq!(fixture.state.next_expiry(fixture.start), Some(fixture.start + MAX_STALENESS));
    let events = fixture.poll(901, Err(failure(Reason::Server)));
    assert_eq!(events[1], ListingEvent::Dropped { peerings: 1, cause: DropCause::Stale });
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
    assert_eq!(fixture.expire(200, failure(Reason::NotFound)), [], "Atlas was not asked");
    assert_eq!(fixture.served(200), Some(1));
    assert_eq!(
        fixture.poll(240, Err(failure(Reason::NotFound))),
        [ListingEvent::GroupMissing, ListingEvent::Dropped { peerings: 1, cause: DropCause::GroupMissing }]
    );
    assert_eq!(fixture.served(240), None);
}

#[test]
fn differences_between_listings_are_reported() {
    let mut fixture = Fixture::new();
    let failed = listing(&[("b", "FAILED")]).peerings.remove(0);
    let first = fixture.poll(0, Ok(listing(&[("a", "AVAILABLE"), ("b", "FAILED")])));
    assert_eq!(first, [ListingEvent::Unavailable(failed)]);
    let events = fixture.poll(60, Ok(listing(&[("a", "FAILED"), ("c", "INITIATING")])));
    let peering = |id: &str, status: &str| listing(&[(id, status)]).peerings.remove(0);
    let changed = ListingEvent::Changed { from: "AVAILABLE".into(), to: peering("a", "FAILED") };
    let expected =
        [changed, ListingEvent::Added(peering("c", "INITIATING")), ListingEvent::Removed(peering("b", "FAILED"))];
    assert_eq!(events, expected);
    let events = fixture.poll(120, Ok(listing(&[])));
    assert_eq!((events.len(), events.last(), fixture.served(120)), (3, Some(&ListingEvent::Emptied(2)), Some(0)));
}

/// An available peering in a network.
fn in_network(id: &str, network: &str) -> Peering {
    Peering { id: id.to_owned(), vpc_id: network.to_owned(), status: "AVAILABLE".to_owned(), ..Peering::default() }
}

fn networks(peerings: &[(&str, &str)]) -> Listing {
    Listing { peerings: peerings.iter().map(|(id, network)| in_network(id, network)).collect(), duplicates: 0 }
}

fn moved(id: &str, from: &str, to: &str) -> ListingEvent {
    ListingEvent::Moved { from: from.to_owned(), to: in_network(id, to) }
}

#[test]
fn a_change_of_the_network_is_reported_as_a_move() {
    let mut fixture = Fixture::new();
    fixture.poll(0, Ok(networks(&[("a", "v1"), ("b", "v2"), ("c", "v2")])));
    let swapped = fixture.poll(60, Ok(networks(&[("a", "v2"), ("b", "v1"), ("c", "v2")])));
    assert_eq!(swapped, [moved("a", "v1", "v2"), moved("b", "v2", "v1")]);
    let events = fixture.poll(120, Ok(networks(&[("a", "v1"), ("c", "v2")])));
    assert_eq!(events, [moved("a", "v2", "v1"), ListingEvent::Removed(in_network("b", "v1"))]);
    let replaced = fixture.poll(180, Ok(networks(&[("d", "v1"), ("c", "v2")])));
    assert_eq!(
        replaced,
        [ListingEvent::Added(in_network("d", "v1")), ListingEvent::Removed(in_network("a", "v1"))],
        "another peering of the same network is no move"
    );
}

#[test]
fn a_move_with_another_status_has_an_event_for_each() {
    let mut fixture = Fixture::new();
    fixture.poll(0, Ok(networks(&[("a", "v1")])));
    let failed = Peering { status: "FAILED".to_owned(), ..in_network("a", "v2") };
    let events = fixture.poll(60, Ok(Listing { peerings: vec![failed.clone()], duplicates: 0 }));
    assert_eq!(
        events,
        [
            ListingEvent::Moved { from: "v1".to_owned(), to: failed.clone() },
            ListingEvent::Changed { from: "AVAILABLE".to_owned(), to: failed }
        ]
    );
}

#[test]
fn a_move_during_a_reload_or_an_outage_is_reported() {
    let mut fixture = Fixture::new();
    fixture.poll(0, Ok(networks(&[("a", "v1")])));
    let before = std::mem::replace(&mut fixture.state, Fixture::new().state);
    fixture.state.carry_over(before, &BTreeMap::new());
    assert_eq!(fixture.poll(60, Ok(networks(&[("a", "v2")]))), [moved("a", "v1", "v2")]);
    let recovered = |failed| ListingEvent::Recovered { failed, is_account_wide: false };

    assert_eq!(fixture.poll(961, Err(failure(Reason::Server))).len(), 2);
    assert_eq!(fixture.poll(1000, Err(failure(Reason::Server))), [], "dropped once");
    // A reload with a longer `max_staleness` does not export it again.
    let now = fixture.start + Duration::from_secs(1000);
    assert!(fixture.state.listings[&fixture.key].served(now, MAX_STALENESS * 2).is_none());
    let events = fixture.poll(1020, Ok(networks(&[("a", "v3")])));
    assert_eq!(events, [recovered(2), moved("a", "v2", "v3")]);
    assert_eq!(fixture.served(1020), Some(1));

    fixture.poll(1080, Err(failure(Reason::NotFound)));
    fixture.poll(1140, Err(failure(Reason::NotFound)));
    assert_eq!((fixture.served(1140), fixture.state.next_expiry(fixture.start)), (None, None));
    let events = fixture.poll(1200, Ok(networks(&[("a", "v1")])));
    assert_eq!(events, [recovered(2), moved("a", "v3", "v1")]);
}

#[test]
fn a_poll_of_a_removed_listing_changes_nothing() {
    let mut fixture = Fixture::new();
    fixture.key.provider = Provider::Gcp;
    assert_eq!(fixture.poll(0, Ok(listing(&[("a", "AVAILABLE")]))), []);
    assert_eq!(fixture.state.listings.len(), 1);
}

#[test]
fn requests_are_counted() {
    let mut fixture = Fixture::new();
    let removed = "64c0ffee0000000000000009".parse().unwrap();
    let group = &fixture.key.group;
    for (group, status, remaining) in [(group, 401, None), (group, 200, Some(1999)), (&removed, 200, Some(1))] {
        let request = RequestRecord {
            group: Some(group.clone()),
            endpoint: Endpoint::Peers,
            outcome: Outcome::Status(status),
            duration: Duration::from_millis(150),
            rate_limit: remaining.map(|remaining| RateLimit { limit: 2000, remaining }),
            retry_after: None,
            version_ends: None,
        };
        fixture.state.record_request("main", request);
    }
    let api = &fixture.state.api[&("main".to_owned(), Endpoint::Peers)];
    assert_eq!(api.requests, BTreeMap::from([(Outcome::Status(200), 2), (Outcome::Status(401), 1)]));
    assert_eq!(api.durations.buckets().find(|(_, count)| *count > 0), Some((0.25, 3)));
    let key = ("main".to_owned(), Endpoint::Peers, Some(group.clone()));
    let rate_limit = RateLimit { limit: 2000, remaining: 1999 };
    assert_eq!(fixture.state.rate_limits, BTreeMap::from([(key, rate_limit)]), "a removed group has none");
}

#[test]
fn a_late_request_of_a_removed_account_adds_no_series() {
    let mut fixture = Fixture::new();
    let request = RequestRecord {
        group: None,
        endpoint: Endpoint::Groups,
        outcome: Outcome::Status(200),
        duration: Duration::from_millis(150),
        rate_limit: Some(RateLimit { limit: 500, remaining: 1 }),
        retry_after: None,
        version_ends: Some(VersionEnds { sunset: Some(SystemTime::UNIX_EPOCH), ..VersionEnds::default() }),
    };
    assert_eq!(fixture.state.record_request("removed", request), None);
    let State { api, rate_limits, version_ends, .. } = &fixture.state;
    assert!(api.is_empty() && rate_limits.is_empty() && version_ends.is_empty());
}

#[test]
fn a_listing_that_is_not_polled_becomes_overdue() {
    let mut fixture = Fixture::new();
    let start = fixture.start;
    let overdue = |state: &State, seconds| state.overdue(start + Duration::from_secs(seconds));
    assert_eq!(overdue(&fixture.state, 1000), (0, 0), "not scheduled yet");
    fixture.state.schedule(&fixture.key, start);
    assert_eq!((overdue(&fixture.state, 300), overdue(&fixture.state, 301)), ((0, 0), (0, 1)), "never polled");
    fixture.poll(60, Ok(listing(&[])));
    fixture.state.schedule(&fixture.key, start);
    assert_eq!((overdue(&fixture.state, 360), overdue(&fixture.state, 361)), ((0, 0), (0, 1)));
}

#[test]
fn an_account_without_heartbeats_or_discoveries_becomes_overdue() {
    let start = Instant::now();
    let discovery = |due| AccountState {
        discovery: Some(DiscoveryState { due, ..DiscoveryState::default() }),
        ..AccountState::default()
    };
    let accounts = [
        ("new", AccountState::default()),
        ("stopped", AccountState { last_heartbeat: Some(start), ..AccountState::default() }),
        ("due", discovery(Some(start + Duration::from_secs(600)))),
        ("first", discovery(None)),
    ];
    let accounts = accounts.map(|(name, account)| (name.to_owned(), account)).into();
    let minute = Duration::from_secs(60);
    let state = State::new(minute, minute * 15, SystemTime::UNIX_EPOCH, accounts, BTreeMap::new(), []);
    let overdue = [300, 301, 900, 901].map(|seconds| state.overdue(start + Duration::from_secs(seconds)));
    assert_eq!(overdue, [(0, 0), (1, 0), (1, 0), (2, 0)]);
}

#[test]
fn a_poll_that_only_waited_for_a_permit_does_not_make_the_exporter_ready() {
    let mut fixture = Fixture::new();
    fixture.poll(60, Err(Failure::without_request(FailureReason::QueueTimeout, String::new())));
    assert_eq!((fixture.state.is_ready(), fixture.state.pending()), (false, (0, 1)));
    fixture.poll(70, Err(failure(Reason::Timeout)));
    assert!(fixture.state.is_ready());
}
