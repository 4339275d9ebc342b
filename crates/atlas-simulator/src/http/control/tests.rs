//! What a command leaves in the log.

use std::{
    io::{self, Read},
    sync::Arc,
};

use axum::{body::Body, http::Request};
use tower::ServiceExt;
use tracing::instrument::WithSubscriber;

use super::*;
use crate::scenario::Scenario;

const PEERINGS: &str = "/simulator/groups/5f3a556351db42631e16f301/peers";

/// Executes a command. Returns whether it succeeds, and what it logs.
async fn logged(simulator: &Simulator, method: &str, path: &str, body: &str) -> (bool, String) {
    let (mut reader, writer) = io::pipe().unwrap();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).without_time().with_writer(Arc::new(writer)).finish();
    let request = Request::builder().method(method).uri(path).body(Body::from(body.to_owned())).unwrap();
    let routes = router().with_state(simulator.clone());
    let response = routes.oneshot(request).with_subscriber(subscriber).await.unwrap();
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    (response.status().is_success(), text)
}

#[tokio::test]
async fn every_change_is_logged_once_and_nothing_else_is() {
    let scenario = "groups: [{id: 5f3a556351db42631e16f301, name: g, peerings: [{provider: AWS, name: p, status: A}]}]";
    let simulator = Simulator::new(Scenario::parse(scenario).unwrap());
    let peering = format!("{PEERINGS}/p");
    for (method, path, body) in [
        ("POST", peering.as_str(), r#"{"status": "FAILED"}"#),
        ("POST", PEERINGS, r#"{"provider": "GCP", "status": "AVAILABLE"}"#),
        ("POST", "/simulator/faults", r#"{"delay": "1s"}"#),
        ("DELETE", "/simulator/faults", ""),
        ("DELETE", &peering, ""),
    ] {
        let fields = format!("method={method:?} path={path:?} change={body:?}");
        let line = format!(" INFO atlas_simulator::http::control: changed by the control API {fields}\n");
        assert_eq!(logged(&simulator, method, path, body).await, (true, line));
    }
    for (method, path, body, succeeds) in [
        ("GET", "/simulator/groups", "", true),
        ("HEAD", "/simulator/faults", "", true),
        ("POST", "/simulator/faults", "{}", false),
        ("DELETE", &peering, "", false),
    ] {
        assert_eq!(logged(&simulator, method, path, body).await, (succeeds, String::new()), "{method} {path}");
    }
}

#[tokio::test]
async fn secrets_and_long_bodies_are_not_logged() {
    let simulator = Simulator::new(Scenario::default());
    for (path, body) in [
        ("/simulator/credentials", r#"{"public_key": "p", "private_key": "hush"}"#),
        ("/simulator/client", r#"{"client_id": "c", "client_secret": "hush"}"#),
    ] {
        let (succeeds, line) = logged(&simulator, "POST", path, body).await;
        assert!(succeeds && line.contains(path) && line.contains("not shown") && !line.contains("hush"), "{line}");
    }
    let body = json!({"effect": {"body": "\u{e9}".repeat(10_000)}}).to_string();
    let (succeeds, line) = logged(&simulator, "POST", "/simulator/faults", &body).await;
    assert!(succeeds && line.contains("\u{2026}") && line.chars().count() < 400, "{line}");
}
