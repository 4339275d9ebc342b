//! The tables of the status page. Long tables come in parts.

use maud::{Markup, html};

use super::{
    search::Search,
    time::Timestamp,
    view::{AccountRow, ListingRow, PeeringRow, RowKey, Severity},
};

/// Rows of a table in one part.
pub(super) const MAX_ROWS: usize = 200;

/// A row of a table that can be searched.
pub(super) trait Row {
    /// What the rows are, which is also the ID of the section.
    const NAME: &'static str;
    const TITLE: &'static str;
    const COLUMNS: [&'static str; 6];

    /// The key of the part in the query, and which part to show.
    fn part(search: &Search) -> (&'static str, usize);
    fn matches(&self, search: &Search) -> bool;
    fn cells(&self, now: Timestamp) -> [Markup; 6];
}

/// A section with the rows that match the search.
pub(super) fn section<R: Row>(rows: &[R], search: &Search, now: Timestamp) -> Markup {
    let matching: Vec<&R> = rows.iter().filter(|row| row.matches(search)).collect();
    let (key, number) = R::part(search);
    let last = matching.len().div_ceil(MAX_ROWS);
    let number = number.min(last);
    let part = matching.chunks(MAX_ROWS).nth(number.saturating_sub(1)).unwrap_or_default();
    html! {
        section id=(R::NAME) {
            h2 { (R::TITLE) " " small { @if matching.len() < rows.len() { (matching.len()) " of " } (rows.len()) } }
            @if rows.is_empty() {
                p { "There are no " (R::NAME) "." }
            } @else if matching.is_empty() {
                p { "No " (R::NAME) " match the search." }
            } @else {
                (table(R::COLUMNS, part.iter().map(|row| row.cells(now))))
            }
            @if last > 1 {
                nav {
                    @if number > 1 { a href=(search.link(key, number - 1)) { "← previous" } }
                    " part " (number) " of " (last) ", " (MAX_ROWS) " rows each "
                    @if number < last { a href=(search.link(key, number + 1)) { "next →" } }
                }
            }
        }
    }
}

fn table(columns: [&str; 6], rows: impl Iterator<Item = [Markup; 6]>) -> Markup {
    html! {
        table {
            thead { tr { @for name in columns { th { (name) } } } }
            tbody { @for row in rows { tr { @for (name, cell) in columns.iter().zip(row) { td data-name=(name) { (cell) } } } } }
        }
    }
}

impl Row for PeeringRow<'_> {
    const NAME: &'static str = "peerings";
    const TITLE: &'static str = "Peerings";
    const COLUMNS: [&'static str; 6] = ["Project", "Provider", "Network", "Status", "Created", "Details"];

    fn part(search: &Search) -> (&'static str, usize) {
        ("part", search.peerings_part)
    }

    fn matches(&self, search: &Search) -> bool {
        let details = self.details().map(|(_, text)| text);
        let own = [self.vpc_id, self.status, self.error.unwrap_or_default()];
        search.matches(self.key.texts().into_iter().chain(own).chain(details))
    }

    fn cells(&self, now: Timestamp) -> [Markup; 6] {
        [
            group(self.key),
            html! { (self.key.provider) },
            html! { code { (self.vpc_id) } },
            html! {
                (badge(self.severity, self.status))
                @if let Some(error) = self.error { p.error { (error) } }
                @if self.stale { p.stale { "as of " (time_element(self.last_success, now)) } }
            },
            html! {
                (time_element(self.created, now))
                @if let Some(end) = self.accept_by {
                    p.error { @if end > now { "accept in AWS: the request expires " } @else { "not accepted: the request expired " } (time_element(end, now)) }
                }
            },
            html! {
                @for (name, value) in self.details().into_iter().filter(|(_, value)| !value.is_empty()) {
                    span { (name) " " code { (value) } } " "
                }
            },
        ]
    }
}

impl Row for ListingRow<'_> {
    const NAME: &'static str = "listings";
    const TITLE: &'static str = "Listings";
    const COLUMNS: [&'static str; 6] = ["Project", "Provider", "Peerings", "Last success", "Due", "Last error"];

    fn part(search: &Search) -> (&'static str, usize) {
        ("targets", search.listings_part)
    }

    fn matches(&self, search: &Search) -> bool {
        let failure = self.failure.iter().flat_map(|failure| [failure.reason, failure.error]);
        search.matches(self.key.texts().into_iter().chain(failure))
    }

    fn cells(&self, now: Timestamp) -> [Markup; 6] {
        [
            group(self.key),
            html! { (self.key.provider) },
            html! { @match self.peerings { Some(number) => (number), None => "unknown" } },
            html! { @if self.last_success.is_some() { (time_element(self.last_success, now)) } @else { "never" } },
            time_element(self.due, now),
            html! {
                @match &self.failure {
                    Some(resolved) if self.success =>
                        p.stale { b { (resolved.reason) } ", " (time_element(resolved.time, now)) ": " (resolved.error) },
                    Some(failure) => (error(failure.reason, failure.error, failure.advice)),
                    None => {},
                }
            },
        ]
    }
}

pub(super) fn accounts(rows: &[AccountRow<'_>], now: Timestamp) -> Markup {
    html! {
        section #accounts {
            h2 { "Accounts" }
            (table(["Account", "Projects", "Credential", "Last discovery", "Due", "Last error"], rows.iter().map(|row| account(row, now))))
        }
    }
}

fn account(row: &AccountRow<'_>, now: Timestamp) -> [Markup; 6] {
    let (expires, discovery) = (row.account.expires.map(Timestamp), row.account.discovery.as_ref());
    [
        html! { (row.name) },
        html! { (row.groups) },
        html! {
            @if row.account.refused { (badge(Severity::Failed, "rejected")) } @else { "not rejected" }
            @if row.account.unreadable { p.error { "a credential file cannot be read; its previous contents are in use" } }
            @if let Some(end) = expires { p { @if end > now { "expires " } @else { "expired " } (time_element(end, now)) } }
        },
        html! {
            @match discovery.map(|discovery| discovery.last_success) {
                None => "none; the config lists the projects",
                Some(None) => "never succeeded",
                Some(Some(time)) => (time_element(Timestamp(time), now)),
            }
        },
        time_element(row.due, now),
        html! {
            @if let Some(discovery) = discovery.filter(|discovery| discovery.discoveries > 0 && !discovery.succeeded()) {
                @match &discovery.failure {
                    Some(failure) => (error(failure.reason.as_str(), &failure.message, failure.advice)),
                    None => "more than half of the projects were missing; the next discovery must confirm it",
                }
            }
        },
    ]
}

/// A status as a word, a shape and a color.
pub(super) fn badge(severity: Severity, status: &str) -> Markup {
    let (class, shape) = match severity {
        Severity::Failed => ("failed", "✕"),
        Severity::Unknown => ("unknown", "?"),
        Severity::Waiting => ("waiting", "!"),
        Severity::Changing => ("changing", "…"),
        Severity::Available => ("available", "✓"),
    };
    html! { span class={ "badge " (class) } { span aria-hidden="true" { (shape) } " " (status) } }
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
