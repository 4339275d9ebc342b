//! Digest authentication, as counted by the simulator.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use atlas::{ClientSettings, Provider, Reason};
use atlas_simulator::{Effect, Fault, LoggedRequest, SimulatedEndpoint, StatusFault};
use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::setup::{Atlas, GROUP, OTHER, RecordingClient, key};

/// A simulator with these settings and 20 peerings.
async fn atlas(settings: &str) -> Atlas {
    let peerings = "{provider: AWS, status: AVAILABLE, vpcId: 'vpc-{n}', repeat: 20}";
    Atlas::start(&format!("{settings}\ngroups: [{{id: {GROUP}, name: g, peerings: [{peerings}]}}]")).await
}

fn paged(atlas: &Atlas, items_per_page: u16) -> RecordingClient {
    let mut settings = atlas.settings();
    settings.items_per_page = items_per_page;
    RecordingClient::new(settings)
}

#[tokio::test]
async fn four_pages_cost_five_requests_and_the_next_poll_costs_four() {
    let atlas = atlas("").await;
    let client = paged(&atlas, 5);
    assert_eq!(client.list(Provider::Aws).await.unwrap().peerings.len(), 20);
    let first = atlas.take_requests();
    assert_eq!(first.iter().map(|request| request.outcome).collect::<Vec<_>>(), ["challenge", "ok", "ok", "ok", "ok"]);
    assert_eq!(first.iter().map(|request| request.nc).collect::<Vec<_>>(), [None, Some(1), Some(2), Some(3), Some(4)]);
    assert_eq!(client.take_codes(), ["401", "200", "200", "200", "200"]);

    client.list(Provider::Aws).await.unwrap();
    let second = atlas.take_requests();
    assert_eq!(second.iter().map(|request| request.nc).collect::<Vec<_>>(), [Some(5), Some(6), Some(7), Some(8)]);
    assert_eq!(client.take_codes(), ["200", "200", "200", "200"]);
}

#[tokio::test]
async fn sha_256_reuses_its_nonce_too() {
    let atlas = atlas("digest: {algorithm: SHA-256}").await;
    let client = paged(&atlas, 5);
    client.list(Provider::Aws).await.unwrap();
    assert_eq!(atlas.take_outcomes(), ["challenge", "ok", "ok", "ok", "ok"]);
}

#[tokio::test]
async fn a_challenge_without_qop_is_answered() {
    let atlas = atlas("digest: {qop: false}").await;
    let client = paged(&atlas, 10);
    client.list(Provider::Aws).await.unwrap();
    assert_eq!(atlas.take_outcomes(), ["challenge", "ok", "ok"]);
}

#[tokio::test]
async fn an_expired_nonce_costs_two_requests() {
    let atlas = atlas("digest: {nonce_uses: 2}").await;
    let client = paged(&atlas, 5);
    client.list(Provider::Aws).await.unwrap();
    let requests = atlas.take_requests();
    let outcomes: Vec<_> = requests.iter().map(|request| request.outcome).collect();
    assert_eq!(outcomes, ["challenge", "ok", "ok", "stale", "ok", "ok"]);
    let counts: Vec<_> = requests.iter().map(|request| request.nc).collect();
    assert_eq!(counts, [None, Some(1), Some(2), Some(3), Some(1), Some(2)]);
    assert_eq!(client.take_codes(), ["401", "200", "200", "401", "200", "200"]);
}

#[tokio::test]
async fn an_expired_nonce_without_qop_costs_two_requests() {
    let atlas = atlas("digest: {nonce_uses: 2, qop: false}").await;
    let client = paged(&atlas, 5);
    client.list(Provider::Aws).await.unwrap();
    assert_eq!(atlas.take_outcomes(), ["challenge", "ok", "ok", "stale", "ok", "ok"]);
}

/// Nothing in the challenge says that the nonce has expired.
#[tokio::test]
async fn an_unknown_nonce_costs_two_requests() {
    let atlas = atlas("").await;
    let client = paged(&atlas, 20);
    client.list(Provider::Aws).await.unwrap();
    atlas.take_requests();
    atlas.simulator.fail(Fault { times: Some(1), ..Fault::status(401) });
    client.list(Provider::Aws).await.unwrap();
    assert_eq!(atlas.take_outcomes(), ["fault", "ok"]);
}

#[tokio::test]
async fn a_nonce_that_expires_before_its_first_use_is_replaced_once() {
    let atlas = atlas("digest: {nonce_uses: 0}").await;
    let client = paged(&atlas, 20);
    let error = client.list(Provider::Aws).await.unwrap_err();
    assert_eq!(error.kind.reason(), Reason::Unauthorized);
    let request = ["challenge", "stale", "stale"];
    assert_eq!(atlas.take_outcomes(), [request, request].concat(), "the second is the check");
}

/// A key that was revoked after its nonce was used.
#[tokio::test]
async fn a_rejected_key_with_a_known_nonce_costs_two_requests_and_the_check() {
    let atlas = atlas("").await;
    let client = paged(&atlas, 20);
    client.list(Provider::Aws).await.unwrap();
    atlas.take_requests();
    atlas.simulator.fail(Fault::status(401));
    client.list(Provider::Aws).await.unwrap_err();
    assert_eq!(atlas.take_outcomes(), ["fault", "fault", "challenge", "fault"], "with the check");
}

/// Such a 401 costs one request. The nonce stays in use only if Atlas says that the key has no role; otherwise a check
/// follows, with a nonce of its own.
#[tokio::test]
async fn a_401_without_a_challenge_is_final() {
    let atlas = atlas("").await;
    let client = paged(&atlas, 20);
    client.list(Provider::Aws).await.unwrap();
    let costs = [("NOT_IN_GROUP", ["fault"].as_slice()), ("SOMETHING_NEW", &["fault", "challenge", "ok"])];
    for (code, outcomes) in costs {
        atlas.take_requests();
        let status = StatusFault { code: 401, error_code: Some(code.to_owned()), ..StatusFault::default() };
        atlas.simulator.fail(Fault { times: Some(1), ..Fault::new(Effect::Status(status)) });
        let error = client.list(Provider::Aws).await.unwrap_err();
        assert_eq!(error.kind.code(), Some(code));
        assert_eq!(atlas.take_outcomes(), outcomes, "{code}");
        client.list(Provider::Aws).await.unwrap();
        assert_eq!(atlas.take_outcomes(), ["ok"], "{code}");
    }
}

/// A gateway that replaces the first text by the second in the headers of the responses of a server.
async fn gateway(server: SocketAddr, old: &'static str, new: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            tokio::spawn(forward(client, TcpStream::connect(server).await.unwrap(), old, new.clone()));
        }
    });
    address
}

async fn forward(client: TcpStream, server: TcpStream, old: &str, new: String) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let requests = tokio::io::copy(&mut from_client, &mut to_server);
    let responses = async {
        // Enough for a whole response.
        let mut buffer = vec![0; 1 << 16];
        while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
            let mut response = buffer[..read].to_vec();
            if let Some(start) = response.windows(old.len()).position(|text| text == old.as_bytes()) {
                response.splice(start..start + old.len(), new.bytes());
            }
            to_client.write_all(&response).await.unwrap();
        }
    };
    tokio::select! { _ = requests => {}, () = responses => {} }
}

/// The outcomes of a poll, if the server's challenge starts differently.
async fn outcomes_with(settings: &str, challenge: &str) -> Vec<&'static str> {
    let atlas = atlas(settings).await;
    let address = gateway(atlas.address, "www-authenticate: Digest ", format!("www-authenticate: {challenge}")).await;
    let settings = ClientSettings { base_url: format!("http://{address}").parse().unwrap(), ..atlas.settings() };
    RecordingClient::new(settings).list(Provider::Aws).await.unwrap();
    atlas.take_outcomes()
}

#[tokio::test]
async fn the_challenge_of_atlas_is_found_among_others() {
    let other_md5 = r#"Digest realm="gateway", nonce="n", algorithm=MD5, qop="auth""#;
    let unsupported = r#"Digest realm="gateway", nonce="n", algorithm=SHA3-512, qop="auth""#;
    for (settings, challenge) in [
        ("", "Digest ".to_owned()),
        ("", "dIGEST  ".to_owned()),
        ("", r#"Basic realm="a, Digest \"b\"", digest "#.to_owned()),
        ("", "Negotiate oYG2MIGzoAMKAQE=, Digest ".to_owned()),
        ("", "Negotiate\r\nwww-authenticate: Bearer realm=\"api\"\r\nWWW-Authenticate: Digest ".to_owned()),
        ("", format!("{unsupported}, Digest ")),
        ("", format!("{unsupported}\r\nwww-authenticate: DIGEST ")),
        ("digest: {algorithm: SHA-256}", format!("{other_md5}, Digest ")),
        ("digest: {algorithm: SHA-256}", format!("{other_md5}\r\nwww-authenticate: Digest ")),
    ] {
        assert_eq!(outcomes_with(settings, &challenge).await, ["challenge", "ok"], "{challenge}");
    }
}

#[tokio::test]
async fn concurrent_requests_never_share_a_nonce_count() {
    let atlas = atlas("latency: 5ms\njitter: 10ms").await;
    let client = paged(&atlas, 1);
    let polls = (0..8).map(|_| client.list(Provider::Aws));
    for listing in join_all(polls).await {
        assert_eq!(listing.unwrap().peerings.len(), 20);
    }
    let requests = atlas.take_requests();
    let challenges = requests.iter().filter(|request| request.outcome == "challenge").count();
    assert!((1..=8).contains(&challenges), "{challenges} challenges");
    assert_eq!(requests.len(), challenges + 8 * 20, "no request was rejected: {:?}", refused(&requests));
    let mut highest: HashMap<&str, u32> = HashMap::new();
    for request in requests.iter().filter(|request| request.outcome == "ok") {
        let before = highest.insert(request.nonce.as_deref().unwrap(), request.nc.unwrap());
        assert_eq!(request.nc.unwrap(), before.unwrap_or(0) + 1);
    }
}

fn refused(requests: &[LoggedRequest]) -> Vec<&str> {
    requests.iter().map(|request| request.outcome).filter(|outcome| !["ok", "challenge"].contains(outcome)).collect()
}

#[tokio::test]
async fn a_wrong_key_is_sent_twice_and_not_again_at_once() {
    let atlas = atlas("").await;
    let mut settings = atlas.settings();
    settings.credential = key("demo", "wrong");
    let client = RecordingClient::new(settings);
    for outcomes in [["challenge", "bad_credentials", "challenge", "bad_credentials"].as_slice(), &[]] {
        let error = client.list(Provider::Aws).await.unwrap_err();
        assert_eq!(error.kind.reason(), Reason::Unauthorized);
        assert_eq!(atlas.take_outcomes(), outcomes);
    }
}

#[tokio::test]
async fn a_cancelled_poll_leaves_the_nonce_count_correct() {
    let atlas = atlas("").await;
    let client = paged(&atlas, 5);
    client.list(Provider::Aws).await.unwrap();
    atlas.simulator.fail(Fault {
        page: Some(2),
        times: Some(1),
        delay: Some(Duration::from_secs(5)),
        ..Fault::default()
    });
    client.list_within(Provider::Aws, Duration::from_millis(300)).await.unwrap_err();
    atlas.take_requests();
    client.list(Provider::Aws).await.unwrap();
    assert!(refused(&atlas.take_requests()).is_empty());
}

#[tokio::test]
async fn a_request_cancelled_by_the_deadline_is_counted() {
    let atlas = atlas("").await;
    let client = paged(&atlas, 10);
    atlas.simulator.fail(Fault { page: Some(2), delay: Some(Duration::from_secs(5)), ..Fault::default() });
    client.list_within(Provider::Aws, Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(client.take_codes(), ["401", "200", "timeout"]);
    assert_eq!(atlas.take_requests().len(), 3, "as many as the simulator received");
}

#[tokio::test]
async fn a_forbidden_group_does_not_invalidate_the_nonce() {
    let groups = format!("[{{id: {GROUP}, name: g}}, {{id: {OTHER}, name: closed, access: false}}]");
    let atlas = Atlas::start(&format!("groups: {groups}")).await;
    let client = atlas.client();
    client.list(Provider::Aws).await.unwrap();
    for _ in 0..2 {
        let error = client.list_group(OTHER, Provider::Aws, Duration::from_secs(5)).await.unwrap_err();
        assert_eq!(error.kind.reason(), Reason::Forbidden);
        client.take_codes();
        client.list(Provider::Aws).await.unwrap();
        assert_eq!(client.take_codes(), ["200"], "no challenge between polls");
    }
}

#[tokio::test]
async fn a_request_that_concerns_no_group_decides_whether_the_key_is_rejected() {
    let status = |code| Some(Effect::Status(StatusFault { code, ..StatusFault::default() }));
    let login_page = Some(Effect::Body("<html>log in</html>".to_owned()));
    for (check, is_account_wide) in [(None, false), (status(401), true), (status(503), true), (login_page, true)] {
        let atlas = atlas("").await;
        atlas.simulator.fail(Fault { endpoint: Some(SimulatedEndpoint::Peers), ..Fault::status(401) });
        if let Some(effect) = check.clone() {
            atlas.simulator.fail(Fault { endpoint: Some(SimulatedEndpoint::Groups), ..Fault::new(effect) });
        }
        let client = atlas.client();
        let error = client.list(Provider::Aws).await.unwrap_err();
        assert_eq!(error.kind.is_account_wide(), is_account_wide, "{check:?}: {}", error.error_chain());
        assert_eq!(error.kind.reason(), Reason::Unauthorized);
        let error = client.list(Provider::Aws).await.unwrap_err();
        assert_eq!(error.kind.is_account_wide(), is_account_wide, "{check:?}: {}", error.error_chain());
        let checks = atlas.take_requests();
        let checks = checks.iter().filter(|check| check.endpoint == "groups" && check.outcome != "challenge").count();
        assert_eq!(checks, 1, "{check:?}: it was checked a moment ago");
    }
}

#[tokio::test]
async fn a_key_that_is_rejected_with_an_unknown_code_is_not_said_to_lack_a_role() {
    let atlas = atlas("").await;
    let unknown = StatusFault { code: 401, error_code: Some("SOMETHING_NEW".to_owned()), ..StatusFault::default() };
    atlas.simulator.fail(Fault::new(Effect::Status(unknown)));
    let error = atlas.client().list(Provider::Aws).await.unwrap_err().kind;
    assert_eq!((error.reason(), error.code()), (Reason::Unauthorized, Some("SOMETHING_NEW")));
    assert_eq!(error.advice(), Reason::Unauthorized.advice());
}
