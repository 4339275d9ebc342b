//! The responses of the HTTP server, over a plain socket.

use std::{
    collections::BTreeSet,
    io::Read,
    time::{Duration, Instant},
};

use flate2::read::GzDecoder;

use crate::{
    http::{Connection, ask, get},
    process::{exporter as command, run, wait_for},
    setup::{Atlas, Exporter, GROUP, SCENARIO, config, folder, write_config},
};

/// An exporter with its simulator.
fn serving() -> (tempfile::TempDir, Atlas, Exporter) {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    let exporter = Exporter::of(folder.path(), &atlas);
    (folder, atlas, exporter)
}

fn families(exposition: &str) -> BTreeSet<String> {
    exposition.lines().filter(|line| line.starts_with("# TYPE ")).map(str::to_owned).collect()
}

#[test]
fn the_metrics_are_the_same_with_and_without_gzip() {
    let (_folder, _atlas, exporter) = serving();
    let mut connection = Connection::open(&exporter.address);
    let plain = connection.ask("GET", "/metrics", "");
    assert_eq!(plain.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(plain.header("content-encoding"), None);
    assert_eq!(plain.header("vary"), Some("accept-encoding"));
    // As Prometheus sends it.
    let gzip = connection.ask("GET", "/metrics", "Accept-Encoding: gzip\r\n");
    assert_eq!(gzip.header("content-encoding"), Some("gzip"));
    assert_eq!(gzip.header("content-type"), plain.header("content-type"));
    assert!(gzip.body.len() * 2 < plain.body.len(), "{} of {}", gzip.body.len(), plain.body.len());
    let mut decoder = GzDecoder::new(gzip.body.as_slice());
    let mut text = String::new();
    decoder.read_to_string(&mut text).unwrap();
    assert!(families(&text).len() > 15, "{text}");
    assert_eq!(families(&text), families(plain.text()));
    let series = |exposition: &str| exposition.lines().filter(|line| line.starts_with("mongodbatlas_network_")).count();
    assert_eq!(series(&text), series(plain.text()));
}

#[test]
fn head_has_the_length_and_no_body() {
    let (_folder, _atlas, exporter) = serving();
    let mut connection = Connection::open(&exporter.address);
    for path in ["/", "/-/page.css", "/api/v1/targets", "/-/healthy", "/-/ready", "/metrics"] {
        let head = connection.ask("HEAD", path, "");
        assert_eq!(head.status, 200, "{path}");
        assert_eq!(head.header("x-content-type-options"), Some("nosniff"), "{path}");
        // A body would be read as the head of the next response.
        let full = connection.ask("GET", path, "");
        let length: usize = head.header("content-length").unwrap().parse().unwrap();
        assert!(length > 0, "{path}");
        // The others change from one request to the next.
        if path.starts_with("/-/") {
            assert_eq!(length, full.body.len(), "{path}");
        }
        assert_eq!(head.header("content-type"), full.header("content-type"), "{path}");
    }
}

#[test]
fn other_methods_are_not_allowed_and_other_paths_not_found() {
    let (_folder, _atlas, exporter) = serving();
    for (method, path) in [("POST", "/metrics"), ("PUT", "/"), ("DELETE", "/-/healthy"), ("POST", "/-/ready")] {
        let response = ask(&exporter.address, method, path, "");
        assert_eq!(response.status, 405, "{method} {path}");
        assert_eq!(response.header("allow"), Some("GET, HEAD, OPTIONS"), "{method} {path}");
    }
    for path in ["/metrics/", "/favicon.ico", "/-/quit", "/..", "//metrics"] {
        assert_eq!(get(&exporter.address, path).status, 404, "{path}");
    }
    assert_eq!(get(&exporter.address, "/metrics?x=1").status, 200, "the query is not part of the path");
}

#[test]
fn options_gets_the_response_to_get_and_the_methods() {
    let (_folder, _atlas, exporter) = serving();
    let mut connection = Connection::open(&exporter.address);
    for path in ["/", "/metrics", "/-/healthy", "/-/ready", "/api/v1/targets", "/nowhere"] {
        let (get, options) = (connection.ask("GET", path, ""), connection.ask("OPTIONS", path, ""));
        assert_eq!(options.header("allow"), Some("GET, HEAD, OPTIONS"), "{path}");
        assert_eq!((options.status, options.body.is_empty()), (get.status, get.body.is_empty()), "{path}");
        assert_eq!(options.header("content-type"), get.header("content-type"), "{path}");
    }
    let server = connection.ask("OPTIONS", "*", "");
    assert_eq!((server.status, server.body.len()), (200, 0));
    let preflight = "Origin: https://other.example\r\nAccess-Control-Request-Method: GET\r\n";
    let response = connection.ask("OPTIONS", "/metrics", preflight);
    assert_eq!(response.header("access-control-allow-origin"), None);
    assert_eq!(connection.ask("OPTIONS", "/-/reload", "").status, 403);
}

#[test]
fn the_status_page_links_to_the_metrics_at_any_path() {
    let (folder, _atlas, exporter) = serving();
    // Links are relative, because a proxy may serve the exporter from a folder.
    assert!(get(&exporter.address, "/").text().contains(r#"<a href="metrics">"#));

    let moved = Exporter::start(folder.path(), ["--web.telemetry-path=/atlas/metrics"]);
    assert!(get(&moved.address, "/").text().contains(r#"<a href="atlas/metrics">"#));
    assert_eq!(get(&moved.address, "/atlas/metrics").status, 200);
    assert_eq!(get(&moved.address, "/metrics").status, 404);
}

#[test]
fn an_exporter_is_healthy_but_not_ready_while_atlas_does_not_respond() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    atlas.control("faults", r#"{"effect": "never"}"#);
    let config = config(&atlas.url(), &[(GROUP, "payments")]).replace("interval: 1s", "interval: 60s");
    write_config(folder.path(), &config);
    let exporter = Exporter::start(folder.path(), []);
    assert_eq!(get(&exporter.address, "/-/healthy").text(), "healthy\n");
    let ready = get(&exporter.address, "/-/ready");
    assert_eq!((ready.status, ready.text()), (503, "not ready: 3 of 3 listings have not been polled yet\n"));
    let page = exporter.exposition();
    for family in ["success", "last_success_timestamp_seconds"] {
        for provider in ["AWS", "AZURE", "GCP"] {
            let labels = format!("account=\"default\",group_id=\"{GROUP}\",provider=\"{provider}\"");
            let line = format!("mongodbatlas_peering_poll_{family}{{{labels}}} 0\n");
            assert!(page.contains(&line), "{line}{page}");
        }
    }
    assert!(!page.contains("mongodbatlas_network_peering_status{"), "{page}");
}

#[test]
fn one_connection_serves_many_requests() {
    let (_folder, _atlas, exporter) = serving();
    let mut connection = Connection::open(&exporter.address);
    for _ in 0..3 {
        assert_eq!(connection.ask("GET", "/-/ready", "").text(), "ready\n");
        assert_eq!(connection.ask("GET", "/nowhere", "").status, 404);
        assert_eq!(connection.ask("GET", "/metrics", "").status, 200);
    }
    // Two requests are sent before the first response.
    connection.send("GET", "/-/healthy", "", "");
    connection.send("GET", "/-/ready", "", "");
    assert_eq!(connection.receive("GET").unwrap().text(), "healthy\n");
    assert_eq!(connection.receive("GET").unwrap().text(), "ready\n");
}

#[test]
fn a_malformed_request_is_refused_without_side_effects() {
    let (_folder, _atlas, exporter) = serving();
    for sent in ["\u{16}\u{3}\u{1}\r\n\r\n", "GET\r\n\r\n"] {
        let mut connection = Connection::open(&exporter.address);
        connection.write(sent);
        assert_eq!(connection.receive("GET").unwrap().status, 400, "{sent:?}");
    }
    assert_eq!(get(&exporter.address, "/metrics").status, 200);
}

#[test]
fn connections_without_a_request_delay_nobody() {
    let (folder, _atlas, exporter) = serving();
    let open = |number: usize| {
        let mut connection = Connection::open(&exporter.address);
        match number % 3 {
            0 => {}
            1 => connection.write("GET /metrics HTTP/1.1\r\nHost: te"),
            _ => assert_eq!(connection.ask("GET", "/-/healthy", "").status, 200),
        }
        connection
    };
    let _idle: Vec<Connection> = (0..400).map(open).collect();
    let flag = format!("--web.listen-address={}", exporter.address);
    for path in ["/metrics", "/", "/-/ready"] {
        let start = Instant::now();
        assert_eq!(get(&exporter.address, path).status, 200);
        assert!(start.elapsed() < Duration::from_secs(1), "{path}: {:?}", start.elapsed());
    }
    assert_eq!(run(command(folder.path(), ["healthcheck", &flag])).status, Some(0));
}

#[test]
fn a_client_with_an_incomplete_header_is_disconnected() {
    let (_folder, _atlas, exporter) = serving();
    let start = Instant::now();
    let mut slow = Connection::open(&exporter.address);
    slow.write("GET /metrics HTTP/1.1\r\nHost: te");
    let mut silent = Connection::open(&exporter.address);
    assert!(slow.rest().is_empty());
    assert!(silent.rest().is_empty());
    let took = start.elapsed();
    assert!((Duration::from_secs(15)..Duration::from_secs(28)).contains(&took), "{took:?}");
    wait_for("a scrape", || (get(&exporter.address, "/metrics").status == 200).then_some(()));
}
