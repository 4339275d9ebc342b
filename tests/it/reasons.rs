//! Every reason for which a poll can fail.

use std::{collections::BTreeSet, time::Duration};

use atlas::{ClientSettings, Provider, Reason};
use atlas_simulator::{Effect, Endless, Fault, SimulatedEndpoint, StatusFault};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::setup::{Atlas, GROUP, RecordingClient, service_account};

fn scenario() -> String {
    format!("groups: [{{id: {GROUP}, name: g, peerings: [{{provider: AWS, status: AVAILABLE, vpcId: v, repeat: 3}}]}}]")
}

/// The reason and the message of the failure that the fault causes.
async fn failure(fault: Fault) -> (Reason, String) {
    let atlas = Atlas::start(&scenario()).await;
    let mut settings = atlas.settings();
    settings.items_per_page = 2;
    atlas.simulator.fail(fault);
    failure_of(RecordingClient::new(settings)).await
}

async fn failure_of(client: RecordingClient) -> (Reason, String) {
    let error = client.list_within(Provider::Aws, Duration::from_millis(1200)).await.unwrap_err();
    (error.kind.reason(), error.error_chain())
}

async fn failure_at(base_url: &str) -> (Reason, String) {
    let atlas = Atlas::start(&scenario()).await;
    let mut settings = atlas.settings();
    settings.base_url = base_url.parse().unwrap();
    failure_of(RecordingClient::new(settings)).await
}

fn error_status(code: u16, error_code: &str) -> Fault {
    let error_code = Some(error_code.to_owned());
    Fault::new(Effect::Status(StatusFault { code, error_code, ..StatusFault::default() }))
}

/// Sends the text to every client and closes the connection.
async fn server(text: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // With unread bytes the system would reset the connection instead of closing it.
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(text).await;
        }
    });
    port
}

#[tokio::test]
async fn every_reason_has_its_cause() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let plain = server(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let html = StatusFault { code: 503, html: true, ..StatusFault::default() };
    let cases = [
        (Reason::Timeout, failure(Fault::new(Effect::Never)).await),
        (Reason::Timeout, failure(Fault::new(Effect::Drip(Duration::from_millis(100)))).await),
        (Reason::Dns, failure_at("http://no-such-host.invalid").await),
        (Reason::Connect, failure_at(&format!("http://127.0.0.1:{closed}")).await),
        (Reason::Connect, failure(Fault::new(Effect::Close)).await),
        (Reason::Connect, failure(Fault::new(Effect::Cut)).await),
        (Reason::Tls, failure_at(&format!("https://127.0.0.1:{plain}")).await),
        (Reason::Unauthorized, failure(Fault::status(401)).await),
        (Reason::Forbidden, failure(error_status(401, "NOT_IN_GROUP")).await),
        (Reason::Forbidden, failure(error_status(403, "USER_UNAUTHORIZED")).await),
        (Reason::Forbidden, failure(Fault::status(402)).await),
        (Reason::IpAccessList, failure(error_status(403, "IP_ADDRESS_NOT_ON_ACCESS_LIST")).await),
        (Reason::NotFound, failure(Fault::status(404)).await),
        (Reason::RateLimited, failure(Fault::status(429)).await),
        (Reason::Server, failure(Fault::status(500)).await),
        (Reason::Server, failure(Fault::new(Effect::Status(html))).await),
        (Reason::UnexpectedStatus, failure(Fault::status(400)).await),
        (Reason::UnexpectedStatus, failure(error_status(404, "RESOURCE_NOT_FOUND")).await),
        (Reason::UnexpectedStatus, failure(Fault::status(410)).await),
        (Reason::Decode, failure(Fault::new(Effect::Garbage)).await),
        (Reason::Decode, failure(Fault::new(Effect::Body("{\"error\":500}".to_owned()))).await),
        (Reason::Decode, failure(Fault::new(Effect::Body("{\"results\":[{\"id\":7}]}".to_owned()))).await),
        (Reason::TooLarge, failure(Fault::new(Effect::Oversize(9 << 20))).await),
        (Reason::Pagination, failure(Fault::new(Effect::Endless(Endless { fresh: false }))).await),
        (Reason::Pagination, failure(Fault::new(Effect::Endless(Endless { fresh: true }))).await),
    ];
    for (reason, (got, text)) in &cases {
        assert_eq!(got, reason, "{text}");
        assert!(text.starts_with(&format!("list AWS peerings of project {GROUP}, page ")), "{text}");
        assert!(!text.contains("itemsPerPage"), "no query in a message: {text}");
    }
    let covered: BTreeSet<Reason> = cases.iter().map(|(reason, _)| *reason).collect();
    assert_eq!(covered, Reason::ALL.iter().copied().collect());
}

/// A 404 with this body on the second page.
fn gateway_404(body: String) -> Fault {
    let status = StatusFault { code: 404, body: Some(body), ..StatusFault::default() };
    Fault { page: Some(2), ..Fault::new(Effect::Status(status)) }
}

#[tokio::test]
async fn a_404_that_is_not_atlas_s_own_does_not_say_that_the_group_is_gone() {
    let atlas_s_own = r#"{"error":404,"errorCode":"GROUP_NOT_FOUND"}"#;
    let (reason, text) = failure(gateway_404(atlas_s_own.to_owned())).await;
    assert_eq!(reason, Reason::NotFound, "{text}");
    let with_detail = |size| {
        format!(r#"{{"error":404,"errorCode":"GROUP_NOT_FOUND","detail":"{}","parameters":[]}}"#, "x".repeat(size))
    };
    let (reason, text) = failure(gateway_404(with_detail(60 << 10))).await;
    assert_eq!(reason, Reason::NotFound, "{text}");
    assert!(text.ends_with(&format!("`GROUP_NOT_FOUND`: {}", "x".repeat(300))), "{text}");
    for body in [
        String::new(),
        format!("<html>{atlas_s_own}</html>"),
        r#"{"message":"no Route matched with those values"}"#.to_owned(),
        atlas_s_own[..30].to_owned(),
        // Not read to the end.
        with_detail(64 << 10),
        with_detail(9 << 20),
    ] {
        let (reason, text) = failure(gateway_404(body)).await;
        assert_eq!(reason, Reason::UnexpectedStatus, "{text}");
        assert!(text.ends_with("page 2: Atlas returned status 404"), "{text}");
    }
    let cut = server(
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 99\r\n\r\n{\"error\":404,\"errorCode\":\"GROUP_NOT_FOUND\"}",
    )
    .await;
    let (reason, text) = failure_at(&format!("http://127.0.0.1:{cut}")).await;
    assert_eq!(reason, Reason::UnexpectedStatus, "{text}");
}

#[tokio::test]
async fn a_404_of_the_token_endpoint_does_not_say_that_the_group_is_gone() {
    let atlas = Atlas::start(&scenario()).await;
    let account = &atlas.scenario.service_account;
    let credential = service_account(&account.client_id, &account.client_secret);
    let fault = Fault { endpoint: Some(SimulatedEndpoint::Token), ..error_status(404, "GROUP_NOT_FOUND") };
    atlas.simulator.fail(fault);
    let client = RecordingClient::new(ClientSettings { credential, ..atlas.settings() });
    let error = client.list(Provider::Aws).await.unwrap_err();
    assert_eq!(error.kind.reason(), Reason::UnexpectedStatus, "{}", error.error_chain());
    assert!(error.kind.advice().contains("`base_url`"), "{}", error.kind.advice());
}

#[tokio::test]
async fn a_deadline_reports_the_failure_before_it() {
    let (reason, text) = failure(Fault::status(500)).await;
    assert_eq!(reason, Reason::Server);
    let expected = "not complete within 1s 200ms; last failure: Atlas returned status 500 `UNEXPECTED_ERROR`";
    assert!(text.contains(expected), "{text}");
}

#[tokio::test]
async fn an_unusable_challenge_is_counted_once_per_request() {
    let atlas = Atlas::start(&scenario()).await;
    for challenge in [
        b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nwww-authenticate: Basic realm=\"x\"\r\n\r\n".as_slice(),
        b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nwww-authenticate: Digest realm=\"x\"\r\n\r\n",
        b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nwww-authenticate: \xff\r\n\r\n",
        b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nwww-authenticate: Digest realm=\"x\", nonce=\"y\", algorithm=SHA-1\r\n\r\n",
        b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n",
    ] {
        let mut settings = atlas.settings();
        settings.base_url = format!("http://127.0.0.1:{}", server(challenge).await).parse().unwrap();
        let client = RecordingClient::new(settings);
        let error = client.list(Provider::Aws).await.unwrap_err();
        assert_eq!(error.kind.reason(), Reason::Unauthorized, "{}", error.error_chain());
        let message = error.error_chain();
        assert!(
            message.ends_with("page 1: Atlas returned status 401 without a supported Digest challenge"),
            "{message}"
        );
        assert!(error.kind.advice().contains("proxy"), "{}", error.kind.advice());
        assert_eq!(client.take_codes(), ["401", "401"], "a request and the check: {}", challenge.escape_ascii());
    }
}

#[tokio::test]
async fn a_truncated_error_body_does_not_hide_the_status() {
    let port = server(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 500\r\n\r\n{\"errorCode\"").await;
    let (reason, text) = failure_at(&format!("http://127.0.0.1:{port}")).await;
    assert_eq!(reason, Reason::Forbidden, "{text}");
}
