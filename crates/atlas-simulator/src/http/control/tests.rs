//! What a command leaves in the log.

use std::{
    io::{self, Read},
    sync::Arc,
};

use super::*;
use crate::scenario::Scenario;

const PEERINGS: &str = "/simulator/groups/5f3a556351db42631e16f301/peers";

/// Executes a command. Returns whether it succeeds, and what it logs.
fn logged(simulator: &Simulator, method: &Method, path: &str, body: &str) -> (bool, String) {
    let (mut reader, writer) = io::pipe().unwrap();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).without_time().with_writer(Arc::new(writer)).finish();
    let result = tracing::subscriber::with_default(subscriber, || handle(simulator, method, path, body.as_bytes()));
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    (result.is_ok(), text)
}

#[test]
fn every_change_is_logged_once_and_nothing_else_is() {
    let scenario = "groups: [{id: 5f3a556351db42631e16f301, name: g, peerings: [{provider: AWS, name: p, status: A}]}]";
    let simulator = Simulator::new(Scenario::parse(scenario).unwrap());
    let peering = format!("{PEERINGS}/p");
    for (method, path, body) in [
        (Method::POST, peering.as_str(), r#"{"status": "FAILED"}"#),
        (Method::POST, PEERINGS, r#"{"provider": "GCP", "status": "AVAILABLE"}"#),
        (Method::POST, "/simulator/faults", r#"{"delay": "1s"}"#),
        (Method::DELETE, "/simulator/faults", ""),
        (Method::DELETE, &peering, ""),
    ] {
        let fields = format!("method={:?} path={path:?} change={body:?}", method.as_str());
        let line = format!(" INFO atlas_simulator::http::control: changed by the control API {fields}\n");
        assert_eq!(logged(&simulator, &method, path, body), (true, line));
    }
    for (method, path, body, succeeds) in [
        (Method::GET, "/simulator/groups", "", true),
        (Method::HEAD, "/simulator/faults", "", true),
        (Method::POST, "/simulator/faults", "{}", false),
        (Method::DELETE, &peering, "", false),
    ] {
        assert_eq!(logged(&simulator, &method, path, body), (succeeds, String::new()), "{method} {path}");
    }
}

#[test]
fn secrets_and_long_bodies_are_not_logged() {
    let simulator = Simulator::new(Scenario::default());
    for (path, body) in [
        ("/simulator/credentials", r#"{"public_key": "p", "private_key": "hush"}"#),
        ("/simulator/client", r#"{"client_id": "c", "client_secret": "hush"}"#),
    ] {
        let (succeeds, line) = logged(&simulator, &Method::POST, path, body);
        assert!(succeeds && line.contains(path) && line.contains("not shown") && !line.contains("hush"), "{line}");
    }
    let body = json!({"effect": {"body": "\u{e9}".repeat(10_000)}}).to_string();
    let (succeeds, line) = logged(&simulator, &Method::POST, "/simulator/faults", &body);
    assert!(succeeds && line.contains("\u{2026}") && line.chars().count() < 400, "{line}");
}
