//! Basic authentication, headers, the rate limit and reloads.

use std::fs;

use crate::{
    http::{Connection, ask, get},
    prometheus::Prometheus,
    setup::{Atlas, Exporter, GROUP, SCENARIO, config, folder, write_config},
    web::{SecuredExporter, USERS, curl, run_exporter, with_certificate},
};

/// `alice:secret`.
const ALICE: &str = "Authorization: Basic YWxpY2U6c2VjcmV0\r\n";

#[test]
fn every_path_needs_the_password_of_a_user() {
    let (folder, _authority) = with_certificate();
    let secured = SecuredExporter::start(folder, &format!("tls_server_config: {{TLS}}\n{USERS}"));
    for path in ["/metrics", "/", "/-/healthy", "/nowhere"] {
        let refused = secured.curl_at(path, &[]);
        assert_eq!(refused.status, "401", "{path}");
        assert!(refused.text.contains("www-authenticate: Basic\r\n"), "{}", refused.text);
        assert!(refused.text.ends_with("Unauthorized\n"), "{}", refused.text);
    }
    for (user, status) in [("alice:secret", "200"), ("alice:Secret", "401"), ("alice:", "401"), ("bob:secret", "401")] {
        assert_eq!(secured.curl(&["-u", user]).status, status, "{user}");
    }
    let tls = secured.tls_config("ca.pem", None);
    Prometheus::scraping_with(&secured.target(), &format!("{tls}, basic_auth: {{username: alice, password: secret}}"));
    let wrong = format!("{tls}, basic_auth: {{username: alice, password: wrong}}");
    let error = Prometheus::error_of_scraping(&secured.target(), &wrong);
    assert_eq!(error, "server returned HTTP status 401 Unauthorized");
}

#[test]
fn passwords_work_without_tls_and_on_one_connection() {
    let secured = SecuredExporter::start(folder(), USERS);
    let mut connection = Connection::open(&secured.exporter.address);
    for _ in 0..2 {
        assert_eq!(connection.ask("GET", "/metrics", "").status, 401);
        assert_eq!(connection.ask("GET", "/metrics", ALICE).status, 200);
        assert_eq!(connection.ask("POST", "/metrics", ALICE).status, 405);
        assert_eq!(connection.ask("HEAD", "/metrics", "").status, 401);
    }
    let flag = format!("--web.listen-address={}", secured.exporter.address);
    let ended = run_exporter(secured.folder.path(), ["healthcheck", &flag]);
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "the health check needs no password");
}

#[test]
fn every_response_has_the_headers() {
    let headers = "{Strict-Transport-Security: max-age=1, X-Frame-Options: deny, X-XSS-Protection: 0,
        Content-Security-Policy: \"default-src 'self';\\n frame-ancestors 'none'\"}";
    let web = format!("{USERS}\nrate_limit: {{interval: 1h, burst: 4}}\nhttp_server_config: {{headers: {headers}}}");
    let secured = SecuredExporter::start(folder(), &web);
    let mut connection = Connection::open(&secured.exporter.address);
    for (path, authorization, status) in
        [("/metrics", "", 401), ("/", ALICE, 200), ("/metrics", ALICE, 200), ("/x", ALICE, 404), ("/", ALICE, 429)]
    {
        let answer = connection.ask("GET", path, authorization);
        assert_eq!(answer.status, status, "{path}");
        for (name, value) in [
            ("strict-transport-security", "max-age=1"),
            ("x-frame-options", "deny"),
            ("x-xss-protection", "0"),
            ("content-security-policy", "default-src 'self';  frame-ancestors 'none'"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
    }
}

#[test]
fn requests_above_the_rate_limit_are_refused_before_their_password_is_checked() {
    let web = format!("{USERS}\nrate_limit: {{interval: 1h, burst: 3}}");
    let secured = SecuredExporter::start(folder(), &web);
    let statuses = [0; 5].map(|_| get(&secured.exporter.address, "/metrics").status);
    assert_eq!(statuses, [401, 401, 401, 429, 429]);
    let answer = ask(&secured.exporter.address, "GET", "/", "");
    assert_eq!(answer.text(), "Too Many Requests\n");
}

#[test]
fn the_rate_limit_allows_requests_again() {
    let secured = SecuredExporter::start(folder(), "rate_limit: {interval: 100ms, burst: 1}");
    Prometheus::scraping(&secured.exporter.address);
    let url = format!("http://{}/metrics", secured.exporter.address);
    assert!(["200", "429"].contains(&curl(secured.folder.path(), &[&url]).status.as_str()));
}

#[test]
fn a_web_config_can_be_checked_before_it_is_used() {
    let (folder, _authority) = with_certificate();
    let secured = SecuredExporter::start(folder, &format!("tls_server_config: {{TLS, min_version: TLS11}}\n{USERS}"));
    let ended = run_exporter(secured.folder.path(), ["check-config", "--web.config.file=web.yml"]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.ends_with("\nweb.yml is valid\n"), "{}", ended.stdout);
    assert!(ended.stderr.contains("WARN web.yml: tls_server_config.min_version: TLS 1.0 and 1.1"), "{}", ended.stderr);
}

#[test]
fn all_faults_of_a_web_config_are_logged_and_nothing_starts() {
    let secured = SecuredExporter::start(folder(), "");
    crate::web::write_web(secured.folder.path(), "tls_server_config: {TLS, color: red}\nbasic_auth_users: {alice: x}");
    for command in ["serve", "check-config", "demo"] {
        let flags = [command, "--web.config.file=web.yml", "--web.listen-address=127.0.0.1:0"];
        let ended = run_exporter(
            secured.folder.path(),
            [flags[0], flags[1], flags[2], "--simulator.listen-address=127.0.0.1:0"],
        );
        assert_eq!(ended.status, Some(64), "{command}: {}", ended.stderr);
        let lines: Vec<&str> =
            ended.stderr.lines().filter_map(|line| line.split_once("ERROR ")).map(|(_, line)| line).collect();
        assert_eq!(lines.len(), 4, "{}", ended.stderr);
        assert!(lines[0].starts_with("web.yml: tls_server_config.color: unknown key; known here: "), "{}", lines[0]);
        assert_eq!(lines[3], "web.yml: basic_auth_users.alice: is not a bcrypt hash: it is shorter than 59 bytes");
    }
}

#[test]
fn a_reload_takes_both_configs_or_neither() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    write_config(folder.path(), &config(&atlas.url(), &[(GROUP, "payments")]));
    let web = |value: &str| {
        let text = format!("http_server_config: {{headers: {{X-Frame-Options: {value}}}}}");
        fs::write(folder.path().join("web.yaml"), text).unwrap();
    };
    web("deny");
    let exporter = Exporter::start(folder.path(), ["--web.config.file=web.yaml", "--web.enable-lifecycle"]);
    let header = || get(&exporter.address, "/").header("x-frame-options").map(str::to_owned);
    let reload = || ask(&exporter.address, "POST", "/-/reload", "");
    assert_eq!(header().as_deref(), Some("deny"));
    web("sameorigin");
    assert_eq!(reload().status, 200);
    assert_eq!(header().as_deref(), Some("sameorigin"));
    web("nonsense");
    let refused = reload();
    assert_eq!((refused.status, refused.text().contains("X-Frame-Options")), (500, true), "{}", refused.text());
    web("deny");
    fs::write(folder.path().join("config.yaml"), "accounts: []").unwrap();
    assert_eq!(reload().status, 500);
    assert_eq!(header().as_deref(), Some("sameorigin"), "if one config has a fault, neither is used");
}

#[test]
fn a_page_of_another_site_cannot_reload() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    write_config(folder.path(), &config(&atlas.url(), &[(GROUP, "payments")]));
    let exporter = Exporter::start(folder.path(), ["--web.enable-lifecycle"]);
    let own = format!("Origin: http://{}\r\n", exporter.address);
    let other = "Origin: https://other.example\r\n";
    for (headers, status) in [
        ("Sec-Fetch-Site: cross-site\r\n".to_owned(), 403),
        ("Sec-Fetch-Site: same-site\r\n".to_owned(), 403),
        (format!("Sec-Fetch-Site: cross-site\r\n{own}"), 403),
        (other.to_owned(), 403),
        ("Origin: null\r\n".to_owned(), 403),
        ("Sec-Fetch-Site: same-origin\r\n".to_owned(), 200),
        ("Sec-Fetch-Site: none\r\n".to_owned(), 200),
        (own, 200),
        (String::new(), 200),
    ] {
        for method in ["POST", "PUT"] {
            let response = Connection::open(&exporter.address).ask(method, "/-/reload", &headers);
            assert_eq!(response.status, status, "{method} {headers}");
        }
    }
    assert_eq!(Connection::open(&exporter.address).ask("OPTIONS", "/-/reload", "").status, 405);
    // Reading needs no such rule: a browser does not let the other site see the response.
    assert_eq!(Connection::open(&exporter.address).ask("GET", "/metrics", other).status, 200);
}

#[test]
fn reloads_over_http_need_the_flag() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    write_config(folder.path(), &config(&atlas.url(), &[(GROUP, "payments")]));
    let exporter = Exporter::start(folder.path(), []);
    assert_eq!(ask(&exporter.address, "POST", "/-/reload", "").status, 403);
}
