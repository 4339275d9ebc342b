//! A parser for the exposition.

use std::{collections::BTreeMap, fmt};

/// Every sample of an exposition.
#[derive(Clone)]
pub struct Exposition(Vec<Sample>);

#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

impl Exposition {
    pub fn parse(text: &str) -> Self {
        Self(text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(sample).collect())
    }

    /// The samples with the name and, among others, the labels.
    pub fn all(&self, name: &str, labels: &[(&str, &str)]) -> Vec<&Sample> {
        let has =
            |sample: &Sample| labels.iter().all(|(key, value)| sample.labels.get(*key).is_some_and(|v| v == value));
        self.0.iter().filter(|sample| sample.name == name && has(sample)).collect()
    }

    /// The value of the one sample that matches.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let found = self.all(name, labels);
        assert!(found.len() <= 1, "{name} {labels:?} has {} samples", found.len());
        found.first().map(|sample| sample.value)
    }

    pub fn count(&self, name: &str) -> usize {
        self.all(name, &[]).len()
    }

    /// The sum of the samples with the name, of which there must be one.
    pub fn sum(&self, name: &str) -> f64 {
        let samples = self.all(name, &[]);
        assert!(!samples.is_empty(), "no sample of {name}");
        samples.iter().map(|sample| sample.value).sum()
    }

    /// The values of a label, sorted.
    pub fn labels(&self, name: &str, label: &str) -> Vec<&str> {
        let mut values: Vec<&str> = self.all(name, &[]).iter().map(|sample| sample.labels[label].as_str()).collect();
        values.sort_unstable();
        values
    }
}

impl fmt::Debug for Exposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .filter(|sample| sample.name.starts_with("mongodbatlas"))
            .try_for_each(|sample| writeln!(f, "{} {:?} {}", sample.name, sample.labels, sample.value))
    }
}

fn sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (key, after) = rest.trim_start_matches(',').split_once("=\"").unwrap();
            let (value, after) = quoted(after);
            assert!(labels.insert(key.to_owned(), value).is_none(), "label {key} twice: {line}");
            rest = after;
        }
        rest = &rest[1..];
    }
    Sample { name: name.to_owned(), labels, value: rest.trim().parse().unwrap() }
}

/// The text up to the closing quote, and what follows it.
fn quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((index, c)) = chars.next() {
        match c {
            '"' => return (value, &text[index + 1..]),
            '\\' => value.push(match chars.next().unwrap().1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    panic!("no closing quote: {text}")
}
