//! Reads values as the toolkit's YAML library does, which accepts more spellings of strings, booleans and durations.

use serde_yaml::Value;

use yaml_reader::{Presence, Section, Shown, kind};

/// A string. The toolkit treats an empty one like a missing key.
pub(crate) fn text(section: &mut Section<'_>, key: &'static str) -> Option<String> {
    let value = section.take(key)?;
    string(section, key, value).filter(|text| !text.is_empty())
}

/// A boolean in the words of YAML 1.1. An empty value means false even if the default is true.
pub(crate) fn boolean(section: &mut Section<'_>, key: &'static str, default: bool) -> bool {
    let Some(value) = section.take(key) else { return default && section.presence(key) == Presence::Absent };
    match value {
        Value::Bool(value) => return *value,
        Value::String(word) => match word.as_str() {
            "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return true,
            "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => return false,
            _ => {}
        },
        _ => {}
    }
    section.fault(key, format!("must be true or false, not {}", kind(value)));
    default
}

/// A whole number; zero if there is no value. A fraction is truncated.
pub(crate) fn number(section: &mut Section<'_>, key: &'static str) -> i64 {
    let Some(value) = section.take(key) else { return 0 };
    integer(value).unwrap_or_else(|| {
        section.fault(key, format!("must be a number, not {}", kind(value)));
        0
    })
}

/// A duration such as `1m30s`, or a number of nanoseconds; zero if there is no value. In nanoseconds.
pub(crate) fn nanoseconds(section: &mut Section<'_>, key: &'static str) -> i64 {
    let Some(value) = section.take(key) else { return 0 };
    let parsed = value.as_str().map_or_else(|| integer(value), duration);
    parsed.unwrap_or_else(|| {
        section.fault(key, "must be a duration such as `1s`, `500ms` or `1m30s`");
        0
    })
}

/// A list of strings, if there is one.
pub(crate) fn list(section: &mut Section<'_>, key: &'static str) -> Option<Vec<String>> {
    let items = section.items(key).into_iter();
    let items = items.filter_map(|(_, item)| string(section, key, item)).collect();
    section.is_set(key).then_some(items)
}

/// A mapping of strings to strings; empty if there is no value.
pub(crate) fn pairs(section: &mut Section<'_>, key: &'static str) -> Vec<(String, String)> {
    let mapping = match section.take(key) {
        None => return Vec::new(),
        Some(Value::Mapping(mapping)) => mapping,
        Some(other) => {
            section.fault(key, format!("must be a mapping of keys to values, not {}", kind(other)));
            return Vec::new();
        }
    };
    let pair = |(name, value): (&Value, &Value)| {
        let name = string(section, key, name)?;
        let value = string(section, &format!("{key}.{}", Shown::from(&*name)), value)?;
        Some((name, value))
    };
    mapping.iter().filter_map(pair).collect()
}

/// A scalar of any type is a string to the toolkit.
fn string(section: &Section<'_>, key: &str, value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => {
            section.fault(key, format!("must be a string, not {}", kind(value)));
            None
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "the toolkit truncates the fraction too")]
fn integer(value: &Value) -> Option<i64> {
    /// One more than the largest `i64`; an `f64` holds it exactly.
    const END: f64 = 9_223_372_036_854_775_808.0;
    let cut = || value.as_f64().filter(|number| number.abs() < END).map(|number| number as i64);
    value.as_i64().or_else(cut)
}

/// A duration in Go's format, in nanoseconds: numbers with units, without spaces, behind an optional sign.
fn duration(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut total: i64 = 0;
    loop {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let unit = rest[number..].find(|c: char| c.is_ascii_digit() || c == '.').map_or(rest.len(), |end| number + end);
        total = total.checked_add(part(&rest[..number], &rest[number..unit])?)?;
        rest = &rest[unit..];
        if rest.is_empty() {
            return Some(sign * total);
        }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "the fraction is less than a unit")]
fn part(number: &str, unit: &str) -> Option<i64> {
    let unit: i64 = match unit {
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction: f64 = if fraction.is_empty() { 0.0 } else { format!("0.{fraction}").parse().ok()? };
    whole.checked_mul(unit)?.checked_add((fraction * unit as f64) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_parsed_as_in_go() {
        const SECOND: i64 = 1_000_000_000;
        for (text, expected) in [
            ("0", 0),
            ("1s", SECOND),
            ("0s", 0),
            ("-1s", -SECOND),
            ("+.5s", SECOND / 2),
            ("1m30s", 90 * SECOND),
            ("1.5h0.5m", 5430 * SECOND),
            ("1us", 1_000),
            ("1µs", 1_000),
            ("3ns", 3),
        ] {
            assert_eq!(duration(text), Some(expected), "{text}");
        }
        for text in ["", "-", "1", "s", "1d", "1 s", "1s ", ".s", "1.2.3s", "9999999h", "1sm", "1s2"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
