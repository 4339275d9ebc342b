use std::{collections::BTreeMap, time::Duration};

use super::*;
use crate::state::{AccountState, DiscoveryState, PollResult};
use atlas::Reason;

struct Fixture {
    state: State,
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
        let groups = BTreeMap::from([(id(0), GroupState::listed("a", "mine"))]);
        let listings = [ListingKey { group: id(0), provider: Provider::Aws }];
        let (minute, now) = (Duration::from_secs(60), SystemTime::UNIX_EPOCH);
        let state = State::new(minute, minute * 15, now, accounts.into(), groups, listings);
        Self { state, seconds: 0 }
    }

    fn discover(&mut self, account: &str, outcome: Result<Vec<atlas::Group>, Failure>) -> Vec<DiscoveryEvent> {
        self.seconds += 1;
        self.state.record_discovery(account, outcome, &[Provider::Gcp], at(self.seconds))
    }

    fn find(&mut self, groups: impl IntoIterator<Item = u8>) -> Vec<DiscoveryEvent> {
        self.discover("a", Ok(groups.into_iter().map(found).collect()))
    }

    fn watched(&self) -> Vec<u8> {
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

fn failure(reason: Reason) -> Failure {
    Failure { reason, message: String::new(), advice: reason.advice(), is_account_wide: false }
}

fn left(n: u8) -> DiscoveryEvent {
    DiscoveryEvent::GroupRemoved { group: id(n), name: format!("g{n}") }
}

#[test]
fn what_is_found_is_watched_with_its_name_and_organization() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.find([1, 2]), [1, 2].map(|n| DiscoveryEvent::Appeared(id(n))));
    let group = &fixture.state.groups[&id(1)];
    assert_eq!((group.account.as_str(), group.name.as_str(), group.org_id.as_str()), ("a", "g1", "5f0"));
    let listings: Vec<_> = fixture.state.targets_of("a").cloned().collect();
    assert_eq!(listings.len(), 3);
    assert!(listings.contains(&ListingKey { group: id(1), provider: Provider::Gcp }));
    assert_eq!(fixture.find([1, 2]), []);
    assert_eq!(fixture.discovery().last_success, Some(at(2)));
}

#[test]
fn a_group_is_gone_after_the_second_listing_without_it() {
    let mut fixture = Fixture::new();
    fixture.find([1, 2, 3]);
    assert_eq!(fixture.find([1, 2]), []);
    assert_eq!(fixture.find([1, 2, 3]), [], "it was a mistake");
    assert_eq!(fixture.find([1, 2]), []);
    assert_eq!(fixture.watched(), [0, 1, 2, 3]);
    assert_eq!(fixture.find([1, 2]), [left(3)]);
    assert_eq!(fixture.watched(), [0, 1, 2]);
    assert_eq!(fixture.state.targets_of("a").count(), 3);
    assert_eq!(fixture.find([1, 2, 3]), [DiscoveryEvent::Appeared(id(3))]);
}

#[test]
fn a_failure_changes_nothing_and_is_told_once() {
    let mut fixture = Fixture::new();
    fixture.find([1, 2, 3]);
    assert_eq!(fixture.find([1, 2]), []);
    let failed = fixture.discover("a", Err(failure(Reason::Server)));
    assert_eq!(failed, [DiscoveryEvent::Failing(failure(Reason::Server))]);
    assert_eq!(fixture.discover("a", Err(failure(Reason::Server))), []);
    assert!(!fixture.discovery().succeeded());
    assert_eq!((fixture.discovery().last_success, fixture.watched().len()), (Some(at(2)), 4));
    assert_eq!(fixture.discovery().failures, BTreeMap::from([(Reason::Server, 2)]));
    assert_eq!(fixture.find([1, 2]), [DiscoveryEvent::Recovered { failed: 2 }, left(3)]);
    assert!(fixture.discovery().succeeded());
}

#[test]
fn losing_more_than_half_is_held_back_until_another_listing_says_the_same() {
    let mut fixture = Fixture::new();
    fixture.find([1, 2, 3, 4]);
    assert_eq!(fixture.find([1, 2]), [], "half is not more than half");
    assert_eq!(fixture.find([1, 2, 3, 4]), []);
    let held_back = DiscoveryEvent::HeldBack { missing: 3, known: 4 };
    assert_eq!(fixture.find([1, 9]), [DiscoveryEvent::Appeared(id(9)), held_back]);
    assert_eq!(fixture.watched(), [0, 1, 2, 3, 4, 9]);
    assert!(!fixture.discovery().succeeded());
    assert_eq!(fixture.discovery().last_success, Some(at(3)));
    assert_eq!(fixture.find([1, 9]), [left(2), left(3), left(4)]);
    assert!(fixture.discovery().succeeded());
    assert_eq!(fixture.watched(), [0, 1, 9]);
}

#[test]
fn a_listing_that_is_held_back_counts_for_nothing_if_the_next_is_whole() {
    let mut fixture = Fixture::new();
    fixture.find([1, 2, 3, 4]);
    assert_eq!(fixture.find([1, 2, 3]), []);
    assert_eq!(fixture.find([]), [DiscoveryEvent::HeldBack { missing: 4, known: 4 }]);
    fixture.discover("a", Err(failure(Reason::Timeout)));
    assert_eq!(fixture.find([1, 2, 3, 4]), [DiscoveryEvent::Recovered { failed: 1 }]);
    assert_eq!(fixture.find([1, 2, 3]), [], "4 is missing for the first time again");
    assert_eq!(fixture.find([]), [DiscoveryEvent::HeldBack { missing: 4, known: 4 }]);
    assert_eq!(fixture.find([1, 2, 3]), [left(4)], "it was missing twice in listings that count");
}

#[test]
fn what_is_missing_only_in_the_second_listing_is_missing_for_the_first_time() {
    let mut fixture = Fixture::new();
    fixture.find([1, 2, 3, 4]);
    fixture.find([1]);
    assert_eq!(fixture.find([]), [left(2), left(3), left(4)]);
    assert_eq!(fixture.watched(), [0, 1]);
    assert_eq!(fixture.find([]), [DiscoveryEvent::HeldBack { missing: 1, known: 1 }]);
    assert_eq!(fixture.find([]), [left(1)]);
}

#[test]
fn a_group_of_the_config_stays_and_keeps_its_name() {
    let mut fixture = Fixture::new();
    fixture.find([0, 1]);
    let group = &fixture.state.groups[&id(0)];
    assert_eq!((group.name.as_str(), group.org_id.as_str()), ("mine", "5f0"));
    assert!(fixture.state.targets_of("a").any(|key| key.provider == Provider::Aws), "and its providers");
    for _ in 0..3 {
        fixture.find([1]);
    }
    assert_eq!(fixture.watched(), [0, 1]);
}

#[test]
fn a_group_that_is_called_otherwise_now_has_its_new_name() {
    let mut fixture = Fixture::new();
    fixture.find([1]);
    fixture.discover("a", Ok(vec![atlas::Group { name: "renamed".to_owned(), ..found(1) }]));
    assert_eq!(fixture.state.groups[&id(1)].name, "renamed");
}

#[test]
fn a_group_of_two_accounts_stays_with_the_first_that_has_it() {
    let mut fixture = Fixture::new();
    fixture.find([1]);
    assert_eq!(fixture.discover("b", Ok(vec![found(0), found(1), found(2)])), [DiscoveryEvent::Appeared(id(2))]);
    assert_eq!(fixture.state.account_of(&id(1)), Some("a"));
    fixture.find([5]);
    fixture.find([5]);
    assert_eq!(fixture.discover("b", Ok(vec![found(1), found(2)])), [DiscoveryEvent::Appeared(id(1))]);
    assert_eq!(fixture.state.account_of(&id(1)), Some("b"), "the first sees it no more");
}

#[test]
fn an_account_without_any_group_is_told_once() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.discover("b", Ok(Vec::new())), [DiscoveryEvent::NoGroups]);
    assert_eq!(fixture.discover("b", Ok(Vec::new())), []);
    assert_eq!(fixture.find([]), [], "this one has a group of the config");
}

#[test]
fn ready_is_when_every_account_was_asked_and_every_target_polled_and_it_stays() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.state.pending(), (2, 1));
    for _ in 0..3 {
        assert_eq!(fixture.state.pending().0, 2 - usize::from(fixture.seconds > 3));
        fixture.discover("b", Err(failure(Reason::Dns)));
    }
    fixture.find([1]);
    assert_eq!(fixture.state.pending(), (0, 2));
    assert!(!fixture.state.is_ready());
    for key in fixture.state.targets_of("a").cloned().collect::<Vec<_>>() {
        let outcome = Err(failure(Reason::Dns));
        let (ended, duration) = (std::time::Instant::now(), Duration::ZERO);
        fixture.state.record(&key, PollResult { ended, due: ended, ended_at: at(9), duration, outcome });
    }
    assert!(fixture.state.is_ready());
    fixture.find([1, 2]);
    assert!(fixture.state.is_ready(), "a group that appears later does not make it unready");
}

/// The state after a config that lists none of the groups, which these accounts may discover.
fn reload(fixture: Fixture, heirs: &[&str]) -> Fixture {
    let mut after = Fixture::new();
    after.state.groups.clear();
    after.state.listings.clear();
    let heirs: Vec<_> = heirs.iter().map(|account| ((*account).to_owned(), vec![Provider::Aws])).collect();
    after.state.inherit(fixture.state, |_, _, _| heirs.clone());
    Fixture { seconds: fixture.seconds, ..after }
}

fn unlisted(n: u8) -> DiscoveryEvent {
    DiscoveryEvent::GroupUnlisted { group: id(n), name: "mine".to_owned() }
}

#[test]
fn a_group_that_is_listed_no_more_stays_until_the_discovery_told() {
    let mut fixture = reload(Fixture::new(), &["a"]);
    let aws = ListingKey { group: id(0), provider: Provider::Aws };
    assert!(fixture.state.listings.contains_key(&aws) && !fixture.state.is_settled("a"));
    assert_eq!(fixture.find([0]), []);
    assert_eq!((fixture.watched(), fixture.state.is_settled("a")), (vec![0], true));
    assert_eq!(fixture.state.groups[&id(0)].name, "g0", "the config names it no more");
    assert_eq!(fixture.find([1]), [DiscoveryEvent::Appeared(id(1)), DiscoveryEvent::HeldBack { missing: 1, known: 1 }]);
}

#[test]
fn a_group_that_is_listed_no_more_and_not_discovered_leaves() {
    let mut fixture = Fixture::new();
    fixture.find([1, 2]);
    let mut fixture = reload(fixture, &["a"]);
    assert_eq!(fixture.find([1, 2]), [unlisted(0)], "one of three is not more than half");
    assert_eq!(fixture.watched(), [1, 2]);
}

#[test]
fn an_empty_list_after_the_config_lists_nothing_more_is_held_back() {
    let mut fixture = reload(Fixture::new(), &["a"]);
    assert_eq!(fixture.find([]), [DiscoveryEvent::HeldBack { missing: 1, known: 1 }]);
    assert_eq!(fixture.watched(), [0]);
    assert_eq!(fixture.find([]), [unlisted(0), DiscoveryEvent::NoGroups]);
}

#[test]
fn what_was_told_of_a_listed_group_is_known_when_it_is_listed_no_more() {
    let mut fixture = Fixture::new();
    fixture.find([0, 1]);
    assert_eq!(fixture.state.groups[&id(0)].name, "mine");
    let mut fixture = reload(fixture, &["a", "b"]);
    assert_eq!((fixture.state.groups[&id(0)].name.as_str(), fixture.state.is_settled("a")), ("g0", true));
    assert_eq!(fixture.find([1]), [], "one listing may lack it by mistake");
    assert_eq!(fixture.find([1]), [left(0)]);
}

#[test]
fn a_group_waits_for_every_account_that_may_discover_it() {
    let mut fixture = Fixture::new();
    fixture.find([1, 2]);
    let mut fixture = reload(fixture, &["a", "b"]);
    assert_eq!(fixture.find([1, 2]), [], "the other has not told yet");
    assert_eq!((fixture.watched(), fixture.state.is_settled("b")), (vec![0, 1, 2], false));
    assert_eq!(fixture.discover("b", Ok(vec![found(0)])), []);
    assert_eq!((fixture.state.account_of(&id(0)), fixture.state.is_settled("b")), (Some("b"), true));
    let listings: Vec<_> = fixture.state.targets_of("b").map(|key| key.provider).collect();
    assert_eq!(listings, [Provider::Gcp], "what that account asks for");
}

#[test]
fn a_name_of_atlas_outlives_a_move_between_accounts() {
    let mut fixture = Fixture::new();
    fixture.find([1]);
    for _ in 0..2 {
        let mut after = Fixture::new();
        after.state.groups = BTreeMap::from([(id(1), GroupState::listed("b", ""))]);
        after.state.inherit(fixture.state, |_, _, _| Vec::new());
        fixture = after;
        assert_eq!(fixture.state.groups[&id(1)].name, "g1");
    }
}

#[test]
fn a_group_that_nobody_discovers_leaves_at_once() {
    let fixture = reload(Fixture::new(), &[]);
    assert!(fixture.watched().is_empty() && fixture.state.listings.is_empty());
}
