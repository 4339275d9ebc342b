//! The diagnosis as tables for people.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
};

use atlas::{ErrorKind, GroupId, Provider};
use comfy_table::{Table, presets::NOTHING};

use crate::{config::GroupConfig, logging::escape_hidden};

/// The number of occurrences of a problem that are named; the others are counted.
const MAX_EXAMPLES: usize = 3;

/// The reports of all accounts.
#[derive(Debug)]
pub struct Diagnosis {
    accounts: Vec<AccountReport>,
}

#[derive(Debug)]
pub(super) struct AccountReport {
    pub(super) name: String,
    pub(super) base_url: String,
    pub(super) checks: Vec<Check>,
    pub(super) groups: Vec<GroupReport>,
}

/// One check of an account.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) subject: &'static str,
    /// None if another problem prevented the check.
    pub(super) result: Option<Result<String, Problem>>,
}

#[derive(Debug)]
pub(super) struct GroupReport {
    pub(super) group: GroupConfig,
    /// How many each provider has; empty if the group was not checked.
    pub(super) peerings: BTreeMap<Provider, Result<usize, Problem>>,
    pub(super) requests_left: String,
}

#[derive(Debug)]
pub(super) struct Problem {
    /// Atlas's `errorCode`, or the reason that the metrics show.
    code: String,
    message: String,
    /// How to fix it.
    advice: &'static str,
}

impl Problem {
    pub(super) fn of(error: &ErrorKind) -> Self {
        let code = error.code().unwrap_or(error.reason().as_str());
        Self { code: escape_hidden(code), message: escape_hidden(&error.error_chain()), advice: error.advice() }
    }

    /// The credential sees this many groups, and none is selected.
    pub(super) fn no_group(visible: usize) -> Self {
        let advice = match visible {
            0 => "give the credential Organization Read Only, or Project Read Only in each project to monitor",
            _ => "check `include` and `exclude` under `discover`",
        };
        let message = format!("the credential sees {visible} projects, and none of them is selected");
        Self { code: "no_group".to_owned(), message, advice }
    }

    /// This many groups are visible to another account too.
    fn overlap(groups: usize, other: &str) -> Self {
        let message = format!(
            "{groups} projects are also visible to the account `{other}`; whichever account discovers a project first \
             monitors it"
        );
        let advice = "select each project in one account only, with `include` and `exclude` under `discover`";
        Self { code: "overlap".to_owned(), message, advice }
    }
}

impl GroupReport {
    pub(super) fn new(group: GroupConfig) -> Self {
        Self { group, peerings: BTreeMap::new(), requests_left: "-".to_owned() }
    }

    /// The first problem of each code, and where it occurs.
    fn problems(&self) -> Vec<(String, &Problem)> {
        let mut kinds: Vec<(Vec<&str>, &Problem)> = Vec::new();
        for (provider, peerings) in &self.peerings {
            let Err(problem) = peerings else { continue };
            match kinds.iter_mut().find(|(_, known)| known.code == problem.code) {
                Some((providers, _)) => providers.push(provider.as_str()),
                None => kinds.push((vec![provider.as_str()], problem)),
            }
        }
        let occurrence = |providers: Vec<&str>| format!("project {} ({})", self.group.id, providers.join(", "));
        kinds.into_iter().map(|(providers, problem)| (occurrence(providers), problem)).collect()
    }

    fn result(&self) -> String {
        let codes: Vec<&str> = self.problems().into_iter().map(|(_, problem)| problem.code.as_str()).collect();
        match codes.as_slice() {
            [] if self.peerings.is_empty() => "not checked".to_owned(),
            [] => "ok".to_owned(),
            codes => codes.join(", "),
        }
    }
}

impl AccountReport {
    /// Every problem and where it occurs. Problems with the same code and advice are one.
    fn problems(&self) -> Vec<(&Problem, Vec<String>)> {
        let checks = self.checks.iter().filter_map(|check| match &check.result {
            Some(Err(problem)) => Some((check.subject.to_owned(), problem)),
            _ => None,
        });
        let mut problems: Vec<(&Problem, Vec<String>)> = Vec::new();
        for (occurrence, problem) in checks.chain(self.groups.iter().flat_map(GroupReport::problems)) {
            let is_same = |known: &Problem| (&known.code, &known.advice) == (&problem.code, &problem.advice);
            match problems.iter_mut().find(|(known, _)| is_same(known)) {
                Some((_, occurrences)) => occurrences.push(occurrence),
                None => problems.push((problem, vec![occurrence])),
            }
        }
        problems
    }
}

impl Diagnosis {
    /// Puts the reports together and finds groups that two accounts discover.
    pub(super) fn new(mut accounts: Vec<AccountReport>) -> Self {
        let mut seen: HashMap<GroupId, String> = HashMap::new();
        for account in &mut accounts {
            let shared: Vec<String> =
                account.groups.iter().filter_map(|report| seen.get(&report.group.id)).cloned().collect();
            if let Some(other) = shared.first() {
                let problem = Problem::overlap(shared.len(), other);
                account.checks.push(Check { subject: "overlap", result: Some(Err(problem)) });
            }
            for report in &account.groups {
                seen.entry(report.group.id.clone()).or_insert_with(|| account.name.clone());
            }
        }
        Self { accounts }
    }

    /// The number of problems. One that occurs several times counts once for each account.
    #[must_use]
    pub fn problem_count(&self) -> usize {
        self.accounts.iter().map(|account| account.problems().len()).sum()
    }

    /// The tables of each account, followed by its problems and how to fix them.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for account in &self.accounts {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "account `{}` at {}\n", account.name, account.base_url);
            text.push_str(&check_table(&account.checks));
            if !account.groups.is_empty() {
                text.push('\n');
                text.push_str(&group_table(&account.groups));
            }
            text.push('\n');
            for (Problem { code, message, advice }, occurrences) in account.problems() {
                let more = occurrences.len().saturating_sub(MAX_EXAMPLES);
                let named = occurrences.iter().take(MAX_EXAMPLES).cloned().collect::<Vec<_>>().join(", ");
                let and_more = if more > 0 { format!(" and {more} more") } else { String::new() };
                let _ = writeln!(text, "{code}: {advice}\n  where: {named}{and_more}\n  error: {message}\n");
            }
        }
        let _ = match self.problem_count() {
            0 => writeln!(text, "no problems found"),
            1 => writeln!(text, "1 problem found"),
            count => writeln!(text, "{count} problems found"),
        };
        text
    }
}

fn check_table(checks: &[Check]) -> String {
    let row = |Check { subject, result }: &Check| {
        let (result, details) = match result {
            Some(Ok(message)) => ("ok", message.as_str()),
            Some(Err(problem)) => (problem.code.as_str(), problem.message.as_str()),
            None => ("not checked", ""),
        };
        [subject, result, &escape_hidden(details)].map(str::to_owned)
    };
    table(["CHECK", "RESULT", "DETAILS"], checks.iter().map(row))
}

fn group_table(groups: &[GroupReport]) -> String {
    let row = |report: &GroupReport| {
        let [aws, azure, gcp] = Provider::ALL.map(|provider| match report.peerings.get(&provider) {
            Some(Ok(count)) => count.to_string(),
            Some(Err(_)) => "?".to_owned(),
            None => "-".to_owned(),
        });
        let GroupConfig { id, name, .. } = &report.group;
        [id.to_string(), printable(name), aws, azure, gcp, report.requests_left.clone(), report.result()]
    };
    table(["PROJECT ID", "NAME", "AWS", "AZURE", "GCP", "REQUESTS LEFT", "RESULT"], groups.iter().map(row))
}

/// A table without spaces at the ends of its lines.
fn table<const N: usize>(header: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header).add_rows(rows);
    table.lines().flat_map(|line| [line.trim().to_owned(), "\n".to_owned()]).collect()
}

/// A name from Atlas, truncated and with hidden characters escaped, so that it is safe for a terminal.
fn printable(text: &str) -> String {
    escape_hidden(&text.chars().take(64).collect::<String>())
}
