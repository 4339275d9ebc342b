use std::{collections::BTreeMap, sync::mpsc, thread};

use atlas::{Listing, Peering, Provider, Reason};

use super::*;
use crate::{
    shard::Shard,
    state::{AccountState, DiscoveryState, Failure, GroupState, ListingKey, PollResult},
};

const MINUTE: Duration = Duration::from_secs(60);

pub(in crate::http) struct Fixture {
    pub(in crate::http) state: State,
    pub(in crate::http) start: Instant,
}

impl Fixture {
    /// One group with three listings, not polled yet.
    pub(in crate::http) fn new() -> Self {
        let console = Some("https://cloud.mongodb.com".to_owned());
        let account = AccountState { console, ..AccountState::default() };
        let groups = BTreeMap::from([(key(Provider::Aws).group, GroupState::configured("main", "payments"))]);
        let accounts = BTreeMap::from([("main".to_owned(), account)]);
        let keys = Provider::ALL.map(key);
        Self { state: State::new(MINUTE, MINUTE * 15, wall(0), accounts, groups, keys), start: Instant::now() }
    }

    pub(in crate::http) fn poll(&mut self, provider: Provider, seconds: u64, outcome: Result<Vec<Peering>, Failure>) {
        let ended = self.start + Duration::from_secs(seconds);
        let outcome = outcome.map(|peerings| Listing { peerings, duplicates: 0 });
        let poll = PollResult { ended, ended_at: wall(seconds), run: None, due: ended + MINUTE, outcome };
        self.state.record_poll(&key(provider), poll);
    }

    fn view(&self, seconds: u64) -> View<'_> {
        View::new(&self.state, None, self.start + Duration::from_secs(seconds), wall(seconds))
    }

    /// The status page `seconds` after the start.
    fn html(&self, seconds: u64, query: &str) -> String {
        html::render(&self.view(seconds), &Search::parse(query), "/metrics")
    }
}

pub(in crate::http) fn key(provider: Provider) -> ListingKey {
    ListingKey { group: "5e57d85c854180642f784401".parse().unwrap(), provider }
}

fn wall(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(0x6600_0000 + seconds)
}

/// A peering that was created at the start.
fn peering(number: usize, status: &str) -> Peering {
    Peering { id: format!("66000000{number:016x}"), status: status.to_owned(), ..Peering::default() }
}

fn status(state: &watch::Sender<State>) -> Arc<Status> {
    let exposition = watch::Sender::new(Exposition::render(&state.subscribe()).unwrap());
    Status::new(state.subscribe(), exposition.subscribe(), "/metrics").unwrap()
}

fn failure() -> Failure {
    let message = "Atlas returned status 503".to_owned();
    Failure::without_request(Reason::Server, message)
}

#[test]
fn the_page_before_the_first_poll_has_a_warning_and_links_to_atlas() {
    let html = Fixture::new().html(0, "");
    for text in [
        "Data is incomplete: 3 of 3 listings have not been polled yet.",
        "There are no peerings.",
        "<title>(0, 3 not current) Atlas peerings</title>",
        "<a href=\"https://cloud.mongodb.com/v2/5e57d85c854180642f784401#/security/network/peering\">payments</a>",
    ] {
        assert!(html.contains(text), "{text}: {html}");
    }
}

#[test]
fn peerings_are_sorted_by_severity() {
    let mut fixture = Fixture::new();
    let order = ["DELETION_FAILED", "NOVEL", "PENDING_ACCEPTANCE", "TERMINATING", "AVAILABLE"];
    let peerings = order.iter().rev().enumerate().map(|(number, status)| peering(number, status));
    fixture.poll(Provider::Aws, 0, Ok(peerings.collect()));
    assert_eq!(fixture.view(0).peerings.iter().map(|row| row.status).collect::<Vec<_>>(), order);
}

#[test]
fn a_pending_aws_request_shows_its_expiry() {
    let mut fixture = Fixture::new();
    fixture.poll(Provider::Aws, 0, Ok(vec![peering(0, "PENDING_ACCEPTANCE")]));
    fixture.poll(Provider::Azure, 0, Ok(vec![peering(1, "PENDING_ACCEPTANCE")]));
    let html = fixture.html(600, "");
    let text = "accept in AWS: the request expires <time datetime=\"2024-03-31T10:27:12Z\" title=\"2024-03-31T10:27:12Z\">in 6 days</time>";
    assert_eq!((html.matches(text).count(), html.matches("the request expires").count()), (1, 1), "{html}");
    let days = 8 * 24 * 60 * 60;
    fixture.poll(Provider::Aws, days, Ok(vec![peering(0, "PENDING_ACCEPTANCE")]));
    assert!(fixture.html(days, "").contains("not accepted: the request expired <time"));
}

#[test]
fn failed_polls_are_a_warning_above_the_tables() {
    let mut fixture = Fixture::new();
    for provider in Provider::ALL {
        fixture.poll(provider, 0, Ok(vec![peering(0, "AVAILABLE")]));
    }
    assert!(!fixture.html(1, "").contains("class=\"warning\""), "no poll failed");
    fixture.poll(Provider::Gcp, 60, Err(failure()));
    let html = fixture.html(90, "");
    let warning = html.find("Data is stale or missing").unwrap();
    assert!(warning < html.find("Peerings").unwrap(), "{html}");
    assert!(html.contains("peerings of an earlier poll for 1 of them") && html.contains("as of <time"), "{html}");
    assert!(html.contains(&format!("<b>server</b>: Atlas returned status 503; {}", Reason::Server.advice())), "{html}");
    fixture.poll(Provider::Azure, 60, Err(failure()));
    fixture.poll(Provider::Azure, 90, Ok(vec![peering(0, "AVAILABLE")]));
    let resolved = "<p class=\"stale\"><b>server</b>, <time datetime=\"2024-03-24T10:28:12Z\" title=\"2024-03-24T10:28:12Z\">60 s ago</time>";
    assert!(fixture.html(120, "").contains(resolved), "a resolved failure is missing: {}", fixture.html(120, ""));
    let html = fixture.html(1000, "");
    assert!(html.contains("peerings of an earlier poll for 0 of them") && html.contains("unknown</td>"), "{html}");
}

#[test]
fn problems_of_the_exporter_an_account_and_the_config_are_warnings() {
    let mut fixture = Fixture::new();
    let account = fixture.state.accounts.get_mut("main").unwrap();
    account.discovery = Some(DiscoveryState::new(MINUTE));
    account.refused = true;
    fixture.state.record_discovery("main", Err(failure()), &Provider::ALL, fixture.start, wall(0));
    fixture.state.last_reload_ok = false;
    let view = View { stall_reason: Some("3 listings are due".to_owned()), ..fixture.view(0) };
    let html = html::render(&view, &Search::parse(""), "/metrics");
    for text in [
        "<b>This page is out of date: </b>3 listings are due. Restart the exporter.",
        "Atlas rejects the credential",
        "may be out of date",
        "never succeeded",
        "The last reload of the config failed",
    ] {
        assert!(html.contains(text), "{text}: {html}");
    }
}

#[test]
fn a_shard_is_named_and_may_have_no_projects() {
    let mut fixture = Fixture::new();
    fixture.state.groups.clear();
    fixture.state.listings.clear();
    assert!(fixture.html(0, "").contains("Account <b>main</b> has no projects to poll."));
    fixture.state.shard = Shard { index: 1, count: 3 };
    assert!(fixture.html(0, "").contains("Account <b>main</b> has no projects to poll."), "nor has another shard");
    fixture.state.accounts.get_mut("main").unwrap().lists_elsewhere = true;
    let html = fixture.html(0, "");
    assert!(html.contains("shard 1 of 3, numbered from 0") && !html.contains("class=\"warning\""), "{html}");
}

/// Locks the state until it is dropped, so that nothing is rendered.
struct HeldState {
    release: Option<mpsc::Sender<()>>,
    writer: Option<thread::JoinHandle<()>>,
}

impl HeldState {
    fn new(state: &watch::Sender<State>) -> Self {
        let (state, (held, is_held), (release, is_released)) = (state.clone(), mpsc::channel(), mpsc::channel::<()>());
        let writer = thread::spawn(move || {
            state.send_modify(|_| {
                held.send(()).unwrap();
                let _ = is_released.recv();
            });
        });
        is_held.recv().unwrap();
        Self { release: Some(release), writer: Some(writer) }
    }
}

impl Drop for HeldState {
    fn drop(&mut self) {
        drop(self.release.take());
        self.writer.take().unwrap().join().unwrap();
    }
}

async fn text(status: &Arc<Status>, path: &str) -> Result<String, StatusError> {
    let mut data = status.get(path, "").await?.unwrap().body.data;
    Ok(String::from_utf8(data.copy_to_bytes(data.remaining()).into()).unwrap())
}

#[tokio::test]
async fn a_request_that_is_given_up_leaves_nothing() {
    let state = watch::Sender::new(Fixture::new().state);
    let status = status(&state);
    let held = HeldState::new(&state);
    let metrics = tokio::runtime::Handle::current().metrics();
    for path in ["/", "/api/v1/peerings", "/api/v1/targets"].into_iter().cycle().take(100) {
        assert!(timeout(Duration::from_millis(1), text(&status, path)).await.is_err());
    }
    assert_eq!(metrics.num_alive_tasks(), 0);
    drop(held);
    assert!(text(&status, "/api/v1/peerings").await.unwrap().starts_with("{\"made\":"));
}

#[tokio::test]
async fn a_request_that_waits_gets_what_is_in_memory() {
    let state = watch::Sender::new(Fixture::new().state);
    let status = status(&state);
    let before = text(&status, "/api/v1/targets").await.unwrap();
    tokio::time::sleep(SHARED_FOR).await;
    let held = HeldState::new(&state);
    assert_eq!(text(&status, "/api/v1/targets").await.unwrap(), before);
    tokio::time::pause();
    assert!(matches!(text(&status, "/api/v1/peerings").await, Err(StatusError::Busy)), "there is none");
    let long_ago = Instant::now().checked_sub(MAX_AGE).unwrap();
    *status.last[Shared::Peerings as usize].lock() = Some((long_ago, Bytes::from_static(b"old")));
    assert!(matches!(text(&status, "/api/v1/peerings").await, Err(StatusError::Busy)), "it is too old");
    tokio::time::resume();
    drop(held);
    assert_ne!(text(&status, "/api/v1/targets").await.unwrap(), before);
}

#[tokio::test]
async fn searches_and_readers_of_the_json_do_not_delay_the_page() {
    /// Keeps a renderer busy until this is dropped.
    async fn occupy(renderer: &Renderer) -> mpsc::Sender<()> {
        let (release, is_released) = mpsc::channel::<()>();
        // The job runs although nobody waits for its end.
        assert!(timeout(Duration::from_millis(50), renderer.run(move || is_released.recv())).await.is_err());
        release
    }
    let status = status(&watch::Sender::new(Fixture::new().state));
    let releases = [occupy(&status.searches).await, occupy(&status.jsons).await];
    assert!(text(&status, "/").await.unwrap().starts_with("<!DOCTYPE html>"));
    drop(releases);
    assert!(status.get("/", "q=vpc").await.is_ok());
}

#[tokio::test]
async fn requests_within_a_second_share_the_page_and_the_json() {
    let status = status(&watch::Sender::new(Fixture::new().state));
    for path in ["/", "/api/v1/peerings", "/api/v1/targets"] {
        let first = status.get(path, "").await.unwrap().unwrap().body;
        let second = status.get(path, "").await.unwrap().unwrap().body;
        assert_eq!((first.version, first.data.chunk().as_ptr()), (second.version, second.data.chunk().as_ptr()));
    }
}

#[test]
fn a_long_table_has_parts_that_contain_every_row() {
    let mut fixture = Fixture::new();
    let all = 2 * tables::MAX_ROWS + 1;
    fixture.poll(Provider::Aws, 0, Ok((0..all).map(|number| peering(number, "FAILED")).collect()));
    let rows = |query: &str| fixture.html(0, query).matches("✕</span> FAILED</span></td>").count();
    assert_eq!([1, 2, 3, 4].map(|part| rows(&format!("part={part}"))), [tables::MAX_ROWS, tables::MAX_ROWS, 1, 1]);
    assert!(fixture.html(0, "q=failed").contains("href=\"?q=failed&amp;part=2\""), "the link keeps the search");
    assert!(fixture.html(0, "part=4").contains(" part 3 of 3, "), "a part beyond the last shows the last");
    assert_eq!(rows(&format!("q={:016x}", all - 1)), 1);
}
