//! The tables of the page, in parts that a browser shows at once.

use maud::{Markup, PreEscaped, html};

use super::{
    search::Search,
    time::Time,
    view::{Account, Discovery, Failure, Kind, ListingRow, Of, Peering, View},
};

/// Rows of a table that a browser shows at once.
pub(super) const PART: usize = 200;

/// A status says it in a word, a shape and a color.
pub(super) fn badge(kind: Kind, status: &str) -> Markup {
    let shape = match kind {
        Kind::Failed => "✕",
        Kind::Unknown => "?",
        Kind::Waiting => "!",
        Kind::Changing => "…",
        Kind::Available => "✓",
    };
    html! { span class={ "badge " (kind.class()) } { span aria-hidden="true" { (shape) } " " (status) } }
}

pub(super) fn peerings(rows: &[&Peering<'_>], search: &Search, view: &View<'_>) -> Markup {
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

pub(super) fn targets(rows: &[&ListingRow<'_>], search: &Search, view: &View<'_>) -> Markup {
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

fn target(row: &ListingRow<'_>, now: Time) -> Markup {
    html! {
        tr {
            td data-name="Group" { (group(row.of)) }
            td data-name="Provider" { (row.of.provider) }
            td data-name="Peerings" { @match row.peerings { Some(number) => (number), None => "not known" } }
            td data-name="Last success" { @if row.last_success.is_some() { (moment(row.last_success, now)) } @else { "never" } }
            td data-name="Due" { (moment(row.due, now)) }
            td data-name="Last error" {
                @match &row.failure {
                    Some(over) if row.success => p.stale { b { (over.reason) } ", " (moment(over.time, now)) ": " (over.error) },
                    other => (failure(other.as_ref())),
                }
            }
        }
    }
}

pub(super) fn accounts(view: &View<'_>) -> Markup {
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

pub(super) fn moment(time: Option<Time>, now: Time) -> Markup {
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
