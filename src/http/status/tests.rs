use std::collections::BTreeMap;

use super::*;
use crate::state::{AccountState, DiscoveryState, Failure, GroupState, ListingKey, PollResult};
use atlas::{Listing, Peering, Provider, Reason};

const MINUTE: Duration = Duration::from_secs(60);

struct Fixture {
    state: State,
    start: Instant,
}

impl Fixture {
    /// One group with three targets, not polled yet.
    fn new() -> Self {
        let console = Some("https://cloud.mongodb.com".to_owned());
        let account = AccountState { console, ..AccountState::default() };
        let groups = BTreeMap::from([(target(Provider::Aws).group, GroupState::configured("main", "payments"))]);
        let accounts = BTreeMap::from([("main".to_owned(), account)]);
        let targets = Provider::ALL.map(target);
        Self { state: State::new(MINUTE, MINUTE * 15, wall(0), accounts, groups, targets), start: Instant::now() }
    }

    fn poll(&mut self, provider: Provider, seconds: u64, outcome: Result<Vec<Peering>, Failure>) {
        let ended = self.start + Duration::from_secs(seconds);
        let outcome = outcome.map(|peerings| Listing { peerings, duplicates: 0 });
        let (duration, due) = (Duration::ZERO, ended + MINUTE);
        self.state
            .record_poll(&target(provider), PollResult { ended, ended_at: wall(seconds), duration, due, outcome });
    }

    /// The page so many seconds after the start.
    fn page(&self, seconds: u64, query: &str) -> String {
        let view = View::of(&self.state, None, self.start + Duration::from_secs(seconds), wall(seconds));
        html::page(&view, &Search::parse(query), "/metrics")
    }
}

fn target(provider: Provider) -> ListingKey {
    ListingKey { group: "5e57d85c854180642f784401".parse().unwrap(), provider }
}

fn wall(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(0x6600_0000 + seconds)
}

/// A peering that was made at the start.
fn peering(number: usize, status: &str) -> Peering {
    Peering { id: format!("66000000{number:016x}"), status: status.to_owned(), ..Peering::default() }
}

fn failure() -> Failure {
    let message = "Atlas returned status 503".to_owned();
    Failure { reason: Reason::Server, message, advice: Reason::Server.advice(), is_account_wide: false }
}

#[test]
fn before_the_first_poll_the_page_says_that_it_knows_nothing() {
    let page = Fixture::new().page(0, "");
    assert!(page.contains("Not everything is known yet: 3 of 3 targets were not polled."), "{page}");
    assert!(
        page.contains("No peering is known.") && page.contains("<title>(0, 3 blind) Atlas peerings</title>"),
        "{page}"
    );
}

#[test]
fn what_is_not_available_comes_first_and_the_worst_before_all() {
    let mut fixture = Fixture::new();
    let order = ["DELETION_FAILED", "NOVEL", "PENDING_ACCEPTANCE", "TERMINATING", "AVAILABLE"];
    let peerings = order.iter().rev().enumerate().map(|(number, status)| peering(number, status));
    fixture.poll(Provider::Aws, 0, Ok(peerings.collect()));
    let view = View::of(&fixture.state, None, fixture.start, wall(0));
    assert_eq!(view.peerings.iter().map(|row| row.status).collect::<Vec<_>>(), order);
}

#[test]
fn a_request_tells_when_aws_ends_it() {
    let mut fixture = Fixture::new();
    fixture.poll(Provider::Aws, 0, Ok(vec![peering(0, "PENDING_ACCEPTANCE")]));
    fixture.poll(Provider::Azure, 0, Ok(vec![peering(1, "PENDING_ACCEPTANCE")]));
    let page = fixture.page(600, "");
    let said = "to be accepted: AWS ends it <time datetime=\"2024-03-31T10:27:12Z\" title=\"2024-03-31T10:27:12Z\">in 6 days</time>";
    assert_eq!((page.matches(said).count(), page.matches("to be accepted").count()), (1, 1), "{page}");
}

#[test]
fn what_could_not_be_polled_is_said_before_everything_else() {
    let mut fixture = Fixture::new();
    for provider in Provider::ALL {
        fixture.poll(provider, 0, Ok(vec![peering(0, "AVAILABLE")]));
    }
    assert!(!fixture.page(1, "").contains("class=\"warning\""), "all is well");
    fixture.poll(Provider::Gcp, 60, Err(failure()));
    let page = fixture.page(90, "");
    let warning = page.find("Do not trust this page alone").unwrap();
    assert!(warning < page.find("Peerings").unwrap(), "{page}");
    assert!(page.contains("Of 1 of them older peerings are shown") && page.contains("as of <time"), "{page}");
    assert!(page.contains("<b>server</b>: Atlas returned status 503; Atlas itself fails"), "{page}");
    fixture.poll(Provider::Azure, 60, Err(failure()));
    fixture.poll(Provider::Azure, 90, Ok(vec![peering(0, "AVAILABLE")]));
    let over = "<p class=\"stale\"><b>server</b>, <time datetime=\"2024-03-24T10:28:12Z\" title=\"2024-03-24T10:28:12Z\">60 s ago</time>";
    assert!(fixture.page(120, "").contains(over), "a failure that is over is told too: {}", fixture.page(120, ""));
    let page = fixture.page(1000, "");
    assert!(page.contains("Of 0 of them older peerings are shown") && page.contains("not known"), "{page}");
}

#[test]
fn an_account_that_cannot_discover_is_told() {
    let mut fixture = Fixture::new();
    let account = fixture.state.accounts.get_mut("main").unwrap();
    account.discovery = Some(DiscoveryState::new(MINUTE));
    account.refused = true;
    fixture.state.record_discovery("main", Err(failure()), &Provider::ALL, wall(0));
    fixture.state.last_reload_ok = false;
    let page = fixture.page(0, "");
    for said in ["Atlas refuses the credential", "may be others by now", "never succeeded", "The config has faults"] {
        assert!(page.contains(said), "{said}: {page}");
    }
}

#[test]
fn a_request_that_nobody_accepted_tells_when_aws_ended_it() {
    let mut fixture = Fixture::new();
    let day = 24 * 60 * 60;
    fixture.poll(Provider::Aws, 8 * day, Ok(vec![peering(0, "PENDING_ACCEPTANCE")]));
    assert!(fixture.page(8 * day, "").contains("not accepted: AWS ended it <time"));
}

#[test]
fn a_page_that_is_frozen_says_so_before_all() {
    let fixture = Fixture::new();
    let view = View::of(&fixture.state, Some("3 targets are due".to_owned()), fixture.start, wall(0));
    let page = html::page(&view, &Search::parse(""), "/metrics");
    assert!(page.contains("<b>This page is frozen: </b>3 targets are due. Start the exporter again."), "{page}");
}

#[test]
fn one_of_several_exporters_says_that_it_is_and_may_have_nothing_to_do() {
    let mut fixture = Fixture::new();
    fixture.state.groups.clear();
    fixture.state.listings.clear();
    assert!(fixture.page(0, "").contains("No group of the account <b>main</b> is watched."));
    (fixture.state.shard_index, fixture.state.shard_count) = (1, 3);
    let page = fixture.page(0, "");
    assert!(page.contains("shard 1 of 3, counted from 0") && !page.contains("class=\"warning\""), "{page}");
}

#[tokio::test]
async fn who_hangs_up_does_not_make_room_for_more_work_than_is_allowed() {
    let sender = watch::Sender::new(Fixture::new().state);
    let status = Status::new(sender.subscribe(), Box::new(|| None), "/metrics");
    let (locked, is_locked) = std::sync::mpsc::channel();
    let (end, is_over) = std::sync::mpsc::channel::<()>();
    // No page is made while the state is written.
    let writer = std::thread::spawn(move || {
        sender.send_modify(|_| {
            locked.send(()).unwrap();
            is_over.recv().unwrap();
        });
    });
    is_locked.recv().unwrap();
    let asked = ["/", "/api/v1/peerings", "/api/v1/targets"].into_iter().cycle().take(30);
    for path in asked {
        let request = tokio::spawn(status.clone().page(path, ""));
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        request.abort();
    }
    assert_eq!(status.making.available_permits(), 0, "what began goes on");
    assert!(
        status.pages.available_permits() >= PAGES - 2 * PAGES_OF_JSON as usize - AT_ONCE,
        "and nothing else holds room"
    );
    end.send(()).unwrap();
    writer.join().unwrap();
    let page = status.clone().page("/api/v1/peerings", "").await.unwrap().unwrap();
    assert!(page.body().starts_with(b"{\"made\":"), "{page:?}");
}

#[tokio::test]
async fn pages_that_slow_clients_hold_are_bounded_and_others_are_told_to_come_again() {
    let status = Status::new(watch::Sender::new(Fixture::new().state).subscribe(), Box::new(|| None), "/metrics");
    let mut held = Vec::new();
    for _ in 0..PAGES {
        held.push(status.clone().page("/", "").await.unwrap().unwrap());
    }
    tokio::time::pause();
    let refused = status.clone().page("/", "").await.unwrap().unwrap();
    assert!(refused.body().starts_with(b"too many clients are slow"), "{refused:?}");
    held.clear();
    assert!(status.page("/", "").await.unwrap().unwrap().body().starts_with(b"<!DOCTYPE html>"));
}

#[test]
fn a_group_links_to_its_page_in_atlas() {
    let mut fixture = Fixture::new();
    fixture.poll(Provider::Aws, 0, Ok(vec![peering(0, "AVAILABLE")]));
    let link =
        "<a href=\"https://cloud.mongodb.com/v2/5e57d85c854180642f784401#/security/network/peering\">payments</a>";
    assert!(fixture.page(0, "").contains(link));
}

#[test]
fn long_tables_come_in_parts_and_every_row_is_in_one() {
    let mut fixture = Fixture::new();
    let all = 2 * tables::PART + 1;
    fixture.poll(Provider::Aws, 0, Ok((0..all).map(|number| peering(number, "FAILED")).collect()));
    let rows = |query: &str| fixture.page(0, query).matches("✕</span> FAILED</span></td>").count();
    assert_eq!([1, 2, 3, 4].map(|part| rows(&format!("part={part}"))), [tables::PART, tables::PART, 1, 1]);
    assert!(fixture.page(0, "q=failed").contains("href=\"?q=failed&amp;part=2\""), "the search goes on");
    assert!(fixture.page(0, "part=4").contains(" part 3 of 3, "), "there is no fourth");
    assert_eq!(rows(&format!("q={:016x}", all - 1)), 1);
}
