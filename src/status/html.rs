//! The rows as a page. What Atlas sends is escaped by the library; nothing here writes markup from data.

use std::collections::BTreeMap;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    search::Search,
    time::Time,
    view::{Account, Discovery, Failure, Kind, Of, Peering, Target, View},
};

/// Rows of a table that a browser shows at once.
pub(super) const PART: usize = 200;

pub(super) fn page(view: &View<'_>, search: &Search, telemetry_path: &str) -> String {
    let peerings: Vec<&Peering<'_>> = view.peerings.iter().filter(|row| row.is_found(search)).collect();
    let targets: Vec<&Target<'_>> = view.targets.iter().filter(|row| row.is_found(search)).collect();
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
                    (section_of_peerings(&peerings, search, view))
                    (section_of_targets(&targets, search, view))
                    (section_of_accounts(view))
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

/// A status says it in a word, a shape and a color.
fn badge(kind: Kind, status: &str) -> Markup {
    let shape = match kind {
        Kind::Failed => "✕",
        Kind::Unknown => "?",
        Kind::Waiting => "!",
        Kind::Changing => "…",
        Kind::Available => "✓",
    };
    html! { span class={ "badge " (kind.class()) } { span aria-hidden="true" { (shape) } " " (status) } }
}

fn section_of_peerings(rows: &[&Peering<'_>], search: &Search, view: &View<'_>) -> Markup {
    html! {
        section #peerings {
            h2 { "Peerings" (found(rows.len(), view.peerings.len())) }
            @if rows.is_empty() {
                p { @if view.peerings.is_empty() { "No peering is known." } @else { "No peering has all of these words." } }
            } @else {
                table {
                    thead { tr { th { "Group" } th { "Provider" } th { "Network" } th { "Status" } th { "Created" } th { "Details" } } }
                    tbody { @for row in part(rows, search.part) { (peering(row, view.made)) } }
                }
                (parts(rows.len(), search.part, "part", search))
            }
        }
    }
}

fn peering(row: &Peering<'_>, now: Time) -> Markup {
    let details = [
        ("id", row.id),
        ("connection", row.connection_id),
        ("cloud account", row.cloud_account),
        ("resource group", row.resource_group),
        ("region", row.accepter_region),
        ("addresses", row.cidr_block),
        ("Atlas's region", row.atlas_region),
        ("Atlas's addresses", row.atlas_cidr_block),
    ];
    html! {
        tr {
            td data-name="Group" { (group(row.of)) }
            td data-name="Provider" { (row.of.provider) }
            td.network data-name="Network" { code { (row.vpc_id) } }
            td data-name="Status" {
                (badge(row.kind, row.status))
                @if let Some(error) = row.error { p.error { (error) } }
                @if row.stale { p.stale { "as of " (moment(row.last_success, now)) } }
            }
            td data-name="Created" {
                (moment(row.created, now))
                @if let Some(end) = row.accept_by {
                    p.error { @if end > now { "to be accepted: AWS ends it " } @else { "not accepted: AWS ended it " } (moment(Some(end), now)) }
                }
            }
            td.details data-name="Details" {
                @for (name, value) in details.into_iter().filter(|(_, value)| !value.is_empty()) {
                    span { (name) " " code { (value) } } " "
                }
            }
        }
    }
}

fn section_of_targets(rows: &[&Target<'_>], search: &Search, view: &View<'_>) -> Markup {
    html! {
        section #targets {
            h2 { "Targets" (found(rows.len(), view.targets.len())) }
            @if rows.is_empty() {
                p { @if view.targets.is_empty() { "Nothing is polled." } @else { "No target has all of these words." } }
            } @else {
                table {
                    thead { tr { th { "Group" } th { "Provider" } th { "Peerings" } th { "Last success" } th { "Due" } th { "Last error" } } }
                    tbody { @for row in part(rows, search.targets) { (target(row, view.made)) } }
                }
                (parts(rows.len(), search.targets, "targets", search))
            }
        }
    }
}

fn target(row: &Target<'_>, now: Time) -> Markup {
    html! {
        tr {
            td data-name="Group" { (group(row.of)) }
            td data-name="Provider" { (row.of.provider) }
            td data-name="Peerings" { @match row.peerings { Some(number) => (number), None => "not known" } }
            td data-name="Last success" { @if row.last_success.is_some() { (moment(row.last_success, now)) } @else { "never" } }
            td data-name="Due" { (moment(row.due, now)) }
            td data-name="Last error" { (failure(row.failure.as_ref())) }
        }
    }
}

fn section_of_accounts(view: &View<'_>) -> Markup {
    html! {
        section #accounts {
            h2 { "Accounts" }
            table {
                thead { tr { th { "Account" } th { "Groups" } th { "Credential" } th { "Last discovery" } th { "Due" } th { "Last error" } } }
                tbody { @for row in &view.accounts { (account(row, view.made)) } }
            }
        }
    }
}

fn account(row: &Account<'_>, now: Time) -> Markup {
    let discovery = row.discovery.as_ref();
    html! {
        tr {
            td data-name="Account" { (row.name) }
            td data-name="Groups" { (row.groups) }
            td data-name="Credential" {
                @if row.refused { (badge(Kind::Failed, "refused")) } @else { "not refused" }
                @if row.unreadable { p.error { "a file of it cannot be read; what it held before is in use" } }
                @if let Some(end) = row.expires { p { @if end > now { "ends " } @else { "ended " } (moment(Some(end), now)) } }
            }
            td data-name="Last discovery" {
                @match discovery {
                    None => "groups are listed in the config",
                    Some(Discovery { last_success: None, .. }) => "never succeeded",
                    Some(Discovery { last_success, .. }) => (moment(*last_success, now)),
                }
            }
            td data-name="Due" { (moment(discovery.and_then(|discovery| discovery.due), now)) }
            td data-name="Last error" {
                @match discovery {
                    Some(Discovery { success: false, failure: None, discoveries: 1.., .. }) =>
                        "more than half of the groups were missing; the next one decides",
                    _ => (failure(discovery.and_then(|discovery| discovery.failure.as_ref()))),
                }
            }
        }
    }
}

fn group(of: Of<'_>) -> Markup {
    let name = if of.group_name.is_empty() { of.group_id } else { of.group_name };
    html! {
        @match of.console {
            Some(console) => a href={ (console) "/v2/" (of.group_id) "#/security/network/peering" } { (name) },
            None => (name),
        }
        @if name != of.group_id { " " small { code { (of.group_id) } } }
    }
}

fn failure(failure: Option<&Failure<'_>>) -> Markup {
    html! {
        @if let Some(failure) = failure { p.error { b { (failure.reason) } ": " (failure.error) "; " (failure.advice) } }
    }
}

fn moment(time: Option<Time>, now: Time) -> Markup {
    html! { @if let Some(time) = time { time datetime=(time) title=(time) { (time.seen_from(now)) } } }
}

fn found(found: usize, all: usize) -> Markup {
    html! { @if found == all { " " small { (all) } } @else { " " small { (found) " of " (all) } } }
}

/// The last part, where the number is beyond it.
fn part<T>(rows: &[T], number: usize) -> &[T] {
    rows.chunks(PART).take(number).last().unwrap_or_default()
}

/// Links to the other parts of a long table.
fn parts(rows: usize, number: usize, key: &str, search: &Search) -> Markup {
    let last = rows.div_ceil(PART);
    if last <= 1 {
        return PreEscaped(String::new());
    }
    let number = number.min(last);
    html! {
        nav {
            @if number > 1 { a href=(search.address(key, number - 1)) { "← before" } }
            " part " (number) " of " (last) ", " (PART) " rows each "
            @if number < last { a href=(search.address(key, number + 1)) { "after →" } }
        }
    }
}
