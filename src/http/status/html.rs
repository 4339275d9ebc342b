//! The status page as HTML. The library escapes all data.

use std::collections::BTreeMap;

use maud::{DOCTYPE, Markup, html};

use super::{
    search::Search,
    tables::{accounts, badge, section, time_element},
    time::Timestamp,
    view::{Severity, View},
};

pub(super) fn render(view: &View<'_>, search: &Search, telemetry_path: &str) -> String {
    let (shard, shards) = (view.state.shard.index, view.state.shard.count);
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (title(view)) }
                link rel="stylesheet" href="-/page.css";
                script src="-/page.js" defer {}
                noscript { meta http-equiv="refresh" content="60"; }
            }
            body {
                header {
                    h1 { "MongoDB Atlas network peerings" }
                    form role="search" {
                        input type="search" name="q" value=(search.text) placeholder="project, network, status, error …" aria-label="Search";
                        button { "Search" }
                    }
                }
                p #note role="alert" hidden {}
                main {
                    p.as-of {
                        "As of " time datetime=(view.rendered_at) { (view.rendered_at) }
                        @if shards > 1 { ", shard " (shard) " of " (shards) ", numbered from 0; the other shards poll other projects" }
                        "."
                    }
                    (warnings(view))
                    (summary(view))
                    (section(&view.peerings, search, view.rendered_at))
                    (section(&view.listings, search, view.rendered_at))
                    (accounts(&view.accounts, view.rendered_at))
                }
                footer {
                    a href=(telemetry_path.trim_start_matches('/')) { "Metrics" }
                    " · " a href="api/v1/peerings" { "peerings" } " and " a href="api/v1/targets" { "listings" } " as JSON"
                    " · " a href="-/healthy" { "healthy" } " · " a href="-/ready" { "ready" }
                    " · mongodbatlas-peering-exporter " (env!("CARGO_PKG_VERSION"))
                }
            }
        }
    };
    markup.into_string()
}

/// The title shows problems in the browser tab.
fn title(view: &View<'_>) -> String {
    match (unavailable(view), not_current(view)) {
        (0, 0) => "Atlas peerings".to_owned(),
        (unavailable, 0) => format!("({unavailable}) Atlas peerings"),
        (unavailable, not_current) => format!("({unavailable}, {not_current} not current) Atlas peerings"),
    }
}

/// How many peerings are not available.
fn unavailable(view: &View<'_>) -> usize {
    view.peerings.iter().filter(|row| row.severity != Severity::Available).count()
}

/// How many listings have no successful last poll.
fn not_current(view: &View<'_>) -> usize {
    view.listings.iter().filter(|row| !row.success).count()
}

/// Why data is stale or missing.
fn warnings(view: &View<'_>) -> Markup {
    let unpolled = view.listings.iter().filter(|row| row.polls == 0).count();
    let failed = view.listings.iter().filter(|row| !row.success && row.polls > 0).count();
    let stale = view.listings.iter().filter(|row| row.stale).count();
    html! {
        @if let Some(reason) = &view.stall_reason { p.warning { b { "This page is out of date: " } (reason) ". Restart the exporter." } }
        @if unpolled > 0 {
            p.warning { "Data is incomplete: " (unpolled) " of " (view.listings.len()) " listings have not been polled yet." }
        }
        @if failed > 0 {
            p.warning {
                "Data is stale or missing: the last poll failed for " a href="#listings" { (failed) " of " (view.listings.len()) " listings" }
                ". The page shows peerings of an earlier poll for " (stale) " of them, and none for the others."
            }
        }
        @for row in &view.accounts {
            @let (name, discovery) = (row.name, row.account.discovery.as_ref());
            @let is_discovered = discovery.is_none_or(|discovery| discovery.discoveries > 0);
            @if row.account.refused { p.warning { "Atlas rejects the credential of account " b { (name) } "." } }
            @let expires = row.account.expires.map(Timestamp);
            @if expires.is_some_and(|end| end < view.rendered_at) {
                p.warning { "According to the config, the credential of account " b { (name) } " expired " (time_element(expires, view.rendered_at)) "." }
            }
            @if is_discovered && view.state.lacks_groups(name) { p.warning { "Account " b { (name) } " has no projects to poll." } }
            @if !is_discovered { p.warning { "The projects of account " b { (name) } " are not known yet." } }
            @if is_discovered && discovery.is_some_and(|discovery| !discovery.succeeded()) {
                p.warning { "The projects of account " b { (name) } " may be out of date: " a href="#accounts" { "the last discovery did not succeed" } "." }
            }
        }
        @if !view.state.last_reload_ok {
            p.warning { "The last reload of the config failed, and the previous config is in use. The log lists the errors." }
        }
    }
}

fn summary(view: &View<'_>) -> Markup {
    let mut counts: BTreeMap<(Severity, &str), BTreeMap<&str, usize>> = BTreeMap::new();
    for row in &view.peerings {
        *counts.entry((row.severity, row.status)).or_default().entry(row.key.provider).or_default() += 1;
    }
    let all = view.peerings.len();
    html! {
        section.summary {
            p.figure { b { (all) } " peerings" }
            p.figure { b { (all - unavailable(view)) } " available" }
            p.figure.bad[unavailable(view) > 0] { b { (unavailable(view)) } " not available" }
            p.figure.bad[not_current(view) > 0] { b { (not_current(view)) } " of " (view.listings.len()) " listings not current" }
            @if !counts.is_empty() {
                ul.counts {
                    @for ((severity, status), providers) in &counts {
                        li {
                            (badge(*severity, status)) " " b { (providers.values().sum::<usize>()) }
                            " " small { (providers.iter().map(|(name, n)| format!("{name} {n}")).collect::<Vec<_>>().join(", ")) }
                        }
                    }
                }
            }
        }
    }
}
