#![doc = include_str!("../README.md")]

mod bounds;
mod fault;
mod shown;

use std::{
    fmt::Display,
    ops::RangeInclusive,
    str::FromStr,
    time::{Duration, SystemTime},
};

use serde_yaml::{Mapping, Value};

pub use self::{
    bounds::{MAX_YAML_BYTES, Position, YamlError, from_str},
    fault::{ConfigError, ConfigFault, ConfigFaults},
    shown::Shown,
};

/// Longer strings are not names, addresses or paths.
const MAX_TEXT_BYTES: usize = 4096;

/// Whether a mapping has a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// The key is not in the mapping.
    Absent,
    /// The key has no value, as in `key:`. A list whose items are all commented out looks like this.
    Empty,
    /// The key has a value.
    Set,
}

/// A mapping that is read key by key.
#[must_use]
pub struct Section<'a> {
    path: String,
    mapping: Option<&'a Mapping>,
    known: Vec<&'static str>,
    faults: &'a ConfigFaults,
}

impl<'a> Section<'a> {
    /// The mapping at `path`. An empty value is a mapping without keys; any other value is a fault.
    pub fn new(value: &'a Value, path: String, faults: &'a ConfigFaults) -> Self {
        let mut section = Self { path, mapping: None, known: Vec::new(), faults };
        match value {
            Value::Mapping(mapping) => section.mapping = Some(mapping),
            Value::Null => {}
            other => section.fault_here(format!("must be a mapping of keys to values, not {}", kind(other))),
        }
        section
    }

    /// Whether the mapping has the key.
    #[must_use]
    pub fn presence(&self, key: &str) -> Presence {
        match self.mapping.and_then(|mapping| mapping.get(key)) {
            None => Presence::Absent,
            Some(value) if value.is_null() => Presence::Empty,
            Some(_) => Presence::Set,
        }
    }

    /// Whether the key has a value.
    #[must_use]
    pub fn is_set(&self, key: &str) -> bool {
        self.presence(key) == Presence::Set
    }

    /// Whether the mapping has no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.mapping.is_none_or(Mapping::is_empty)
    }

    /// Notes a fault for each key that is there without a value. For keys whose default means more than the author
    /// may have meant.
    pub fn require_value(&self, keys: &[&str]) {
        for key in keys.iter().filter(|key| self.presence(key) == Presence::Empty) {
            self.fault(key, "is empty; give it a value or remove it");
        }
    }

    /// Makes keys known that may not be read.
    pub fn declare(&mut self, keys: &[&'static str]) {
        for key in keys {
            if !self.known.contains(key) {
                self.known.push(key);
            }
        }
    }

    /// The value of a key, unless it is empty. The key is known from now on.
    pub fn take(&mut self, key: &'static str) -> Option<&'a Value> {
        self.declare(&[key]);
        self.mapping?.get(key).filter(|value| !value.is_null())
    }

    /// A mapping; one without keys if the key has no value.
    pub fn section(&mut self, key: &'static str) -> Section<'a> {
        let value = self.take(key).unwrap_or(&Value::Null);
        Section::new(value, self.path_of(key), self.faults)
    }

    /// A mapping that `true` or an empty value turn on with its defaults, and `false` turns off.
    pub fn optional_section(&mut self, key: &'static str) -> Option<Section<'a>> {
        let value = match (self.take(key), self.presence(key)) {
            (None, Presence::Absent) | (Some(Value::Bool(false)), _) => return None,
            (None | Some(Value::Bool(true)), _) => &Value::Null,
            (Some(value), _) => value,
        };
        Some(Section::new(value, self.path_of(key), self.faults))
    }

    /// The items of a list of mappings; none if the key has no value.
    pub fn sections(&mut self, key: &'static str) -> Vec<Section<'a>> {
        self.items(key).into_iter().map(|(path, item)| Section::new(item, path, self.faults)).collect()
    }

    /// The items of a list, each with its path; none if the key has no value.
    pub fn items(&mut self, key: &'static str) -> Vec<(String, &'a Value)> {
        let path = self.path_of(key);
        match self.take(key) {
            Some(Value::Sequence(items)) => {
                items.iter().enumerate().map(|(number, item)| (format!("{path}[{number}]"), item)).collect()
            }
            Some(other) => self.refuse(key, format!("must be a list, not {}", kind(other))).unwrap_or_default(),
            None => Vec::new(),
        }
    }

    /// A string of 1 to 4096 bytes.
    pub fn text(&mut self, key: &'static str) -> Option<String> {
        match self.take(key)? {
            Value::String(text) if (1..=MAX_TEXT_BYTES).contains(&text.len()) => Some(text.clone()),
            Value::String(_) => self.refuse(key, format!("must be 1 to {MAX_TEXT_BYTES} bytes long")),
            other => self.refuse(key, format!("must be a string, not {}; put it in quotes", kind(other))),
        }
    }

    /// A string that is parsed as another type. The fault repeats the string unless it may be a secret.
    pub fn parsed<T: FromStr<Err: Display>>(&mut self, key: &'static str) -> Option<T> {
        let text = self.text(key)?;
        text.parse().map_err(|error| self.fault(key, format!("`{}`: {error}", Shown::from(&*text)))).ok()
    }

    /// A mapping of strings to strings, with at least one entry if the key has a value.
    pub fn texts(&mut self, key: &'static str) -> Vec<(String, String)> {
        let section = self.section(key);
        if self.is_set(key) && section.is_empty() {
            self.fault(key, "must have at least one entry");
        }
        let pair = |(name, value): (&Value, &Value)| match (name.as_str(), value.as_str()) {
            (Some(name), Some(value)) => Some((name.to_owned(), value.to_owned())),
            _ => section.refuse(name.as_str().unwrap_or_default(), "must be a string; put it in quotes".to_owned()),
        };
        section.mapping.into_iter().flatten().filter_map(pair).collect()
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, key: &'static str, default: bool) -> bool {
        let value = match self.take(key) {
            Some(Value::Bool(value)) => Some(*value),
            Some(other) => self.refuse(key, format!("must be true or false, not {}", kind(other))),
            None => None,
        };
        value.unwrap_or(default)
    }

    /// A whole number within `range`.
    pub fn integer<T>(&mut self, key: &'static str, default: T, range: RangeInclusive<T>) -> T
    where
        T: TryFrom<u64> + PartialOrd + Display + Copy,
    {
        let Some(value) = self.take(key) else { return default };
        let number = value.as_u64().and_then(|number| T::try_from(number).ok());
        number.filter(|number| range.contains(number)).unwrap_or_else(|| {
            self.fault(key, format!("must be a whole number from {} to {}", range.start(), range.end()));
            default
        })
    }

    /// A duration within `range`, such as `60s` or `1h 30m`.
    pub fn duration(&mut self, key: &'static str, default: Duration, range: RangeInclusive<Duration>) -> Duration {
        let Some(value) = self.take(key) else { return default };
        let duration = value.as_str().and_then(|text| humantime::parse_duration(text).ok());
        duration.filter(|duration| range.contains(duration)).unwrap_or_else(|| {
            let [start, end] = [range.start(), range.end()].map(|bound| humantime::format_duration(*bound));
            self.fault(key, format!("must be a duration such as `60s` or `5m`, from {start} to {end}"));
            default
        })
    }

    /// A date such as `2027-01-31`, as its first second in UTC.
    pub fn day(&mut self, key: &'static str) -> Option<SystemTime> {
        let text = self.text(key)?;
        let day = humantime::parse_rfc3339(&format!("{text}T00:00:00Z")).ok();
        day.or_else(|| self.refuse(key, format!("`{}`: must be a date such as `2027-01-31`", Shown::from(&*text))))
    }

    /// Notes a fault of a key.
    pub fn fault(&self, key: &str, message: impl Into<String>) {
        self.faults.faults.borrow_mut().push(ConfigFault { path: self.path_of(key), message: message.into() });
    }

    /// Notes a fault of the section as a whole.
    pub fn fault_here(&self, message: impl Into<String>) {
        self.faults.faults.borrow_mut().push(ConfigFault { path: self.path.clone(), message: message.into() });
    }

    /// Notes a warning about a key.
    pub fn warn(&self, key: &str, message: impl Into<String>) {
        self.faults.warnings.borrow_mut().push(ConfigFault { path: self.path_of(key), message: message.into() });
    }

    /// Notes a warning about the section as a whole.
    pub fn warn_here(&self, message: impl Into<String>) {
        self.faults.warnings.borrow_mut().push(ConfigFault { path: self.path.clone(), message: message.into() });
    }

    /// The value of a result. Its faults, which have their own paths, become faults of the file.
    pub fn absorb<T>(&self, result: Result<T, Vec<ConfigFault>>) -> Option<T> {
        result.map_err(|faults| self.faults.faults.borrow_mut().extend(faults)).ok()
    }

    /// Notes a fault for each key that was neither read nor declared.
    pub fn finish(&self) {
        for key in self.mapping.into_iter().flat_map(Mapping::keys) {
            if key.as_str().is_some_and(|key| self.known.contains(&key)) {
                continue;
            }
            let key = key
                .as_str()
                .map_or_else(|| kind(key).to_owned(), |key| Shown::from(key).to_string().chars().take(80).collect());
            self.fault(&key, format!("unknown key; known here: {}", self.known.join(", ")));
        }
    }

    fn path_of(&self, key: &str) -> String {
        let key = Shown::from(key);
        if self.path.is_empty() { key.to_string() } else { format!("{}.{key}", self.path) }
    }

    fn refuse<T>(&self, key: &str, message: String) -> Option<T> {
        self.fault(key, message);
        None
    }
}

/// The type of a value, for a message.
#[must_use]
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Sequence(_) => "a list",
        Value::Mapping(_) => "a mapping",
        Value::Tagged(_) => "a tagged value",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_ignored_before_any_start() {
        for text in
            ["---\na: 1\n", "a: 1\n", "# comment\n---\na: 1\n", "\n---\na: 1\n", "%YAML 1.2\n---\na: 1\n", "{a: 1}"]
        {
            let marked = from_str::<Value>(&format!("\u{feff}{text}")).unwrap();
            assert_eq!(marked, from_str::<Value>(text).unwrap(), "{text:?}");
            assert_eq!(marked.as_mapping().unwrap().get("a"), Some(&Value::from(1)), "{text:?}");
        }
        assert!(from_str::<Value>("\u{feff}").unwrap().is_null());
    }
}
