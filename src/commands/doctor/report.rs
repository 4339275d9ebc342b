//! What was found out, as a table for people.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
};

use comfy_table::{Table, presets::NOTHING};

use super::trouble::Trouble;
use atlas::{GroupId, Provider};

/// In how many places something is wrong is counted; so many are named.
const NAMED: usize = 3;

/// What was found out about every account.
#[derive(Debug)]
pub struct Diagnosis {
    accounts: Vec<Account>,
}

/// What was found out about one account.
#[derive(Debug)]
pub(super) struct Account {
    name: String,
    base_url: String,
    pub(super) checks: Vec<Check>,
    pub(super) groups: Vec<Group>,
}

/// One question about an account.
#[derive(Debug)]
pub(super) struct Check {
    subject: &'static str,
    answer: CheckOutcome,
}

#[derive(Debug)]
enum CheckOutcome {
    Ok(String),
    Trouble(Trouble),
    NotMade,
}

/// What was found out about one group.
#[derive(Debug)]
pub(super) struct Group {
    id: String,
    name: String,
    /// Nothing of a provider that nobody asked for.
    pub(super) findings: BTreeMap<Provider, Finding>,
    /// Of the rate limit.
    pub(super) left: String,
}

#[derive(Debug)]
pub(super) enum Finding {
    Peerings(usize),
    Trouble(Trouble),
}

impl Account {
    pub(super) fn new(name: &str, base_url: &str) -> Self {
        Self { name: name.to_owned(), base_url: base_url.to_owned(), checks: Vec::new(), groups: Vec::new() }
    }

    /// Everything that is wrong, with the place.
    fn troubles(&self) -> impl Iterator<Item = (String, &Trouble)> {
        let checks = self.checks.iter().filter_map(|check| match &check.answer {
            CheckOutcome::Trouble(trouble) => Some((check.subject.to_owned(), trouble)),
            CheckOutcome::Ok(_) | CheckOutcome::NotMade => None,
        });
        checks.chain(self.groups.iter().flat_map(Group::troubles))
    }
}

impl Check {
    pub(super) fn ok(subject: &'static str, message: String) -> Self {
        Self { subject, answer: CheckOutcome::Ok(message) }
    }

    pub(super) fn trouble(subject: &'static str, trouble: Trouble) -> Self {
        Self { subject, answer: CheckOutcome::Trouble(trouble) }
    }

    /// Something before it went wrong.
    pub(super) fn not_made(subject: &'static str) -> Self {
        Self { subject, answer: CheckOutcome::NotMade }
    }
}

impl Group {
    /// A group that nobody asked about yet.
    pub(super) fn unseen(id: &GroupId, name: &str) -> Self {
        Self { id: id.to_string(), name: printable(name), findings: BTreeMap::new(), left: "-".to_owned() }
    }

    /// Each kind of trouble with the providers that have it.
    fn troubles(&self) -> Vec<(String, &Trouble)> {
        let mut kinds: Vec<(Vec<&str>, &Trouble)> = Vec::new();
        for (provider, finding) in &self.findings {
            let Finding::Trouble(trouble) = finding else { continue };
            match kinds.iter_mut().find(|(_, known)| known.code == trouble.code) {
                Some((providers, _)) => providers.push(provider.as_str()),
                None => kinds.push((vec![provider.as_str()], trouble)),
            }
        }
        let place = |providers: Vec<&str>| format!("group {} ({})", self.id, providers.join(", "));
        kinds.into_iter().map(|(providers, trouble)| (place(providers), trouble)).collect()
    }

    fn result(&self) -> String {
        let codes: Vec<&str> = self.troubles().into_iter().map(|(_, trouble)| trouble.code.as_str()).collect();
        match codes.as_slice() {
            [] if self.findings.is_empty() => "not checked".to_owned(),
            [] => "ok".to_owned(),
            codes => codes.join(", "),
        }
    }
}

impl Diagnosis {
    /// Puts together what was found out; a group of two accounts is watched with one of them only.
    pub(super) fn new(mut accounts: Vec<Account>) -> Self {
        let mut seen: HashMap<String, String> = HashMap::new();
        for account in &mut accounts {
            let shared: Vec<String> = account.groups.iter().filter_map(|group| seen.get(&group.id)).cloned().collect();
            if let Some(other) = shared.first() {
                account.checks.push(Check::trouble("overlap", Trouble::overlap(shared.len(), other)));
            }
            for group in &account.groups {
                seen.entry(group.id.clone()).or_insert_with(|| account.name.clone());
            }
        }
        Self { accounts }
    }

    /// Whether nothing at all is wrong.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.accounts.iter().all(|account| account.troubles().next().is_none())
    }

    /// The tables, and below each what to do.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for account in &self.accounts {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "account `{}` at {}\n", account.name, account.base_url);
            text.push_str(&checks(&account.checks));
            if !account.groups.is_empty() {
                text.push('\n');
                text.push_str(&groups(&account.groups));
            }
            text.push('\n');
            text.push_str(&advice(account));
        }
        text.push_str(if self.is_well() { "all is well\n" } else { "not all is well\n" });
        text
    }
}

fn checks(checks: &[Check]) -> String {
    let mut table = table(["CHECK", "RESULT", "FOUND"]);
    for Check { subject, answer } in checks {
        table.add_row(match answer {
            CheckOutcome::Ok(message) => [*subject, "ok", message],
            CheckOutcome::Trouble(trouble) => [*subject, &trouble.code, &trouble.said],
            CheckOutcome::NotMade => [*subject, "not checked", ""],
        });
    }
    written(&table)
}

fn groups(groups: &[Group]) -> String {
    let mut table = table(["GROUP", "NAME", "AWS", "AZURE", "GCP", "REQUESTS LEFT", "RESULT"]);
    for group in groups {
        let [aws, azure, gcp] = Provider::ALL.map(|provider| match group.findings.get(&provider) {
            Some(Finding::Peerings(count)) => count.to_string(),
            Some(Finding::Trouble(_)) => "?".to_owned(),
            None => "-".to_owned(),
        });
        table.add_row([&group.id, &group.name, &aws, &azure, &gcp, &group.left, &group.result()]);
    }
    written(&table)
}

/// What to do, once for everything that is wrong in the same way.
fn advice(account: &Account) -> String {
    let mut ways: Vec<(&Trouble, Vec<String>)> = Vec::new();
    for (place, trouble) in account.troubles() {
        let same = ways.iter_mut().find(|(known, _)| (&known.code, &known.advice) == (&trouble.code, &trouble.advice));
        match same {
            Some((_, places)) => places.push(place),
            None => ways.push((trouble, vec![place])),
        }
    }
    let mut text = String::new();
    for (Trouble { code, said, advice }, places) in ways {
        let more = places.len().saturating_sub(NAMED);
        let named = places.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        let and_more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let _ = writeln!(text, "{code}: {advice}\n  where: {named}{and_more}\n  what: {said}\n");
    }
    text
}

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header);
    table
}

/// The table without spaces at the ends of its lines.
fn written(table: &Table) -> String {
    table.lines().flat_map(|line| [line.trim().to_owned(), "\n".to_owned()]).collect()
}

/// What Atlas sends as a name may hold anything, and goes to a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(64).collect()
}
