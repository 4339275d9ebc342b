//! What a drill leaves in the log.

use std::{
    fmt::{self, Write as _},
    sync::Arc,
};

use parking_lot::Mutex;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

use super::*;
use crate::scenario::Scenario;

const GROUP: &str = "/simulator/groups/5f3a556351db42631e16f301/peers";

/// Keeps what is logged at the level of information.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::INFO
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        self.0.lock().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// What is logged when this is asked, and whether it is done.
fn logged(simulator: &Simulator, method: &Method, path: &str, body: &str) -> (bool, Vec<String>) {
    let lines = Lines::default();
    let outcome = tracing::subscriber::with_default(lines.clone(), || handle(simulator, method, path, body.as_bytes()));
    let lines = lines.0.lock().clone();
    (outcome.is_ok(), lines)
}

#[test]
fn every_accepted_change_leaves_one_line_and_nothing_else_does() {
    let scenario = "groups: [{id: 5f3a556351db42631e16f301, name: g, peerings: [{provider: AWS, name: p, status: A}]}]";
    let simulator = Simulator::new(Scenario::parse(scenario).unwrap());
    let peering = format!("{GROUP}/p");
    for (method, path, body) in [
        (Method::POST, peering.as_str(), r#"{"status": "FAILED"}"#),
        (Method::POST, GROUP, r#"{"provider": "GCP", "status": "AVAILABLE"}"#),
        (Method::POST, "/simulator/faults", r#"{"delay": "1s"}"#),
        (Method::DELETE, "/simulator/faults", ""),
        (Method::DELETE, &peering, ""),
    ] {
        let (done, lines) = logged(&simulator, &method, path, body);
        let expected =
            format!("message=changed by the control API method={:?} path={path:?} change={body:?} ", method.as_str());
        assert_eq!((done, lines), (true, vec![expected]));
    }
    for (method, path, body, accepted) in [
        (Method::GET, "/simulator/groups", "", true),
        (Method::HEAD, "/simulator/faults", "", true),
        (Method::POST, "/simulator/faults", "{}", false),
        (Method::DELETE, &peering, "", false),
    ] {
        assert_eq!(logged(&simulator, &method, path, body), (accepted, Vec::new()), "{method} {path}");
    }
}

#[test]
fn of_a_new_key_or_client_only_the_fact_is_logged() {
    let simulator = Simulator::new(Scenario::default());
    for (path, body) in [
        ("/simulator/credentials", r#"{"public_key": "p", "private_key": "hush"}"#),
        ("/simulator/client", r#"{"client_id": "c", "client_secret": "hush"}"#),
    ] {
        let (done, lines) = logged(&simulator, &Method::POST, path, body);
        assert!(done && lines[0].contains(path) && lines[0].contains("not shown"), "{lines:?}");
        assert!(!lines[0].contains("hush"), "{lines:?}");
    }
}

#[test]
fn of_a_long_body_only_the_beginning_is_logged() {
    let simulator = Simulator::new(Scenario::default());
    let body = json!({"effect": {"body": "\u{e9}".repeat(10_000)}}).to_string();
    let (done, lines) = logged(&simulator, &Method::POST, "/simulator/faults", &body);
    assert!(done && lines[0].contains("\u{2026}"), "{lines:?}");
    assert!(lines[0].chars().count() < 300, "{lines:?}");
}
