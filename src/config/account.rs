//! The accounts of a config: credentials and groups.

use std::{collections::HashSet, path::Path};

use url::Url;

use super::{Account, Discover, Group, read_text, section::Section};
use crate::atlas::{ApiVersion, Authorities, Credential, CredentialKind, GroupId, Pair, Provider, ProxyUrl, Secret};

/// A larger list of certificates is refused unread; those of all public authorities have a fifth of it.
const MAX_AUTHORITIES: u64 = 1 << 20;

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
    let credential = credential(&mut section, sources);
    let proxy = proxy(&mut section, sources);
    let authorities = authorities(&mut section, sources);
    let discover = section.switched_section("discover").map(Discover::parse);
    // A credential and nothing else means everything that it may see.
    let discover =
        discover.or_else(|| (!section.was_there("discover") && !section.has("groups")).then(Discover::default));
    let groups = groups(&mut section, discover.is_some(), seen);
    section.end();
    Some(Account {
        name,
        base_url: base_url?,
        api_version: api_version?,
        credential: credential?,
        proxy: proxy?,
        authorities: authorities?,
        discover,
        groups,
    })
}

const API_KEY: [&str; 5] = ["public_key", "public_key_file", "public_key_env", "private_key_file", "private_key_env"];

const SERVICE_ACCOUNT: [&str; 5] =
    ["client_id", "client_id_file", "client_id_env", "client_secret_file", "client_secret_env"];

/// An API key or a service account, whichever the keys speak of.
fn credential(section: &mut Section<'_>, sources: &Sources<'_>) -> Option<Credential> {
    section.know(&API_KEY);
    section.know(&SERVICE_ACCOUNT);
    let has = |section: &Section<'_>, keys: &[&str]| keys.iter().any(|key| section.has(key));
    let (kind, id, secrets) = match (has(section, &API_KEY), has(section, &SERVICE_ACCOUNT)) {
        (true, false) => (CredentialKind::ApiKey, &API_KEY[..3], &API_KEY[3..]),
        (false, true) => (CredentialKind::ServiceAccount, &SERVICE_ACCOUNT[..3], &SERVICE_ACCOUNT[3..]),
        (are_both, _) => {
            let which = if are_both { "not both" } else { "there is neither" };
            section.fault_here(format!(
                "a service account (client_id, client_secret_file or client_secret_env) or an API key (public_key, \
                 private_key_file or private_key_env) is needed; {which}"
            ));
            for key in API_KEY.into_iter().chain(SERVICE_ACCOUNT) {
                section.text(key);
            }
            return None;
        }
    };
    let id = secret(section, sources, &[id[1], id[2]], Some(id[0]));
    let secret = secret(section, sources, secrets, None);
    Some(Credential { kind, pair: Pair { id: id?, secret: secret? } })
}

/// Nothing is said, or the address of a proxy; an address with a password has no place in the config itself.
#[allow(clippy::option_option, reason = "the outer one is a fault, as everywhere here")]
fn proxy(section: &mut Section<'_>, sources: &Sources<'_>) -> Option<Option<ProxyUrl>> {
    const KEYS: [&str; 3] = ["proxy_url", "proxy_url_file", "proxy_url_env"];
    section.know(&KEYS);
    if !KEYS.iter().any(|key| section.has(key)) {
        return Some(None);
    }
    let is_inline = section.has(KEYS[0]);
    let text = secret(section, sources, &KEYS[1..], Some(KEYS[0]))?;
    let key = KEYS.into_iter().find(|key| section.was_there(key)).unwrap_or(KEYS[0]);
    match text.expose().parse::<ProxyUrl>() {
        Ok(proxy) if is_inline && proxy.has_password() => {
            section.fault(key, "must hold no password; put the address into proxy_url_file or proxy_url_env");
            None
        }
        Ok(proxy) => Some(Some(proxy)),
        Err(error) => {
            section.fault(key, error.to_string());
            None
        }
    }
}

fn authorities(section: &mut Section<'_>, sources: &Sources<'_>) -> Option<Authorities> {
    let Some(file) = section.text("ca_file") else { return Some(Authorities::default()) };
    let text = read_text(&sources.folder.join(&file), MAX_AUTHORITIES);
    let text = text.map_err(|error| format!("the file `{file}` cannot be read: {error}"));
    let parsed = text.and_then(|text| Authorities::parse(&text).map_err(|error| error.to_string()));
    parsed.map_err(|message| section.fault("ca_file", message)).ok()
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
    outside: &[&'static str],
    inline_key: Option<&'static str>,
) -> Option<Secret> {
    let &[file_key, env_key] = outside else { return None };
    let mut keys: Vec<&str> = inline_key.into_iter().collect();
    keys.extend([file_key, env_key]);
    let inline = inline_key.and_then(|key| section.text(key));
    let file = section.text(file_key);
    let env = section.text(env_key);
    // A path is not repeated in a message: someone may have put the secret itself there.
    let (key, found) = match (inline, file, env) {
        (Some(text), None, None) => (keys[0], Secret::fixed(&text).map_err(|error| error.to_string())),
        (None, Some(path), None) => {
            (file_key, Secret::file(&sources.folder.join(&path)).map_err(|error| error.to_string()))
        }
        (None, None, Some(name)) => (
            env_key,
            (sources.env)(&name)
                .ok_or_else(|| format!("the environment variable {}is not set", shown(&name)))
                .and_then(|text| Secret::fixed(&text).map_err(|error| error.to_string())),
        ),
        _ => {
            section.fault_here(format!("exactly one of {} is needed", keys.join(", ")));
            return None;
        }
    };
    found.map_err(|message| section.fault(key, message)).ok()
}

/// The name in backticks, if it looks like one and not like a key.
fn shown(name: &str) -> String {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    if is_plain { format!("`{name}` ") } else { String::new() }
}

fn groups(section: &mut Section<'_>, discovers: bool, seen: &mut Seen) -> Vec<Group> {
    let is_there = section.has("groups");
    let sections = section.sections("groups");
    if sections.is_empty() && (is_there || !discovers) {
        section.fault("groups", "at least one group is needed; `discover: true` finds all that the credential may see");
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

pub(super) fn providers(section: &mut Section<'_>) -> Vec<Provider> {
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
