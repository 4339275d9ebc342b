//! `headers` of `http_server_config`: the response headers that the toolkit allows.

use http::header::{HeaderName, HeaderValue};

use crate::go_yaml;
use yaml_reader::{Section, Shown};

/// The headers that may be set, each with its allowed values; without any, every value is allowed.
const ALLOWED: [(&str, &[&str]); 5] = [
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
    ("Content-Security-Policy", &[]),
];

pub(crate) fn parse(section: &mut Section<'_>) -> Vec<(HeaderName, HeaderValue)> {
    let pairs = go_yaml::pairs(section, "headers").into_iter();
    pairs.filter_map(|(name, value)| header(section, &name, &value)).collect()
}

fn header(section: &Section<'_>, name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    let fault = |message: String| {
        section.fault(&format!("headers.{}", Shown::from(name)), message);
        None
    };
    let Some((known, values)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
        let allowed = ALLOWED.map(|(name, _)| name).join(", ");
        return fault(format!("cannot be set; allowed, in this spelling: {allowed}"));
    };
    if !values.is_empty() && !values.contains(&value) {
        let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
        return fault(format!("must be {}", values.join(" or ")));
    }
    // Line breaks become spaces, as in the toolkit.
    let line = value.replace(['\r', '\n'], " ");
    match (known.parse(), HeaderValue::from_bytes(line.trim().as_bytes())) {
        (Ok(name), Ok(value)) => Some((name, value)),
        _ => fault("must not contain control characters".to_owned()),
    }
}
