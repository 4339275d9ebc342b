//! The rows as a page. What Atlas sends is escaped by the library; nothing here writes markup from data.

use std::collections::BTreeMap;

use maud::{DOCTYPE, Markup, html};

use super::{
    search::Search,
    tables::{accounts, badge, moment, peerings, targets},
    view::{Kind, ListingRow, Peering, View},
};

pub(super) fn page(view: &View<'_>, search: &Search, telemetry_path: &str) -> String {
    let found_peerings: Vec<&Peering<'_>> = view.peerings.iter().filter(|row| row.is_found(search)).collect();
    let found_targets: Vec<&ListingRow<'_>> = view.targets.iter().filter(|row| row.is_found(search)).collect();
    let page = html! {
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
                        input type="search" name="q" value=(search.text) placeholder="group, network, status, error …" aria-label="Search";
                        button { "Search" }
                    }
                }
                p #note role="alert" hidden {}
                main {
                    p.made { "As of " time datetime=(view.made) { (view.made) } (shard(view)) }
                    (warnings(view))
                    (summary(view))
                    (peerings(&found_peerings, search, view))
                    (targets(&found_targets, search, view))
                    (accounts(view))
                }
                footer {
                    a href=(telemetry_path.trim_start_matches('/')) { "Metrics" }
                    " · " a href="api/v1/peerings" { "peerings" } " and " a href="api/v1/targets" { "targets" } " as JSON"
                    " · " a href="-/healthy" { "healthy" } " · " a href="-/ready" { "ready" }
                    " · mongodbatlas-peering-exporter " (env!("CARGO_PKG_VERSION"))
                }
            }
        }
    };
    page.into_string()
}

/// What the tab of the browser tells without being opened.
fn title(view: &View<'_>) -> String {
    let (unavailable, failing) = (unavailable(view), failing(view));
    match (unavailable, failing) {
        (0, 0) => "Atlas peerings".to_owned(),
        (_, 0) => format!("({unavailable}) Atlas peerings"),
        _ => format!("({unavailable}, {failing} blind) Atlas peerings"),
    }
}

fn unavailable(view: &View<'_>) -> usize {
    view.peerings.iter().filter(|row| row.kind != Kind::Available).count()
}

fn failing(view: &View<'_>) -> usize {
    view.targets.iter().filter(|row| !row.success).count()
}

/// That there is more than this exporter knows, where it is one of several.
fn shard(view: &View<'_>) -> Markup {
    let (index, count) = view.shard;
    html! { @if count > 1 { ", shard " (index) " of " (count) ", counted from 0: other groups are with the others" } "." }
}

/// Why what follows may not be the whole truth.
fn warnings(view: &View<'_>) -> Markup {
    let unpolled = view.targets.iter().filter(|row| row.polls == 0).count();
    let failed = view.targets.iter().filter(|row| !row.success && row.polls > 0).count();
    let stale = view.targets.iter().filter(|row| row.stale).count();
    html! {
        @if let Some(why) = &view.stuck { p.warning { b { "This page is frozen: " } (why) ". Start the exporter again." } }
        @if unpolled > 0 {
            p.warning { "Not everything is known yet: " (unpolled) " of " (view.targets.len()) " targets were not polled." }
        }
        @if failed > 0 {
            p.warning {
                "Do not trust this page alone: the last poll of " a href="#targets" { (failed) " of " (view.targets.len()) " targets" }
                " failed. Of " (stale) " of them older peerings are shown, of the others none."
            }
        }
        @for account in &view.accounts {
            @let asked = account.discovery.as_ref().is_none_or(|discovery| discovery.discoveries > 0);
            @if account.refused { p.warning { "Atlas refuses the credential of the account " b { (account.name) } "." } }
            @if account.expires.is_some_and(|end| end < view.made) {
                p.warning { "By the config, the credential of the account " b { (account.name) } " ended " (moment(account.expires, view.made)) "." }
            }
            // One of several exporters may well have nothing to do for an account.
            @if asked && account.groups == 0 && view.shard.1 == 1 { p.warning { "No group of the account " b { (account.name) } " is watched." } }
            @if !asked { p.warning { "The groups of the account " b { (account.name) } " are not known yet." } }
            @if asked && account.discovery.as_ref().is_some_and(|discovery| !discovery.success) {
                p.warning { "The groups of the account " b { (account.name) } " may be others by now: " a href="#accounts" { "they could not be discovered" } "." }
            }
        }
        @if !view.config_is_good {
            p.warning { "The config has faults since it was last read; the one before is in use. The log names the faults." }
        }
    }
}

fn summary(view: &View<'_>) -> Markup {
    let mut counts: BTreeMap<(Kind, &str), BTreeMap<&str, usize>> = BTreeMap::new();
    for row in &view.peerings {
        *counts.entry((row.kind, row.status)).or_default().entry(row.of.provider).or_default() += 1;
    }
    let all = view.peerings.len();
    html! {
        section.summary {
            p.figure { b { (all) } " peerings" }
            p.figure { b { (all - unavailable(view)) } " available" }
            p.figure.bad[unavailable(view) > 0] { b { (unavailable(view)) } " not available" }
            p.figure.bad[failing(view) > 0] { b { (failing(view)) } " of " (view.targets.len()) " targets blind" }
            @if !counts.is_empty() {
                ul.counts {
                    @for ((kind, status), providers) in &counts {
                        li {
                            (badge(*kind, status)) " " b { (providers.values().sum::<usize>()) }
                            " " small { (providers.iter().map(|(name, n)| format!("{name} {n}")).collect::<Vec<_>>().join(", ")) }
                        }
                    }
                }
            }
        }
    }
}
