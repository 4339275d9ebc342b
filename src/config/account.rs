//! The accounts of a config: credentials and groups.

use std::{collections::HashSet, path::Path};

use secrecy::SecretString;
use url::Url;

use super::{Account, Group, read_text, section::Section};
use crate::atlas::{ApiVersion, GroupId, Provider};

/// Larger files are no secrets.
const MAX_SECRET: u64 = 4096;

const ATLAS: &str = "https://cloud.mongodb.com";

/// Where secrets come from.
struct Sources<'a> {
    folder: &'a Path,
    env: &'a dyn Fn(&str) -> Option<String>,
}

/// Names that must not come twice in the whole config.
#[derive(Default)]
struct Seen {
    accounts: HashSet<String>,
    groups: HashSet<GroupId>,
}

/// Parses the list of accounts. What it returns is whole only if no fault was noted.
pub(super) fn parse_all(top: &mut Section<'_>, folder: &Path, env: &dyn Fn(&str) -> Option<String>) -> Vec<Account> {
    let sources = Sources { folder, env };
    let mut seen = Seen::default();
    let sections = top.sections("accounts");
    if sections.is_empty() {
        top.fault("accounts", "at least one account is needed");
    }
    sections.into_iter().filter_map(|section| parse(section, &sources, &mut seen)).collect()
}

fn parse(mut section: Section<'_>, sources: &Sources<'_>, seen: &mut Seen) -> Option<Account> {
    let name = section.text("name").unwrap_or_else(|| "default".to_owned());
    if !seen.accounts.insert(name.clone()) {
        section.fault("name", format!("another account is named `{name}` too"));
    }
    let base_url = base_url(&mut section);
    let api_version = api_version(&mut section);
    let public_key = secret(&mut section, sources, ["public_key_file", "public_key_env"], Some("public_key"));
    let private_key = secret(&mut section, sources, ["private_key_file", "private_key_env"], None);
    let groups = groups(&mut section, seen);
    section.end();
    Some(Account {
        name,
        base_url: base_url?,
        api_version: api_version?,
        public_key: public_key?,
        private_key: SecretString::from(private_key?),
        groups,
    })
}

fn base_url(section: &mut Section<'_>) -> Option<Url> {
    let allow_http = section.boolean("allow_http", false);
    let text = section.text("base_url").unwrap_or_else(|| ATLAS.to_owned());
    let refuse = |message: &str| {
        section.fault("base_url", message);
        None
    };
    // The text is not repeated in a message: it may hold a password.
    let Ok(url) = Url::parse(&text) else {
        return refuse("must be an address such as `https://cloud.mongodb.com`");
    };
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("must hold no user name and no password");
    }
    if url.query().is_some() || url.fragment().is_some() || !url.has_host() {
        return refuse("must have a host, and no `?` and no `#`");
    }
    if url.path().contains("/api/") {
        return refuse("must end before `/api/atlas`");
    }
    match url.scheme() {
        "https" => Some(url),
        "http" if allow_http => Some(url),
        "http" => refuse("must begin with `https://`; for a simulator, set `allow_http: true`"),
        _ => refuse("must begin with `https://`"),
    }
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

/// A text from exactly one of a file, an environment variable and, if it is no secret, the config itself.
fn secret(
    section: &mut Section<'_>,
    sources: &Sources<'_>,
    [file_key, env_key]: [&'static str; 2],
    inline_key: Option<&'static str>,
) -> Option<String> {
    let mut keys: Vec<&str> = inline_key.into_iter().collect();
    keys.extend([file_key, env_key]);
    let inline = inline_key.and_then(|key| section.text(key));
    let file = section.text(file_key);
    let env = section.text(env_key);
    // A path is not repeated in a message: someone may have put the secret itself there.
    let (key, found) = match (inline, file, env) {
        (Some(text), None, None) => (keys[0], Ok(text)),
        (None, Some(path), None) => (
            file_key,
            read_text(&sources.folder.join(&path), MAX_SECRET)
                .map_err(|error| format!("the file cannot be read: {error}")),
        ),
        (None, None, Some(name)) => (
            env_key,
            (sources.env)(&name).ok_or_else(|| format!("the environment variable {}is not set", shown(&name))),
        ),
        _ => {
            section.fault_here(format!("exactly one of {} is needed", keys.join(", ")));
            return None;
        }
    };
    let usable = found.and_then(|text| usable(text.trim_end_matches(['\r', '\n'])));
    usable.map_err(|message| section.fault(key, message)).ok()
}

/// The name in backticks, if it looks like one and not like a key.
fn shown(name: &str) -> String {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    if is_plain { format!("`{name}` ") } else { String::new() }
}

/// A key stands in an HTTP header, so it is of one line.
fn usable(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("must be one line without control characters".to_owned());
    }
    Ok(text.to_owned())
}

fn groups(section: &mut Section<'_>, seen: &mut Seen) -> Vec<Group> {
    let sections = section.sections("groups");
    if sections.is_empty() {
        section.fault("groups", "at least one group is needed");
    }
    sections.into_iter().filter_map(|section| group(section, seen)).collect()
}

fn group(mut section: Section<'_>, seen: &mut Seen) -> Option<Group> {
    if !section.has("id") {
        section.fault("id", "is needed");
    }
    let id: Option<GroupId> = section.parsed("id");
    let name = section.text("name").unwrap_or_default();
    let providers = providers(&mut section);
    if id.as_ref().is_some_and(|id| !seen.groups.insert(id.clone())) {
        section.fault("id", "the group is in the config already; its series would collide");
    }
    section.end();
    Some(Group { id: id?, name, providers })
}

fn providers(section: &mut Section<'_>) -> Vec<Provider> {
    let is_there = section.has("providers");
    let items = section.items("providers");
    if !is_there {
        return Provider::ALL.to_vec();
    }
    let mut providers = Vec::new();
    for (_, item) in &items {
        match item.as_str().map(str::parse::<Provider>) {
            Some(Ok(provider)) if providers.contains(&provider) => {
                section.fault("providers", format!("{provider} is there twice"));
            }
            Some(Ok(provider)) => providers.push(provider),
            _ => section.fault("providers", "must be a list of `AWS`, `AZURE` and `GCP`"),
        }
    }
    if items.is_empty() {
        section.fault("providers", "must name at least one; leave it out for all three");
    }
    providers
}
