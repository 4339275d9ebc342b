//! How an account's Atlas is reached: its address, a proxy, and who is trusted to sign its certificate.

use url::Url;

use super::{
    credential::{Sources, secret},
    read_text,
};
use atlas::{Authorities, ProxyUrl};
use yaml_reader::Section;

/// A larger list of certificates is refused unread; those of all public authorities have a fifth of it.
const MAX_AUTHORITIES: u64 = 1 << 20;

const ATLAS: &str = "https://cloud.mongodb.com";

pub(super) fn base_url(section: &mut Section<'_>) -> Option<Url> {
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

/// Nothing is said, or the address of a proxy; an address with a password has no place in the config itself.
#[allow(clippy::option_option, reason = "the outer one is a fault, as everywhere here")]
pub(super) fn proxy(section: &mut Section<'_>, sources: &Sources<'_>) -> Option<Option<ProxyUrl>> {
    const KEYS: [&str; 3] = ["proxy_url", "proxy_url_file", "proxy_url_env"];
    section.declare(&KEYS);
    if !KEYS.iter().any(|key| section.is_set(key)) {
        return Some(None);
    }
    let is_inline = section.is_set(KEYS[0]);
    let text = secret(section, sources, &KEYS[1..], Some(KEYS[0]))?;
    let key = KEYS.into_iter().find(|key| section.is_set(key)).unwrap_or(KEYS[0]);
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

pub(super) fn authorities(section: &mut Section<'_>, sources: &Sources<'_>) -> Option<Authorities> {
    let Some(file) = section.text("ca_file") else { return Some(Authorities::default()) };
    let text = read_text(&sources.folder.join(&file), MAX_AUTHORITIES);
    let text = text.map_err(|error| format!("the file `{file}` cannot be read: {error}"));
    let parsed = text.and_then(|text| Authorities::parse(&text).map_err(|error| error.to_string()));
    parsed.map_err(|message| section.fault("ca_file", message)).ok()
}
