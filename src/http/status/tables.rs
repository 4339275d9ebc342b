//! The tables of the status page. Long tables come in parts.

use maud::{Markup, PreEscaped, html};

use super::{
    search::Search,
    time::Timestamp,
    view::{AccountRow, ListingRow, PeeringRow, RowKey, Severity, View},
};

/// Rows of a table in one part.
pub(super) const MAX_ROWS: usize = 200;

/// A status as a word, a shape and a color.
pub(super) fn badge(severity: Severity, status: &str) -> Markup {
    let shape = match severity {
        Severity::Failed => "✕",
        Severity::Unknown => "?",
        Severity::Waiting => "!",
        Severity::Changing => "…",
        Severity::Available => "✓",
    };
    html! { span class={ "badge " (severity.class()) } { span aria-hidden="true" { (shape) } " " (status) } }
}

pub(super) fn peerings(rows: &[&PeeringRow<'_>], search: &Search, view: &View<'_>) -> Markup {
    html! {
        section #peerings {
            h2 { "Peerings" (count(rows.len(), view.peerings.len())) }
            @if rows.is_empty() {
                p { @if view.peerings.is_empty() { "There are no peerings." } @else { "No peering matches the search." } }
            } @else {
                table {
                    thead { tr { th { "Project" } th { "Provider" } th { "Network" } th { "Status" } th { "Created" } th { "Details" } } }
                    tbody { @for row in part(rows, search.peerings_part) { (peering(row, view.rendered_at)) } }
                }
                (part_links(rows.len(), search.peerings_part, "part", search))
            }
        }
    }
}

fn peering(row: &PeeringRow<'_>, now: Timestamp) -> Markup {
    let details = [
        ("ID", row.id),
        ("connection", row.connection_id),
        ("cloud account", row.cloud_account),
        ("resource group", row.resource_group),
        ("region", row.accepter_region),
        ("CIDR block", row.cidr_block),
        ("Atlas region", row.atlas_region),
        ("Atlas CIDR block", row.atlas_cidr_block),
    ];
    html! {
        tr {
            td data-name="Project" { (group(row.key)) }
            td data-name="Provider" { (row.key.provider) }
            td.network data-name="Network" { code { (row.vpc_id) } }
            td data-name="Status" {
                (badge(row.severity, row.status))
                @if let Some(error) = row.error { p.error { (error) } }
                @if row.stale { p.stale { "as of " (time_element(row.last_success, now)) } }
            }
            td data-name="Created" {
                (time_element(row.created, now))
                @if let Some(end) = row.accept_by {
                    p.error { @if end > now { "accept in AWS: the request expires " } @else { "not accepted: the request expired " } (time_element(end, now)) }
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

pub(super) fn listings(rows: &[&ListingRow<'_>], search: &Search, view: &View<'_>) -> Markup {
    html! {
        section #listings {
            h2 { "Listings" (count(rows.len(), view.listings.len())) }
            @if rows.is_empty() {
                p { @if view.listings.is_empty() { "There are no listings." } @else { "No listing matches the search." } }
            } @else {
                table {
                    thead { tr { th { "Project" } th { "Provider" } th { "Peerings" } th { "Last success" } th { "Due" } th { "Last error" } } }
                    tbody { @for row in part(rows, search.listings_part) { (listing(row, view.rendered_at)) } }
                }
                (part_links(rows.len(), search.listings_part, "targets", search))
            }
        }
    }
}

fn listing(row: &ListingRow<'_>, now: Timestamp) -> Markup {
    html! {
        tr {
            td data-name="Project" { (group(row.key)) }
            td data-name="Provider" { (row.key.provider) }
            td data-name="Peerings" { @match row.peerings { Some(number) => (number), None => "unknown" } }
            td data-name="Last success" { @if row.last_success.is_some() { (time_element(row.last_success, now)) } @else { "never" } }
            td data-name="Due" { (time_element(row.due, now)) }
            td data-name="Last error" {
                @match &row.failure {
                    Some(resolved) if row.success =>
                        p.stale { b { (resolved.reason) } ", " (time_element(resolved.time, now)) ": " (resolved.error) },
                    Some(failure) => (error(failure.reason, failure.error, failure.advice)),
                    None => {},
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
                thead { tr { th { "Account" } th { "Projects" } th { "Credential" } th { "Last discovery" } th { "Due" } th { "Last error" } } }
                tbody { @for row in &view.accounts { (account(row, view.rendered_at)) } }
            }
        }
    }
}

fn account(row: &AccountRow<'_>, now: Timestamp) -> Markup {
    let (expires, discovery) = (row.account.expires.map(Timestamp), row.account.discovery.as_ref());
    html! {
        tr {
            td data-name="Account" { (row.name) }
            td data-name="Projects" { (row.groups) }
            td data-name="Credential" {
                @if row.account.refused { (badge(Severity::Failed, "rejected")) } @else { "not rejected" }
                @if row.account.unreadable { p.error { "a credential file cannot be read; its previous contents are in use" } }
                @if let Some(end) = expires { p { @if end > now { "expires " } @else { "expired " } (time_element(end, now)) } }
            }
            td data-name="Last discovery" {
                @match discovery.map(|discovery| discovery.last_success) {
                    None => "none; the config lists the projects",
                    Some(None) => "never succeeded",
                    Some(Some(time)) => (time_element(Timestamp(time), now)),
                }
            }
            td data-name="Due" { (time_element(row.due, now)) }
            td data-name="Last error" {
                @if let Some(discovery) = discovery.filter(|discovery| discovery.discoveries > 0 && !discovery.succeeded()) {
                    @match &discovery.failure {
                        Some(failure) => (error(failure.reason.as_str(), &failure.message, failure.advice)),
                        None => "more than half of the projects were missing; the next discovery must confirm it",
                    }
                }
            }
        }
    }
}

fn group(key: RowKey<'_>) -> Markup {
    let name = if key.group_name.is_empty() { key.group_id } else { key.group_name };
    html! {
        @match key.console {
            Some(console) => a href={ (console) "/v2/" (key.group_id) "#/security/network/peering" } { (name) },
            None => (name),
        }
        @if name != key.group_id { " " small { code { (key.group_id) } } }
    }
}

fn error(reason: &str, error: &str, advice: &str) -> Markup {
    html! { p.error { b { (reason) } ": " (error) "; " (advice) } }
}

pub(super) fn time_element(time: impl Into<Option<Timestamp>>, now: Timestamp) -> Markup {
    html! { @if let Some(time) = time.into() { time datetime=(time) title=(time) { (time.relative_to(now)) } } }
}

/// How many rows match the search.
fn count(matching: usize, all: usize) -> Markup {
    html! { " " small { @if matching < all { (matching) " of " } (all) } }
}

/// The rows of a part; those of the last part if the number is too large.
fn part<T>(rows: &[T], number: usize) -> &[T] {
    rows.chunks(MAX_ROWS).take(number).last().unwrap_or_default()
}

/// Links to the other parts of a long table.
fn part_links(rows: usize, number: usize, key: &str, search: &Search) -> Markup {
    let last = rows.div_ceil(MAX_ROWS);
    if last <= 1 {
        return PreEscaped(String::new());
    }
    let number = number.min(last);
    html! {
        nav {
            @if number > 1 { a href=(search.link(key, number - 1)) { "← previous" } }
            " part " (number) " of " (last) ", " (MAX_ROWS) " rows each "
            @if number < last { a href=(search.link(key, number + 1)) { "next →" } }
        }
    }
}
