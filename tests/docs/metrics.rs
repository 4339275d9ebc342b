//! The tables of metrics and reasons match the code.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant, SystemTime},
};

use atlas::{Endpoint, GroupId, Listing, Outcome, Peering, Provider, RateLimit, RequestRecord};
use mongodbatlas_peering_exporter::{
    metrics::{
        family::{self, MetricType},
        process_text, render,
    },
    state::{AccountState, DiscoveryState, FailureReason, GroupState, ListingKey, PollResult, State, TokenState},
};

use crate::markdown::{documents, key, keys, quoted, read, rows, section};

#[test]
fn every_family_has_one_row_with_its_type_and_its_labels() {
    let page = read("docs/metrics.md");
    let rows = rows(&page);
    for family in family::ALL {
        let own: Vec<_> = rows.iter().filter(|row| quoted(&row[0]) == [family.name]).collect();
        assert_eq!(own.len(), 1, "rows of {}", family.name);
        assert_eq!(own[0][1], family.metric_type.as_str(), "type of {}", family.name);
        assert_eq!(quoted(&own[0][2]), &family.labels, "labels of {}", family.name);
        assert_eq!(own[0][2] == "none", family.labels.is_empty(), "labels of {}", family.name);
    }
}

#[test]
fn families_are_documented_in_the_order_of_the_exposition() {
    let page = read("docs/metrics.md");
    let names: Vec<String> =
        rows(&page).iter().filter(|row| row[0].contains("mongodbatlas_")).map(|row| key(row).to_owned()).collect();
    let known: Vec<&str> = family::ALL.iter().map(|family| family.name).collect();
    assert_eq!(names, known);
}

#[test]
fn every_metric_that_a_document_names_exists() {
    let mut known: BTreeSet<String> = family::ALL.iter().map(|family| family.name.to_owned()).collect();
    for family in family::ALL.iter().filter(|family| family.metric_type == MetricType::Histogram) {
        known.extend(["_bucket", "_sum", "_count"].map(|suffix| format!("{}{suffix}", family.name)));
    }
    for (name, text) in documents() {
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        for word in words.filter(|word| word.starts_with("mongodbatlas_")) {
            assert!(known.contains(word), "{name}: {word}");
        }
    }
}

#[test]
fn the_documented_families_of_the_process_are_those_exported() {
    let page = read("docs/metrics.md");
    let exporter = section(&page, "## The exporter");
    let named: BTreeSet<&str> = quoted(exporter).into_iter().filter(|word| word.starts_with("process_")).collect();
    let text = process_text();
    let exported = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert_eq!(named, exported);
}

#[test]
fn the_documented_reasons_are_those_of_the_code() {
    let known: Vec<&str> = FailureReason::all().map(FailureReason::as_str).collect();
    assert_eq!(keys(section(&read("docs/metrics.md"), "## Reasons")), known);
    assert_eq!(keys(section(&read("README.md"), "### What each reason means")), known);
}

#[test]
fn the_documented_advice_for_a_reason_is_the_one_that_is_logged() {
    let readme = read("README.md");
    for (row, reason) in rows(section(&readme, "### What each reason means")).iter().zip(FailureReason::all()) {
        let (documented, advice) = (row[1].to_lowercase(), reason.advice().to_lowercase());
        assert!(documented.starts_with(&format!("{advice}.")), "{}: {documented}", reason.as_str());
    }
}

#[test]
fn the_number_of_series_is_as_documented() {
    let group: GroupId = "5e57d85c854180642f784401".parse().unwrap();
    let keys = Provider::ALL.map(|provider| ListingKey { group: group.clone(), provider });
    let (interval, now) = (Duration::from_secs(60), Instant::now());
    let discovery = Some(DiscoveryState::new(interval));
    let account = AccountState { token: Some(TokenState::default()), discovery, ..AccountState::default() };
    let accounts = [("main".to_owned(), account)].into();
    let groups = [(group.clone(), GroupState::configured("main", ""))].into();
    let mut state = State::new(interval, interval, SystemTime::now(), accounts, groups, keys.clone());
    let available =
        Peering { id: "64c0ffee00000000000000a1".to_owned(), status: "AVAILABLE".to_owned(), ..Peering::default() };
    let failed = Peering { status: "FAILED".to_owned(), error: Some("REJECTED".to_owned()), ..available.clone() };
    for (key, peerings) in keys.iter().zip([vec![available], vec![failed], vec![]]) {
        let listing = Listing { peerings, duplicates: 0 };
        state.record_poll(
            key,
            PollResult { ended: now, due: now, ended_at: SystemTime::now(), run: None, outcome: Ok(listing) },
        );
    }
    let rate_limit = Some(RateLimit { limit: 2000, remaining: 1999 });
    let endpoints = [(Endpoint::Peers, Some(group)), (Endpoint::Groups, None)];
    for (endpoint, group) in endpoints.clone() {
        let (outcome, duration) = (Outcome::Status(200), interval);
        let exchange =
            RequestRecord { endpoint, group, outcome, duration, rate_limit, retry_after: None, version_ends: None };
        state.record_request("main", exchange);
    }

    let series = render(&state, now);
    let series = series.lines().filter(|line| !line.starts_with('#')).count();
    let (peerings, errors, groups, aws, azure, accounts, endpoints, codes) = (2, 1, 1, 1, 1, 1, 2, 2);
    let listings = 17 * groups + 5 * aws + 4 * azure;
    assert_eq!(series, 4 * peerings + errors + listings + (49 + 20 + 3) * accounts + 12 * endpoints + codes + 6);
    let process = process_text().lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(process, 7);
    let page = read("docs/metrics.md");
    for term in ["\n4·P + E ", "\n+ 17·G + 5·V + 4·W ", "\n+ 49·A + 20·D + 3·S ", "\n+ 12·N ", "\n+ 6 + 7 "] {
        assert!(page.contains(term), "{term}");
    }
}
