//! How to connect to the API: base URL, proxy and certificate authorities.

use url::Url;

use super::credential::{SecretSources, secret};
use atlas::{Authorities, EnvironmentProxies, ProxyUrl, is_loopback};
use yaml_reader::{Section, Shown};

/// A larger file of certificates is rejected; one with all public authorities has a fifth of this size.
const MAX_AUTHORITIES: u64 = 1 << 20;

const ATLAS: &str = "https://cloud.mongodb.com";

pub(super) fn base_url(section: &mut Section<'_>) -> Option<Url> {
    let allow_http = section.boolean("allow_http", false);
    let text = section.text("base_url").unwrap_or_else(|| ATLAS.to_owned());
    let reject = |message: &str| {
        section.fault("base_url", message);
        None
    };
    // The messages never contain the URL: it may hold a password.
    let Ok(url) = Url::parse(&text) else {
        return reject("must be a URL such as `https://cloud.mongodb.com`");
    };
    if !url.username().is_empty() || url.password().is_some() {
        return reject("must not contain a user name or a password");
    }
    if url.query().is_some() || url.fragment().is_some() || !url.has_host() {
        return reject("must have a host, and neither `?` nor `#`");
    }
    if url.path().contains("/api/") {
        return reject("must end before `/api/atlas`");
    }
    match url.scheme() {
        "https" => Some(url),
        "http" if allow_http => {
            if !is_loopback(&url) {
                section.warn(
                    "base_url",
                    "sends the credential and all data without encryption, to another machine; use `https`",
                );
            }
            Some(url)
        }
        "http" => reject("must start with `https://`; for a simulator, set `allow_http: true`"),
        _ => reject("must start with `https://`"),
    }
}

const PROXY_KEYS: [&str; 3] = ["proxy_url", "proxy_url_file", "proxy_url_env"];

fn has_proxy(section: &Section<'_>) -> bool {
    PROXY_KEYS.iter().any(|key| section.is_set(key))
}

/// The proxies of the environment, for the accounts that have none of their own. A variable that cannot be used is a
/// fault: without a proxy, requests would take another way than its author wants.
pub(super) fn environment_proxies(
    top: &Section<'_>,
    accounts: &[Section<'_>],
    env: &dyn Fn(&str) -> Option<String>,
) -> EnvironmentProxies {
    if accounts.iter().all(has_proxy) {
        return EnvironmentProxies::default();
    }
    EnvironmentProxies::read(env).unwrap_or_else(|problems| {
        for problem in problems {
            top.fault_here(problem.to_string());
        }
        EnvironmentProxies::default()
    })
}

/// The proxy, if the config has one. A URL with a password must come from a file or an environment variable.
#[allow(clippy::option_option, reason = "the outer `None` is a fault, as in the functions around it")]
pub(super) fn proxy(section: &mut Section<'_>, sources: &SecretSources<'_>) -> Option<Option<ProxyUrl>> {
    section.declare(&PROXY_KEYS);
    if !has_proxy(section) {
        return Some(None);
    }
    let is_inline = section.is_set(PROXY_KEYS[0]);
    let text = secret(section, sources, &PROXY_KEYS)?;
    let key = PROXY_KEYS.into_iter().find(|key| section.is_set(key)).unwrap_or(PROXY_KEYS[0]);
    match text.expose().parse::<ProxyUrl>() {
        Ok(proxy) if is_inline && proxy.has_password() => {
            section.fault(key, "must not contain a password; use proxy_url_file or proxy_url_env");
            None
        }
        Ok(proxy) => Some(Some(proxy)),
        Err(error) => {
            section.fault(key, error.to_string());
            None
        }
    }
}

pub(super) fn authorities(section: &mut Section<'_>, sources: &SecretSources<'_>) -> Option<Authorities> {
    let Some(file) = section.text("ca_file") else { return Some(Authorities::default()) };
    let text = file_reader::read_text(&sources.folder.join(&file), MAX_AUTHORITIES);
    let text = text.map_err(|error| format!("the file `{}` cannot be read: {error}", Shown::from(&*file)));
    let parsed = text.and_then(|text| Authorities::parse(&text).map_err(|error| error.to_string()));
    parsed.map_err(|message| section.fault("ca_file", message)).ok()
}
