//! Digest authentication, counted by the server.

use std::{collections::HashMap, time::Duration};

use atlas::{Provider, Reason};
use atlas_simulator::{Fault, LoggedRequest};
use futures_util::future::join_all;

use crate::rig::{Asker, Atlas, GROUP, OTHER, key};

/// 20 peerings and the given settings.
async fn atlas(settings: &str) -> Atlas {
    let peerings = "{provider: AWS, status: AVAILABLE, vpcId: 'vpc-{n}', repeat: 20}";
    Atlas::start(&format!("{settings}\ngroups: [{{id: {GROUP}, name: g, peerings: [{peerings}]}}]")).await
}

fn paged(atlas: &Atlas, items_per_page: u16) -> Asker {
    let mut settings = atlas.settings();
    settings.items_per_page = items_per_page;
    Asker::new(settings)
}

#[tokio::test]
async fn four_pages_cost_five_requests_and_the_next_poll_costs_four() {
    let atlas = atlas("").await;
    let asker = paged(&atlas, 5);
    assert_eq!(asker.list(Provider::Aws).await.unwrap().peerings.len(), 20);
    let first = atlas.asked();
    assert_eq!(first.iter().map(|request| request.outcome).collect::<Vec<_>>(), ["challenge", "ok", "ok", "ok", "ok"]);
    assert_eq!(first.iter().map(|request| request.nc).collect::<Vec<_>>(), [None, Some(1), Some(2), Some(3), Some(4)]);
    assert_eq!(asker.codes(), ["401", "200", "200", "200", "200"]);

    asker.list(Provider::Aws).await.unwrap();
    let second = atlas.asked();
    assert_eq!(second.iter().map(|request| request.nc).collect::<Vec<_>>(), [Some(5), Some(6), Some(7), Some(8)]);
    assert_eq!(asker.codes(), ["200", "200", "200", "200"]);
}

#[tokio::test]
async fn sha_256_reuses_its_nonce_too() {
    let atlas = atlas("digest: {algorithm: SHA-256}").await;
    let asker = paged(&atlas, 5);
    asker.list(Provider::Aws).await.unwrap();
    assert_eq!(atlas.outcomes(), ["challenge", "ok", "ok", "ok", "ok"]);
}

#[tokio::test]
async fn a_challenge_without_qop_is_answered() {
    let atlas = atlas("digest: {qop: false}").await;
    let asker = paged(&atlas, 10);
    asker.list(Provider::Aws).await.unwrap();
    assert_eq!(atlas.outcomes(), ["challenge", "ok", "ok"]);
}

#[tokio::test]
async fn a_nonce_that_ended_is_replaced_and_the_poll_succeeds() {
    let atlas = atlas("digest: {nonce_uses: 2}").await;
    let asker = paged(&atlas, 5);
    asker.list(Provider::Aws).await.unwrap();
    assert_eq!(atlas.outcomes(), ["challenge", "ok", "ok", "stale", "challenge", "ok", "ok"]);
    assert_eq!(asker.codes(), ["401", "200", "200", "401", "401", "200", "200"]);
}

#[tokio::test]
async fn requests_at_the_same_time_never_share_a_counter() {
    let atlas = atlas("latency: 5ms\njitter: 10ms").await;
    let asker = paged(&atlas, 1);
    let polls = (0..8).map(|_| asker.list(Provider::Aws));
    for listing in join_all(polls).await {
        assert_eq!(listing.unwrap().peerings.len(), 20);
    }
    let asked = atlas.asked();
    let challenges = asked.iter().filter(|request| request.outcome == "challenge").count();
    assert!((1..=8).contains(&challenges), "{challenges} challenges");
    assert_eq!(asked.len(), challenges + 8 * 20, "nothing was refused: {:?}", refused(&asked));
    let mut highest: HashMap<&str, u32> = HashMap::new();
    for request in asked.iter().filter(|request| request.outcome == "ok") {
        let before = highest.insert(request.nonce.as_deref().unwrap(), request.nc.unwrap());
        assert_eq!(request.nc.unwrap(), before.unwrap_or(0) + 1);
    }
}

fn refused(asked: &[LoggedRequest]) -> Vec<&str> {
    asked.iter().map(|request| request.outcome).filter(|outcome| !["ok", "challenge"].contains(outcome)).collect()
}

#[tokio::test]
async fn a_wrong_key_costs_two_requests_and_is_not_tried_again_at_once() {
    let atlas = atlas("").await;
    let mut settings = atlas.settings();
    settings.credential = key("demo", "wrong");
    let asker = Asker::new(settings);
    for outcomes in [["challenge", "bad_credentials"].as_slice(), &[]] {
        let error = asker.list(Provider::Aws).await.unwrap_err();
        assert_eq!(error.kind.reason(), Reason::Unauthorized);
        assert_eq!(atlas.outcomes(), outcomes);
    }
}

#[tokio::test]
async fn a_poll_cut_off_in_the_middle_leaves_the_counter_right() {
    let atlas = atlas("").await;
    let asker = paged(&atlas, 5);
    asker.list(Provider::Aws).await.unwrap();
    atlas.simulator.fail(Fault {
        page: Some(2),
        times: Some(1),
        delay: Some(Duration::from_secs(5)),
        ..Fault::default()
    });
    asker.list_within(Provider::Aws, Duration::from_millis(300)).await.unwrap_err();
    atlas.asked();
    asker.list(Provider::Aws).await.unwrap();
    assert!(refused(&atlas.asked()).is_empty());
}

#[tokio::test]
async fn a_request_that_the_deadline_cuts_off_is_counted() {
    let atlas = atlas("").await;
    let asker = paged(&atlas, 10);
    atlas.simulator.fail(Fault { page: Some(2), delay: Some(Duration::from_secs(5)), ..Fault::default() });
    asker.list_within(Provider::Aws, Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(asker.codes(), ["401", "200", "timeout"]);
    assert_eq!(atlas.asked().len(), 3, "as many as the server saw");
}

#[tokio::test]
async fn a_group_without_a_role_keeps_the_nonce_for_the_others() {
    let groups = format!("[{{id: {GROUP}, name: g}}, {{id: {OTHER}, name: closed, access: false}}]");
    let atlas = Atlas::start(&format!("groups: {groups}")).await;
    let asker = atlas.asker();
    asker.list(Provider::Aws).await.unwrap();
    for _ in 0..2 {
        let error = asker.list_group(OTHER, Provider::Aws, Duration::from_secs(5)).await.unwrap_err();
        assert_eq!(error.kind.reason(), Reason::Forbidden);
        asker.codes();
        asker.list(Provider::Aws).await.unwrap();
        assert_eq!(asker.codes(), ["200"], "no challenge in between");
    }
}
