//! The status page, in a real browser, and its JSON.

use std::{fs, path::Path};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;

use crate::{
    browser::Browser,
    http::{ask, get},
    process::{exporter, wait_for},
    setup::{Atlas, Exporter, GROUP, SCENARIO, config, folder, write_config},
};

/// A script that counts the rows in the table of peerings.
const ROWS: &str = "document.querySelectorAll('#peerings tbody tr').length";

fn open(browser: &Browser, exporter: &Exporter) {
    browser.open(&format!("http://{}/", exporter.address));
}

#[test]
fn the_page_loads_nothing_from_elsewhere_and_is_not_cached() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    let exporter = Exporter::of(folder.path(), &atlas);
    let page = get(&exporter.address, "/");
    let policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; \
                  base-uri 'none'; frame-ancestors 'none'";
    assert_eq!((page.status, page.header("content-security-policy")), (200, Some(policy)));
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!((page.header("cache-control"), page.header("referrer-policy")), (Some("no-store"), Some("no-referrer")));
    for outside in ["http:", "https:", "//", "<style", " style=", "onclick", "<script>"] {
        assert!(!page.text().contains(outside), "{outside}");
    }
    for (path, kind) in [("/-/page.css", "text/css; charset=utf-8"), ("/-/page.js", "text/javascript; charset=utf-8")] {
        assert_eq!(get(&exporter.address, path).header("content-type"), Some(kind));
    }
    assert_eq!(ask(&exporter.address, "POST", "/", "").status, 405);
    assert_eq!(get(&exporter.address, "/api/v1/nothing").status, 404);
}

#[test]
fn the_json_and_the_metrics_agree() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    let exporter = Exporter::of(folder.path(), &atlas);
    let response = get(&exporter.address, "/api/v1/peerings");
    assert_eq!(response.header("content-type"), Some("application/json"));
    let json = response.json();
    let peerings = json["peerings"].as_array().unwrap();
    let metrics = exporter.page();
    let status = |line: &&str| line.starts_with("mongodbatlas_network_peering_status{");
    assert_eq!(peerings.len(), metrics.lines().filter(status).count());
    for peering in peerings {
        let [id, status] = [&peering["peering_id"], &peering["status"]].map(|text| text.as_str().unwrap());
        let is_it = |line: &str| line.contains(&format!("peering_id=\"{id}\",status=\"{status}\""));
        assert!(metrics.lines().any(is_it), "{peering}");
    }
    let first = &peerings[0];
    assert_eq!((&first["status"], &first["error"]), (&json!("FAILED"), &json!("EXPIRED")), "the worst comes first");
    assert_eq!((&first["group_name"], &first["vpcId"]), (&json!("payments"), &json!("vpc-0a1b2c3d")));
    assert_eq!((&first["created"], &first["stale"]), (&json!("2023-07-26T11:13:50Z"), &json!(false)));

    atlas.tell("faults", r#"{"provider": "AWS", "effect": {"status": {"code": 503}}}"#);
    let aws = wait_for("a failure", || {
        let json = get(&exporter.address, "/api/v1/targets").json();
        let listing = json["targets"][0].clone();
        (listing["success"] == json!(false)).then_some(listing)
    });
    assert_eq!((&aws["provider"], &aws["stale"], &aws["peerings"]), (&json!("AWS"), &json!(true), &json!(2)));
    assert_eq!(aws["failure"]["reason"], json!("server"));
    assert!(aws["failure"]["error"].as_str().unwrap().contains("status 503") && aws["due"].is_string(), "{aws}");
}

#[test]
fn a_browser_shows_searches_and_refreshes_the_page() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    let exporter = Exporter::of(folder.path(), &atlas);
    let browser = Browser::start(folder.path(), true);
    open(&browser, &exporter);
    let summary = browser.text(".summary");
    assert!(summary.contains("6 peerings") && summary.contains("3 not available"), "{summary}");
    assert!(browser.text("#peerings tbody tr:first-child").contains("EXPIRED"), "the worst comes first");
    assert_eq!(browser.run("return document.title"), json!("(3) Atlas peerings"));

    // The search does not load another page.
    browser.run("window.same = true");
    browser.write("input", "gcp user");
    browser.wait_until("the rows of two peerings", &format!("return {ROWS} === 2 && window.same"));
    assert_eq!(browser.run("return location.search"), json!("?q=gcp+user"));
    browser.write("input", "\u{e003}".repeat(8).as_str());
    browser.wait_until("all rows again", &format!("return {ROWS} === 6 && location.search === ''"));

    let change = r#"{"status": "FAILED", "error": "REJECTED"}"#;
    atlas.tell(&format!("groups/{GROUP}/peers/64c0ffee00000000000000a1"), change);
    let script = "return document.querySelector('#peerings').innerText.includes('REJECTED') && window.same";
    browser.wait_until("the change without user input", script);
    assert_eq!(browser.console_messages(), Vec::<String>::new());

    // Selected text stays, and a note says that updates are paused.
    browser.run("getSelection().selectAllChildren(document.querySelector('#peerings h2'))");
    browser.run("document.dispatchEvent(new Event('visibilitychange'))");
    browser.wait_until(
        "the note that updates are paused",
        "return document.getElementById('note').innerText.startsWith('Updates paused at 20')",
    );
    drop(exporter);
    browser.run("document.dispatchEvent(new Event('visibilitychange'))");
    browser.wait_until("the note about the lost connection", "return !document.getElementById('note').hidden");
    let lost = browser.text("#note");
    assert!(
        lost.starts_with("The exporter does not respond (") && lost.contains("This page shows data from 20"),
        "{lost}"
    );
    assert_eq!(browser.run(&format!("return {ROWS}")), json!(6), "the rows stay");
}

#[test]
fn the_page_works_without_scripts() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    let exporter = Exporter::of(folder.path(), &atlas);
    let browser = Browser::start(folder.path(), false);
    open(&browser, &exporter);
    browser.write("input", "gcp user");
    assert!(browser.text("#peerings").contains("vpc-0a1b2c3d"), "without a script, typing changes nothing");
    browser.click("button");
    wait_for("the response to the form", || browser.text("#peerings h2").ends_with("2 of 6").then_some(()));
    assert!(!browser.text("#peerings").contains("vpc-0a1b2c3d"));
}

#[test]
fn markup_from_atlas_is_escaped() {
    let folder = folder();
    let hostile = "<img src=x onerror=alert(1)>\\\"'></td><script>alert(2)</script>";
    let scenario = format!(
        "groups: [{{id: {GROUP}, name: x, peerings: [
           {{provider: GCP, status: FAILED, error: \"{hostile}\", networkName: \"{hostile}\"}}]}}]"
    );
    let atlas = Atlas::start(folder.path(), &scenario);
    write_config(folder.path(), &config(&atlas.url(), &[(GROUP, "</title><b>x")]));
    let exporter = Exporter::start(folder.path(), []);
    exporter.wait_until_ready();
    let browser = Browser::start(folder.path(), true);
    open(&browser, &exporter);
    let text = browser.text("#peerings tbody");
    assert_eq!(text.matches("<img src=x onerror=alert(1)>\"'></td><script>alert(2)</script>").count(), 2, "{text}");
    assert!(text.contains("</title><b>x"), "{text}");
    assert_eq!(browser.run("return document.querySelectorAll('img, main script, main b b').length"), json!(0));
    assert_eq!(browser.console_messages(), Vec::<String>::new());
}

#[test]
fn the_page_is_readable_on_a_phone_and_in_the_dark() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    let exporter = Exporter::of(folder.path(), &atlas);
    atlas.tell("faults", r#"{"provider": "AWS", "effect": {"status": {"code": 503}}}"#);
    wait_for("a failure", || get(&exporter.address, "/").text().contains("Data is stale or missing").then_some(()));
    let browser = Browser::start(folder.path(), true);
    for (width, scheme) in [(1280, "light"), (1280, "dark"), (360, "light"), (360, "dark")] {
        browser.emulate(width, 800, scheme);
        open(&browser, &exporter);
        let fits = browser.run("return document.documentElement.scrollWidth <= window.innerWidth");
        assert_eq!(fits, json!(true), "at {width}");
        let faint = browser.run(FAINT);
        assert_eq!(faint, json!([]), "at {width}, {scheme}");
        let ground = browser.run("return getComputedStyle(document.body).backgroundColor");
        assert_eq!(ground == json!("rgb(255, 255, 255)"), scheme == "light", "{ground}");
    }
}

/// A script that finds texts with less contrast to their background than WCAG 2.1 requires at level AA.
const FAINT: &str = "
    const channels = color => color.match(/[\\d.]+/g).map(Number);
    const light = color => channels(color).slice(0, 3).map(c => c / 255)
        .map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const ground = element => {
        for (; element; element = element.parentElement) {
            const color = getComputedStyle(element).backgroundColor;
            if (channels(color)[3] !== 0) return color;
        }
    };
    const faint = [];
    for (const element of document.querySelectorAll('body *')) {
        const says = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
        if (!says || !element.getClientRects().length) continue;
        const [a, b] = [light(getComputedStyle(element).color), light(ground(element))].sort((a, b) => a - b);
        if ((b + 0.05) / (a + 0.05) < 4.5) faint.push(element.outerHTML.slice(0, 80));
    }
    return faint;";

/// Writes the image in the README; CONTRIBUTING says how to update it.
#[test]
fn the_demo_page_makes_a_screenshot() {
    let folder = folder();
    let addresses = ["--web.listen-address=127.0.0.1:0", "--simulator.listen-address=127.0.0.1:0"];
    let exporter = Exporter::run(exporter(folder.path(), ["demo", addresses[0], addresses[1]]));
    exporter.wait_until_ready();
    let browser = Browser::start(folder.path(), true);
    browser.emulate(1200, 760, "light");
    open(&browser, &exporter);
    let image = BASE64_STANDARD.decode(browser.screenshot()).unwrap();
    assert!(image.starts_with(b"\x89PNG") && image.len() > 50_000, "{} bytes", image.len());
    fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("status-page.png"), image).unwrap();
}
