//! One mapping of a YAML file, taken key by key. What is wrong is noted, and reading goes on.

mod fault;

use std::{
    fmt::Display,
    ops::RangeInclusive,
    str::FromStr,
    time::{Duration, SystemTime},
};

use serde_yaml::{Mapping, Value};

pub use self::fault::ConfigFaults;
pub use self::fault::{ConfigError, ConfigFault};

/// Longer texts are no names, addresses or paths.
const MAX_TEXT: usize = 4096;

/// A mapping whose keys are yet to be taken.
pub struct Section<'a> {
    path: String,
    mapping: Mapping,
    known: Vec<&'static str>,
    taken: Vec<&'static str>,
    faults: &'a ConfigFaults,
}

impl<'a> Section<'a> {
    /// Nothing in place of a mapping is one without keys, as YAML has it.
    pub fn new(value: Value, path: String, faults: &'a ConfigFaults) -> Self {
        let mut section = Self { path, mapping: Mapping::new(), known: Vec::new(), taken: Vec::new(), faults };
        match value {
            Value::Mapping(mapping) => section.mapping = mapping,
            Value::Null => {}
            other => section.fault_here(format!("must be a mapping of keys to values, not {}", kind(&other))),
        }
        section
    }

    /// Whether the key is there, with or without something behind it. A list whose items are all commented out is no
    /// list that was left out.
    pub fn names(&self, key: &str) -> bool {
        self.mapping.contains_key(key)
    }

    /// Notes a fault of each key that has nothing behind it, where that would silently mean more than was meant.
    pub fn demand(&self, keys: &[&str]) {
        for key in keys.iter().filter(|key| self.names(key) && !self.has(key)) {
            self.fault(key, "has nothing behind it; leave it out where nothing is to be said");
        }
    }

    /// Whether the key is there, and not null.
    pub fn has(&self, key: &str) -> bool {
        self.mapping.get(key).is_some_and(|value| !value.is_null())
    }

    /// Whether no key is left.
    pub fn is_empty(&self) -> bool {
        self.mapping.is_empty()
    }

    /// Whether the key is there with nothing behind it.
    pub fn is_null(&self, key: &str) -> bool {
        self.mapping.get(key).is_some_and(Value::is_null)
    }

    pub fn section(&mut self, key: &'static str) -> Section<'a> {
        let value = self.take(key).unwrap_or(Value::Null);
        Section::new(value, self.path_of(key), self.faults)
    }

    /// A section that may be switched on with `true`, or with nothing behind its key, where no setting is needed.
    pub fn switched_section(&mut self, key: &'static str) -> Option<Section<'a>> {
        let is_there = self.mapping.contains_key(key);
        match self.take(key) {
            None | Some(Value::Bool(true)) if is_there => Some(Value::Null),
            None | Some(Value::Bool(false)) => None,
            Some(value) => Some(value),
        }
        .map(|value| Section::new(value, self.path_of(key), self.faults))
    }

    /// The items of a list of mappings; none if it is not there.
    pub fn sections(&mut self, key: &'static str) -> Vec<Section<'a>> {
        let faults = self.faults;
        self.items(key).into_iter().map(|(path, item)| Section::new(item, path, faults)).collect()
    }

    /// The items of a list with their places; none if it is not there.
    pub fn items(&mut self, key: &'static str) -> Vec<(String, Value)> {
        let path = self.path_of(key);
        match self.take(key) {
            Some(Value::Sequence(items)) => {
                items.into_iter().enumerate().map(|(number, item)| (format!("{path}[{number}]"), item)).collect()
            }
            Some(other) => {
                self.fault(key, format!("must be a list, not {}", kind(&other)));
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    pub fn text(&mut self, key: &'static str) -> Option<String> {
        match self.take(key)? {
            Value::String(text) if text.len() <= MAX_TEXT && !text.is_empty() => Some(text),
            Value::String(_) => self.refuse(key, format!("must have from 1 to {MAX_TEXT} bytes")),
            other => self.refuse(key, format!("must be a text, not {}; put it in quotes", kind(&other))),
        }
    }

    /// A text that stands for something else.
    pub fn parsed<T: FromStr<Err: Display>>(&mut self, key: &'static str) -> Option<T> {
        let text = self.text(key)?;
        text.parse().map_err(|error| self.fault(key, format!("`{text}`: {error}"))).ok()
    }

    /// A mapping of names to texts.
    pub fn texts(&mut self, key: &'static str) -> Vec<(String, String)> {
        let section = self.section(key);
        if self.was_there(key) && section.mapping.is_empty() {
            self.fault(key, "must name at least one");
        }
        let pair = |(name, value): (&Value, &Value)| match (name.as_str(), value.as_str()) {
            (Some(name), Some(value)) => Some((name.to_owned(), value.to_owned())),
            _ => section.refuse(name.as_str().unwrap_or_default(), "must be a text; put it in quotes".to_owned()),
        };
        section.mapping.iter().filter_map(pair).collect()
    }

    pub fn boolean(&mut self, key: &'static str, default: bool) -> bool {
        match self.take(key) {
            Some(Value::Bool(value)) => value,
            Some(other) => self.refuse(key, format!("must be true or false, not {}", kind(&other))).unwrap_or(default),
            None => default,
        }
    }

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

    pub fn duration(&mut self, key: &'static str, default: Duration, range: RangeInclusive<Duration>) -> Duration {
        let Some(value) = self.take(key) else { return default };
        let duration = value.as_str().and_then(|text| humantime::parse_duration(text).ok());
        duration.filter(|duration| range.contains(duration)).unwrap_or_else(|| {
            let [start, end] = [range.start(), range.end()].map(|bound| humantime::format_duration(*bound));
            self.fault(key, format!("must be a duration such as `60s` or `5m`, from {start} to {end}"));
            default
        })
    }

    /// A day, as its first second in UTC.
    pub fn day(&mut self, key: &'static str) -> Option<SystemTime> {
        let text = self.text(key)?;
        let day = humantime::parse_rfc3339(&format!("{text}T00:00:00Z")).ok();
        if day.is_none() {
            self.fault(key, format!("`{text}`: must be a day such as `2027-01-31`"));
        }
        day
    }

    /// Notes a fault of a key.
    pub fn fault(&self, key: &str, message: impl Into<String>) {
        self.faults.note(self.path_of(key), message);
    }

    /// Notes a fault of the section as a whole.
    pub fn fault_here(&self, message: impl Into<String>) {
        self.faults.note(self.path.clone(), message);
    }

    /// Notes faults that were found elsewhere.
    pub fn take_over<T>(&self, found: Result<T, Vec<ConfigFault>>) -> Option<T> {
        found.map_err(|faults| faults.into_iter().for_each(|fault| self.faults.note(fault.path, fault.message))).ok()
    }

    /// Every key that was not taken is unknown.
    pub fn end(&self) {
        let mut known: Vec<&str> = Vec::new();
        for key in &self.known {
            if !known.contains(key) {
                known.push(key);
            }
        }
        for key in self.mapping.keys() {
            let key = key.as_str().map_or_else(|| kind(key).to_owned(), |key| key.chars().take(80).collect());
            self.fault(&key, format!("unknown key; known here: {}", known.join(", ")));
        }
    }

    /// Names keys that may be there, whether or not they are taken.
    pub fn know(&mut self, keys: &[&'static str]) {
        self.known.extend(keys);
    }

    /// Whether a key was taken that had a value.
    pub fn was_there(&self, key: &str) -> bool {
        self.taken.contains(&key)
    }

    /// The value of a key as it is, unless it is null.
    pub fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        let value = self.mapping.remove(key).filter(|value| !value.is_null())?;
        self.taken.push(key);
        Some(value)
    }

    fn refuse<T>(&self, key: &str, message: String) -> Option<T> {
        self.fault(key, message);
        None
    }

    /// Where the section itself is.
    pub fn path(&self) -> String {
        self.path.clone()
    }

    /// Where a key is.
    pub fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

/// What a value is, for a message.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Sequence(_) => "a list",
        Value::Mapping(_) => "a mapping",
        Value::Tagged(_) => "a tagged value",
    }
}
