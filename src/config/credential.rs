//! The credential of an account, and the sources of secrets.

use std::path::Path;

use atlas::{Credential, CredentialKind, KeyPair, Secret};
use file_reader::{READABLE_BY_OTHERS, is_readable_by_others};
use yaml_reader::Section;

/// The sources of secrets and other files.
pub(super) struct SecretSources<'a> {
    /// The directory that paths are relative to.
    pub(super) folder: &'a Path,
    /// Looks up an environment variable.
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
}

const API_KEY: [&str; 5] = ["public_key", "public_key_file", "public_key_env", "private_key_file", "private_key_env"];

const SERVICE_ACCOUNT: [&str; 5] =
    ["client_id", "client_id_file", "client_id_env", "client_secret_file", "client_secret_env"];

/// Files with secrets. The public half of an API key and the ID of a service account are not secrets.
const SECRET_FILES: [&str; 3] = ["private_key_file", "client_secret_file", "proxy_url_file"];

/// An API key or a service account, depending on the keys in the section.
pub(super) fn credential(section: &mut Section<'_>, sources: &SecretSources<'_>) -> Option<Credential> {
    section.declare(&API_KEY);
    section.declare(&SERVICE_ACCOUNT);
    let has = |section: &Section<'_>, keys: &[&str]| keys.iter().any(|key| section.is_set(key));
    let (kind, id, secrets) = match (has(section, &API_KEY), has(section, &SERVICE_ACCOUNT)) {
        (true, false) => (CredentialKind::ApiKey, &API_KEY[..3], &API_KEY[3..]),
        (false, true) => (CredentialKind::ServiceAccount, &SERVICE_ACCOUNT[..3], &SERVICE_ACCOUNT[3..]),
        (are_both, _) => {
            let which = if are_both { "found both" } else { "found neither" };
            section.fault_here(format!(
                "a service account (client_id, client_secret_file or client_secret_env) or an API key (public_key, \
                 private_key_file or private_key_env) is required; {which}"
            ));
            for key in API_KEY.into_iter().chain(SERVICE_ACCOUNT) {
                section.text(key);
            }
            return None;
        }
    };
    let id = secret(section, sources, id);
    let secret = secret(section, sources, secrets);
    Some(Credential { kind, pair: KeyPair { id: id?, secret: secret? } })
}

/// A value from exactly one source. The last two keys name a file and an environment variable; a key before them holds
/// the value itself.
pub(super) fn secret(section: &mut Section<'_>, sources: &SecretSources<'_>, keys: &[&'static str]) -> Option<Secret> {
    let &[ref inline_key @ .., file_key, env_key] = keys else { return None };
    let inline = inline_key.first().and_then(|key| section.text(key));
    let file = section.text(file_key);
    let env = section.text(env_key);
    // The messages never contain the path: it may be the secret itself, put there by mistake.
    let (key, secret) = match (inline, file, env) {
        (Some(text), None, None) => (keys[0], Secret::from_text(&text)),
        (None, Some(path), None) => {
            let path = sources.folder.join(&path);
            let secret = Secret::from_file(&path);
            if SECRET_FILES.contains(&file_key) && secret.is_ok() && is_readable_by_others(&path) {
                section.warn(file_key, READABLE_BY_OTHERS);
            }
            (file_key, secret)
        }
        (None, None, Some(name)) => {
            let Some(text) = (sources.env)(&name) else {
                let name = quote_if_identifier(&name);
                section.fault(env_key, format!("the environment variable {name}is not set"));
                return None;
            };
            (env_key, Secret::from_text(&text))
        }
        _ => {
            section.fault_here(format!("exactly one of {} is required", keys.join(", ")));
            return None;
        }
    };
    secret.map_err(|error| section.fault(key, error.to_string())).ok()
}

/// The name in backticks if it looks like the name of a variable; nothing if it may be a secret.
fn quote_if_identifier(name: &str) -> String {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    if is_plain { format!("`{name}` ") } else { String::new() }
}
