//! The headers that are set on every answer. Which there may be is the toolkit's choice.

use hyper::header::{HeaderName, HeaderValue};

use crate::go_yaml;
use yaml_reader::Section;

/// What may be set, and to what where that is a closed list.
const KNOWN: [(&str, &[&str]); 5] = [
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
        section.fault(&format!("headers.{name}"), message);
        None
    };
    let Some((known, values)) = KNOWN.iter().find(|(known, _)| *known == name) else {
        let known = KNOWN.map(|(known, _)| known).join(", ");
        return fault(format!("cannot be set; what can, in this spelling: {known}"));
    };
    if !values.is_empty() && !values.contains(&value) {
        let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
        return fault(format!("must be {}", values.join(" or ")));
    }
    // A text over several lines is one line in a header, as with the toolkit.
    let line = value.replace(['\r', '\n'], " ");
    match (known.parse(), HeaderValue::from_bytes(line.trim().as_bytes())) {
        (Ok(name), Ok(value)) => Some((name, value)),
        _ => fault("must have no control characters".to_owned()),
    }
}
