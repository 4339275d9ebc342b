//! The accounts of a config and their groups.

use std::{collections::HashSet, path::Path};

use super::{
    AccountConfig, GroupConfig,
    connection::{authorities, base_url, environment_proxies, proxy},
    credential::{SecretSources, credential},
    discover::{Discover, MAX_PATTERNS, providers},
};
use atlas::{ApiVersion, GroupId};
use yaml_reader::{Presence::Absent, Section, Shown};

/// The maximum number of accounts. Each has its own connections, tasks and certificates.
const MAX_ACCOUNTS: usize = 1000;

/// Values that must be unique in the whole config.
#[derive(Default)]
struct Seen {
    accounts: HashSet<String>,
    groups: HashSet<GroupId>,
}

/// Parses the list of accounts; complete only if there is no fault.
pub(super) fn parse_all(
    top: &mut Section<'_>,
    folder: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Vec<AccountConfig> {
    let sources = SecretSources { folder, env };
    let mut seen = Seen::default();
    let sections = top.sections("accounts");
    if sections.is_empty() {
        top.fault("accounts", "at least one account is required");
    }
    let environment = environment_proxies(top, &sections, env);
    if sections.len() > MAX_ACCOUNTS {
        top.fault("accounts", format!("must have at most {MAX_ACCOUNTS} accounts"));
        return Vec::new();
    }
    let mut patterns_left = MAX_PATTERNS;
    let accounts = sections.into_iter().filter_map(|section| parse(section, &sources, &mut seen, &mut patterns_left));
    accounts
        .map(|mut account| {
            account.proxy = account.proxy.or_else(|| environment.for_url(&account.base_url).cloned());
            account
        })
        .collect()
}

fn parse(
    mut section: Section<'_>,
    sources: &SecretSources<'_>,
    seen: &mut Seen,
    patterns_left: &mut usize,
) -> Option<AccountConfig> {
    let name = section.text("name").unwrap_or_else(|| "default".to_owned());
    if !seen.accounts.insert(name.clone()) {
        section.fault("name", format!("another account has the name `{}`", Shown::from(&*name)));
    }
    let base_url = base_url(&mut section);
    let api_version = api_version(&mut section);
    let credential = credential(&mut section, sources);
    let credential_expires = section.day("credential_expires");
    let proxy = proxy(&mut section, sources);
    let authorities = authorities(&mut section, sources);
    let discover = section.optional_section("discover").map(|section| Discover::parse(section, patterns_left));
    // An account with only a credential discovers every group that the credential can see.
    let discover = discover
        .or_else(|| (!section.is_set("discover") && section.presence("groups") == Absent).then(Discover::default));
    let groups = groups(&mut section, discover.is_some(), seen);
    section.finish();
    Some(AccountConfig {
        name,
        base_url: base_url?,
        api_version: api_version?,
        credential: credential?,
        credential_expires,
        proxy: proxy?,
        authorities: authorities?,
        discover,
        groups,
    })
}

fn api_version(section: &mut Section<'_>) -> Option<ApiVersion> {
    match section.text("api_version").as_deref() {
        None | Some("v2") => Some(ApiVersion::V2),
        Some("v1.0") => Some(ApiVersion::V1),
        Some(_) => {
            section.fault("api_version", "must be `v2` or `v1.0`");
            None
        }
    }
}

fn groups(section: &mut Section<'_>, discovers: bool, seen: &mut Seen) -> Vec<GroupConfig> {
    let is_there = section.presence("groups") != Absent;
    let sections = section.sections("groups");
    if sections.is_empty() && (is_there || !discovers) {
        section
            .fault("groups", "at least one group is required; `discover: true` finds all that the credential can see");
    }
    sections.into_iter().filter_map(|section| group(section, seen)).collect()
}

fn group(mut section: Section<'_>, seen: &mut Seen) -> Option<GroupConfig> {
    if !section.is_set("id") {
        section.fault("id", "is required");
    }
    section.require_value(&["providers"]);
    let id: Option<GroupId> = section.parsed("id");
    let name = section.text("name").unwrap_or_default();
    let providers = providers(&mut section);
    if id.as_ref().is_some_and(|id| !seen.groups.insert(id.clone())) {
        section.fault("id", "the group is already in the config; its series would collide");
    }
    section.finish();
    Some(GroupConfig { id: id?, name, providers })
}
