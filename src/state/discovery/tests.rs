use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::*;
use crate::state::PollRun;
use crate::state::{AccountState, Candidate, ListingKey, PollResult};
use atlas::Reason;

struct Fixture {
    state: State,
    start: Instant,
    seconds: u64,
}

impl Fixture {
    /// Two accounts that discover; the first lists one group too.
    fn new() -> Self {
        let discovers = || AccountState {
            discovery: Some(DiscoveryState::new(Duration::from_secs(600))),
            ..AccountState::default()
        };
        let accounts = [("a".to_owned(), discovers()), ("b".to_owned(), discovers())];
        let groups = BTreeMap::from([(id(0), GroupState::configured("a", "mine"))]);
        let listings = [ListingKey { group: id(0), provider: Provider::Aws }];
        let (minute, now) = (Duration::from_secs(60), SystemTime::UNIX_EPOCH);
        let state = State::new(minute, minute * 15, now, accounts.into(), groups, listings);
        Self { state, start: Instant::now(), seconds: 0 }
    }

    fn discover(&mut self, account: &str, outcome: Result<Vec<atlas::Group>, Failure>) -> Vec<DiscoveryEvent> {
        self.seconds += 1;
        let outcome = outcome.map(|owned| SelectedGroups { owned, elsewhere: 0 });
        self.state.record_discovery(account, outcome, &[Provider::Gcp], self.now(), at(self.seconds))
    }

    fn find(&mut self, groups: impl IntoIterator<Item = u8>) -> Vec<DiscoveryEvent> {
        self.discover("a", Ok(groups.into_iter().map(found).collect()))
    }

    /// A discovery of the first account that selects these groups and as many of other shards.
    fn discover_shard(&mut self, groups: impl IntoIterator<Item = u8>, elsewhere: usize) -> Vec<DiscoveryEvent> {
        let selected = SelectedGroups { owned: groups.into_iter().map(found).collect(), elsewhere };
        self.state.record_discovery("a", Ok(selected), &[Provider::Gcp], self.now(), at(self.seconds))
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_secs(self.seconds)
    }

    /// A successful poll of a discovered group.
    fn poll(&mut self, n: u8) {
        let key = ListingKey { group: id(n), provider: Provider::Gcp };
        let (ended, ended_at) = (self.now(), at(self.seconds));
        let outcome = Ok(atlas::Listing::default());
        self.state.record_poll(&key, PollResult { ended, due: ended, ended_at, run: RUN, outcome });
    }

    fn polled(&self) -> Vec<u8> {
        (0..100).filter(|n| self.state.groups.contains_key(&id(*n))).collect()
    }

    fn discovery(&self) -> &DiscoveryState {
        self.state.accounts["a"].discovery.as_ref().unwrap()
    }
}

fn id(n: u8) -> GroupId {
    format!("5e57d85c854180642f7844{n:02}").parse().unwrap()
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn found(n: u8) -> atlas::Group {
    atlas::Group { id: id(n), name: format!("g{n}"), org_id: "5f0".to_owned(), tags: BTreeMap::new() }
}

/// The run of a poll that sent a request.
const RUN: Option<PollRun> = Some(PollRun { lateness: Duration::ZERO, duration: Duration::ZERO });

fn failure(reason: Reason) -> Failure {
    Failure::without_request(reason, String::new())
}

fn added(n: u8) -> DiscoveryEvent {
    DiscoveryEvent::GroupAdded(id(n), format!("g{n}"))
}

fn removed(n: u8) -> DiscoveryEvent {
    DiscoveryEvent::GroupRemoved { account: "a".to_owned(), id: id(n), name: format!("g{n}") }
}

#[test]
fn a_found_group_is_polled_with_its_name_and_organization() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.find([1, 2]), [1, 2].map(added));
    let group = &fixture.state.groups[&id(1)];
    assert_eq!((group.account.as_str(), group.name.as_str(), group.org_id.as_str()), ("a", "g1", "5f0"));
    let listings: Vec<_> = fixture.state.listings_of("a").cloned().collect();
    assert_eq!(listings.len(), 3);
    assert!(listings.contains(&ListingKey { group: id(1), provider: Provider::Gcp }));
    assert_eq!(fixture.find([1, 2]), []);
    assert_eq!(fixture.discovery().last_success, Some(at(2)));
    fixture.discover("a", Ok(vec![atlas::Group { name: "renamed".to_owned(), ..found(1) }]));
    assert_eq!(fixture.state.groups[&id(1)].name, "renamed");
}

#[test]
fn two_discoveries_without_a_group_remove_it() {
    let mut fixture = Fixture::new();
    fixture.find([1, 2, 3]);
    assert_eq!(fixture.find([1, 2]), []);
    assert_eq!(fixture.find([1, 2, 3]), [], "the list lacked it by mistake");
    assert_eq!(fixture.find([1, 2]), []);
    assert_eq!(fixture.polled(), [0, 1, 2, 3]);
    assert_eq!(fixture.find([1, 2]), [removed(3)]);
    assert_eq!(fixture.polled(), [0, 1, 2]);
    assert_eq!(fixture.state.listings_of("a").count(), 3);
    assert_eq!(fixture.find([1, 2, 3]), [added(3)]);
}

#[test]
fn a_failed_discovery_changes_nothing_and_is_reported_once() {
    let mut fixture = Fixture::new();
    fixture.find([1, 2, 3]);
    assert_eq!(fixture.find([1, 2]), []);
    let failed = fixture.discover("a", Err(failure(Reason::Server)));
    assert_eq!(failed, [DiscoveryEvent::Failing(failure(Reason::Server))]);
    assert_eq!(fixture.discover("a", Err(failure(Reason::Server))), []);
    assert!(!fixture.discovery().succeeded());
    assert_eq!((fixture.discovery().last_success, fixture.polled().len()), (Some(at(2)), 4));
    assert_eq!(fixture.discovery().failures, BTreeMap::from([(Reason::Server.into(), 2)]));
    assert_eq!(fixture.find([1, 2]), [DiscoveryEvent::Recovered(2), removed(3)]);
    assert!(fixture.discovery().succeeded());
}

#[test]
fn losing_more_than_half_of_the_groups_needs_confirmation_by_the_next_discovery() {
    let mut fixture = Fixture::new();
    fixture.find([1, 2, 3, 4]);
    assert_eq!(fixture.find([1, 2]), [], "half is not more than half");
    assert_eq!(fixture.find([1, 2, 3, 4]), []);
    let unconfirmed = DiscoveryEvent::Unconfirmed { missing: 3, known: 4 };
    assert_eq!(fixture.find([1, 9]), [added(9), unconfirmed]);
    assert_eq!(fixture.polled(), [0, 1, 2, 3, 4, 9]);
    assert!(!fixture.discovery().succeeded());
    assert_eq!(fixture.discovery().last_success, Some(at(3)));
    assert_eq!(fixture.find([1, 9]), [removed(2), removed(3), removed(4)]);
    assert!(fixture.discovery().succeeded());
    assert_eq!(fixture.polled(), [0, 1, 9]);
}

#[test]
fn an_unconfirmed_discovery_is_forgotten_if_the_next_is_complete() {
    let mut fixture = Fixture::new();
    fixture.find([1, 2, 3, 4]);
    assert_eq!(fixture.find([1, 2, 3]), []);
    assert_eq!(fixture.find([]), [DiscoveryEvent::Unconfirmed { missing: 4, known: 4 }]);
    fixture.discover("a", Err(failure(Reason::Timeout)));
    assert_eq!(fixture.find([1, 2, 3, 4]), [DiscoveryEvent::Recovered(1)]);
    assert_eq!(fixture.find([1, 2, 3]), [], "4 is missing for the first time again");
    assert_eq!(fixture.find([]), [DiscoveryEvent::Unconfirmed { missing: 4, known: 4 }]);
    assert_eq!(fixture.find([1, 2, 3]), [removed(4)], "it was missing from two discoveries that count");
}

#[test]
fn a_group_that_only_the_confirming_discovery_lacks_has_one_miss() {
    let mut fixture = Fixture::new();
    fixture.find([1, 2, 3, 4]);
    fixture.find([1]);
    assert_eq!(fixture.find([]), [removed(2), removed(3), removed(4)]);
    assert_eq!(fixture.polled(), [0, 1]);
    assert_eq!(fixture.find([]), [DiscoveryEvent::Unconfirmed { missing: 1, known: 1 }]);
    assert_eq!(fixture.find([]), [removed(1)]);
}

#[test]
fn a_configured_group_stays_and_keeps_its_name() {
    let mut fixture = Fixture::new();
    fixture.find([0, 1]);
    let group = &fixture.state.groups[&id(0)];
    assert_eq!((group.name.as_str(), group.org_id.as_str()), ("mine", "5f0"));
    assert!(fixture.state.listings_of("a").any(|key| key.provider == Provider::Aws), "and its providers");
    for _ in 0..3 {
        fixture.find([1]);
    }
    assert_eq!(fixture.polled(), [0, 1]);
}

#[test]
fn a_group_of_two_accounts_stays_with_the_first_that_found_it() {
    let mut fixture = Fixture::new();
    fixture.find([1]);
    assert_eq!(fixture.discover("b", Ok(vec![found(0), found(1), found(2)])), [added(2)]);
    assert_eq!(fixture.state.account_of(&id(1)), Some("a"));
    fixture.find([5]);
    fixture.find([5]);
    assert_eq!(fixture.discover("b", Ok(vec![found(1), found(2)])), [added(1)]);
    assert_eq!(fixture.state.account_of(&id(1)), Some("b"), "the first no longer finds it");
}

#[test]
fn an_account_without_groups_is_reported_once() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.discover("b", Ok(Vec::new())), [DiscoveryEvent::NoGroups]);
    assert_eq!(fixture.discover("b", Ok(Vec::new())), []);
    assert_eq!(fixture.find([]), [], "this account has a configured group");
}

/// The first account does not list a group any longer.
fn empty_shard() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.state.groups.clear();
    fixture.state.listings.clear();
    fixture.state.accounts.remove("b");
    fixture
}

#[test]
fn a_shard_that_owns_no_group_is_settled_while_others_have_some() {
    let mut fixture = empty_shard();
    assert_eq!((fixture.discover_shard([], 3), fixture.state.is_settled("a")), (vec![], true));
    assert!(fixture.state.all_succeeded() && fixture.state.is_ready());
    fixture.discover("a", Err(failure(Reason::Server)));
    assert_eq!(
        (fixture.discover_shard([], 3), fixture.state.is_settled("a")),
        (vec![DiscoveryEvent::Recovered(1)], true)
    );
    assert_eq!(fixture.discover_shard([], 0), [DiscoveryEvent::NoGroups], "no shard has any");
    assert!(!fixture.state.is_settled("a") && !fixture.state.all_succeeded());
    assert_eq!(fixture.discover_shard([], 0), []);
    assert_eq!(fixture.discover_shard([1], 2), [added(1)]);
    assert_eq!(fixture.discover_shard([], 3), [DiscoveryEvent::Unconfirmed { missing: 1, known: 1 }]);
    assert_eq!((fixture.discover_shard([], 3), fixture.state.is_settled("a")), (vec![removed(1)], true));
    assert_eq!(fixture.discover_shard([], 0), [DiscoveryEvent::NoGroups], "again");
}

#[test]
fn a_shard_that_owns_no_listed_group_is_settled() {
    let mut fixture = empty_shard();
    fixture.state.accounts.get_mut("a").unwrap().lists_elsewhere = true;
    assert_eq!((fixture.discover_shard([], 0), fixture.state.is_settled("a")), (vec![], true));
    fixture.state.accounts.get_mut("a").unwrap().discovery = None;
    assert!(fixture.state.all_succeeded());
    let State { interval, max_staleness, config_read, accounts, .. } = fixture.state;
    let mut state = State::new(interval, max_staleness, config_read, accounts, BTreeMap::new(), []);
    assert!(state.is_ready(), "nothing is polled or discovered that could make it ready");

    // Nor after a reload that removes everything that was pending.
    let before = Fixture::new().state;
    assert!(!before.is_ready());
    state.ready = false;
    state.carry_over(before, &BTreeMap::new());
    assert!(state.is_ready());
}

#[test]
fn the_state_is_ready_once_groups_are_known_and_polled_and_stays_ready() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.state.pending(), (2, 1));
    for _ in 0..3 {
        assert_eq!(fixture.state.pending().0, 2 - usize::from(fixture.seconds > 3));
        fixture.discover("b", Err(failure(Reason::Dns)));
    }
    fixture.find([1]);
    assert_eq!(fixture.state.pending(), (0, 2));
    assert!(!fixture.state.is_ready());
    for key in fixture.state.listings_of("a").cloned().collect::<Vec<_>>() {
        let outcome = Err(failure(Reason::Dns));
        let ended = std::time::Instant::now();
        fixture.state.record_poll(&key, PollResult { ended, due: ended, ended_at: at(9), run: RUN, outcome });
    }
    assert!(fixture.state.is_ready());
    fixture.find([1, 2]);
    assert!(fixture.state.is_ready(), "a group added later does not make it unready");
}

/// The state after a reload that lists no group; these accounts may discover them.
fn reload(fixture: Fixture, accounts: &[&str]) -> Fixture {
    let mut after = Fixture::new();
    after.state.groups.clear();
    after.state.listings.clear();
    let candidate =
        |account: &&str| Candidate { account: (*account).to_owned(), providers: vec![Provider::Aws, Provider::Gcp] };
    let candidates: Vec<_> = accounts.iter().map(candidate).collect();
    let candidates = fixture.state.groups.keys().map(|id| (id.clone(), candidates.clone())).collect();
    after.state.carry_over(fixture.state, &candidates);
    Fixture { seconds: fixture.seconds, start: fixture.start, ..after }
}

fn unlisted(n: u8) -> DiscoveryEvent {
    DiscoveryEvent::GroupUnlisted(id(n), "mine".to_owned())
}

#[test]
fn an_unlisted_group_stays_until_a_discovery_ends() {
    let mut fixture = reload(Fixture::new(), &["a"]);
    let aws = ListingKey { group: id(0), provider: Provider::Aws };
    assert!(fixture.state.listings.contains_key(&aws) && !fixture.state.is_settled("a"));
    assert_eq!(fixture.find([0]), []);
    assert_eq!((fixture.polled(), fixture.state.is_settled("a")), (vec![0], true));
    assert_eq!(fixture.state.groups[&id(0)].name, "g0", "the config no longer names it");
    assert_eq!(fixture.find([1]), [added(1), DiscoveryEvent::Unconfirmed { missing: 1, known: 1 }]);
}

#[test]
fn an_unlisted_group_that_was_discovered_before_counts_as_discovered() {
    let mut fixture = Fixture::new();
    fixture.find([0, 1]);
    assert_eq!(fixture.state.groups[&id(0)].name, "mine");
    let mut fixture = reload(fixture, &["a", "b"]);
    assert_eq!((fixture.state.groups[&id(0)].name.as_str(), fixture.state.is_settled("a")), ("g0", true));
    assert_eq!(fixture.find([1]), [], "a single list may lack it by mistake");
    assert_eq!(fixture.find([1]), [removed(0)]);
}

#[test]
fn an_unlisted_group_waits_for_every_candidate() {
    let mut fixture = Fixture::new();
    fixture.find([1, 2]);
    let mut fixture = reload(fixture, &["a", "b"]);
    assert_eq!(fixture.find([1, 2]), [], "the other account has not reported yet");
    assert_eq!((fixture.polled(), fixture.state.is_settled("b")), (vec![0, 1, 2], false));
    assert_eq!(fixture.discover("b", Ok(vec![found(0)])), []);
    assert_eq!((fixture.state.account_of(&id(0)), fixture.state.is_settled("b")), (Some("b"), true));
    let listings: Vec<_> = fixture.state.listings_of("b").map(|key| key.provider).collect();
    assert_eq!(listings, [Provider::Gcp], "the providers of that account");
}

#[test]
fn the_name_from_atlas_survives_a_move_between_accounts() {
    let mut fixture = Fixture::new();
    fixture.find([1]);
    for _ in 0..2 {
        let mut after = Fixture::new();
        after.state.groups = BTreeMap::from([(id(1), GroupState::configured("b", ""))]);
        after.state.carry_over(fixture.state, &BTreeMap::new());
        fixture = after;
        assert_eq!(fixture.state.groups[&id(1)].name, "g1");
    }
}

#[test]
fn an_unlisted_group_that_is_not_discovered_is_removed() {
    let mut fixture = Fixture::new();
    fixture.find([1, 2]);
    let mut fixture = reload(fixture, &["a"]);
    assert_eq!(fixture.find([1, 2]), [unlisted(0)], "one of three is not more than half");
    assert_eq!(fixture.polled(), [1, 2]);
    let mut fixture = reload(Fixture::new(), &["a"]);
    assert_eq!(fixture.find([]), [DiscoveryEvent::Unconfirmed { missing: 1, known: 1 }]);
    assert_eq!(fixture.polled(), [0]);
    assert_eq!(fixture.find([]), [unlisted(0), DiscoveryEvent::NoGroups]);
    assert_eq!(reload(Fixture::new(), &[]).polled(), [0; 0], "without candidates at once");
}

/// The first account's discoveries lack the second of three groups, which were polled.
fn departed() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.find([1, 2, 3]);
    fixture.discover("b", Ok(vec![found(9)]));
    (1..=3).for_each(|n| fixture.poll(n));
    assert_eq!((fixture.find([1, 3]), fixture.find([1, 3])), (vec![], vec![]));
    assert_eq!(fixture.polled(), [0, 1, 2, 3, 9]);
    fixture
}

fn is_served(fixture: &Fixture, n: u8) -> bool {
    let listing = fixture.state.listings.get(&ListingKey { group: id(n), provider: Provider::Gcp });
    listing.is_some_and(|listing| listing.served(fixture.now(), fixture.state.max_staleness).is_some())
}

#[test]
fn a_departed_group_moves_to_another_account_with_its_data() {
    let mut fixture = departed();
    assert_eq!(
        (fixture.state.is_settled("a"), fixture.state.is_settled("b")),
        (true, false),
        "the other is asked soon"
    );
    let before = fixture.state.regroupings;
    assert_eq!(fixture.discover("b", Ok(vec![found(9)])), [], "its list may lack the group by mistake");
    assert_eq!(fixture.discover("b", Ok(vec![found(2), found(9)])), []);
    assert_eq!(fixture.state.account_of(&id(2)), Some("b"));
    assert!(is_served(&fixture, 2) && fixture.state.is_settled("b") && fixture.state.regroupings > before);
    assert_eq!(fixture.find([1, 3]), []);
    assert_eq!(fixture.discover("b", Ok(vec![found(9)])), [], "it is the group of the other account now");
    assert_eq!(fixture.discover("b", Ok(vec![found(9)])), [], "which it departs from");
    assert_eq!(fixture.find([1, 2, 3]), []);
    assert_eq!((fixture.state.account_of(&id(2)), is_served(&fixture, 2)), (Some("a"), true), "and back");
}

#[test]
fn a_departed_group_is_removed_once_every_other_account_was_asked_twice() {
    let mut fixture = departed();
    let discovery = Some(DiscoveryState::new(Duration::from_secs(600)));
    fixture.state.accounts.insert("c".to_owned(), AccountState { discovery, ..AccountState::default() });
    fixture.state.accounts.insert("lists".to_owned(), AccountState::default());
    for account in ["b", "b", "b", "c"] {
        fixture.discover(account, Ok(vec![found(9)]));
        fixture.discover(account, Err(failure(Reason::Server)));
        fixture.find([1, 3]);
        assert_eq!(fixture.polled(), [0, 1, 2, 3, 9], "{account}; a failure is no answer");
    }
    assert_eq!(fixture.discover("c", Ok(vec![found(9)])), [DiscoveryEvent::Recovered(1), removed(2)]);
    assert_eq!((fixture.polled(), fixture.state.is_settled("b")), (vec![0, 1, 3, 9], true));
}

#[test]
fn a_departed_group_that_its_account_finds_again_stays() {
    let mut fixture = departed();
    fixture.discover("b", Ok(vec![found(9)]));
    assert_eq!(fixture.find([1, 2, 3]), []);
    assert!(fixture.state.is_settled("b"));
    fixture.discover("b", Ok(vec![found(9)]));
    assert_eq!((fixture.state.account_of(&id(2)), is_served(&fixture, 2)), (Some("a"), true));
    assert_eq!((fixture.find([1, 3]), fixture.find([1, 3])), (vec![], vec![]), "it departs again");
    assert_eq!(fixture.discover("b", Ok(vec![found(9)])), [], "and is asked for again");
}

#[test]
fn a_departed_group_without_served_data_is_removed_even_by_a_failed_discovery() {
    let mut fixture = departed();
    let key = ListingKey { group: id(2), provider: Provider::Gcp };
    for _ in 0..2 {
        let (ended, outcome) = (fixture.now(), Err(failure(Reason::NotFound)));
        fixture.state.record_poll(&key, PollResult { ended, due: ended, ended_at: at(9), run: RUN, outcome });
    }
    let events = fixture.discover("b", Err(failure(Reason::Server)));
    assert_eq!(
        events,
        [DiscoveryEvent::Failing(failure(Reason::Server)), removed(2)],
        "with the account that polled it"
    );
}

#[test]
fn a_departed_group_stays_for_the_maximum_staleness_at_most() {
    let mut fixture = departed();
    fixture.discover("b", Err(failure(Reason::Server)));
    // Its account may still poll it.
    fixture.seconds = 900;
    fixture.poll(2);
    assert_eq!(fixture.discover("b", Err(failure(Reason::Server))), []);
    fixture.seconds = 905;
    assert_eq!(fixture.discover("b", Err(failure(Reason::Server))), [removed(2)]);
    assert!(!is_served(&fixture, 2));
}

#[test]
fn departed_groups_do_not_count_among_those_that_are_missing() {
    let mut fixture = departed();
    assert_eq!(fixture.find([1]), [], "half of the other two is not more than half");
    let unconfirmed = DiscoveryEvent::Unconfirmed { missing: 2, known: 2 };
    assert_eq!(fixture.find([]), [unconfirmed]);
    // Nor does the list of another account that awaits confirmation count as an answer.
    assert_eq!(fixture.discover("b", Ok(vec![])), [DiscoveryEvent::Unconfirmed { missing: 1, known: 1 }]);
    assert_eq!(fixture.discover("b", Ok(vec![found(9)])), []);
    assert_eq!(fixture.polled(), [0, 1, 2, 3, 9]);
    assert_eq!(fixture.discover("b", Ok(vec![found(9)])), [removed(2)]);
}

#[test]
fn an_account_whose_last_group_departed_reports_that_it_has_none() {
    let mut fixture = Fixture::new();
    fixture.discover("b", Ok(vec![found(1)]));
    fixture.poll(1);
    assert_eq!(fixture.discover("b", Ok(vec![])), [DiscoveryEvent::Unconfirmed { missing: 1, known: 1 }]);
    assert_eq!(fixture.discover("b", Ok(vec![])), [], "it polls the group as before");
    assert_eq!(fixture.find([1]), []);
    assert_eq!(fixture.discover("b", Ok(vec![])), [DiscoveryEvent::NoGroups]);
}

#[test]
fn a_reload_keeps_departed_groups() {
    let mut fixture = reload(departed(), &["a", "b"]);
    assert!(is_served(&fixture, 2) && !fixture.state.is_settled("b"));
    fixture.discover("b", Ok(vec![found(9)]));
    assert_eq!(fixture.discover("b", Ok(vec![found(9)])), [removed(2)]);
    let mut fixture = reload(departed(), &["b"]);
    assert_eq!(fixture.state.account_of(&id(2)), Some("b"), "its account no longer discovers");
    assert_eq!(fixture.discover("b", Ok([0, 1, 2, 3, 9].map(found).to_vec())), []);
    assert!(is_served(&fixture, 2) && fixture.state.is_settled("b"));
}
