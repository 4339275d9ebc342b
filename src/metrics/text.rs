//! Prometheus's text format 0.0.4.

use std::{
    fmt::{Display, Write as _},
    time::SystemTime,
};

use super::family::Family;
use crate::state::Histogram;

/// The text of an exposition, to which families are appended.
#[derive(Default)]
pub(super) struct TextBuilder {
    pub(super) text: String,
}

impl TextBuilder {
    /// Appends a family: for each sample the values of the family's labels, in its order, and the value. A family
    /// without samples has no header either.
    pub(super) fn family<'a, const N: usize, V: Display>(
        &mut self,
        family: &Family<[&'static str; N]>,
        samples: impl IntoIterator<Item = ([&'a str; N], V)>,
    ) {
        for (index, (labels, value)) in samples.into_iter().enumerate() {
            if index == 0 {
                self.header(family);
            }
            self.sample(family, "", labels, None, value);
        }
    }

    /// Appends a family of histograms.
    pub(super) fn histograms<'a, const N: usize>(
        &mut self,
        family: &Family<[&'static str; N]>,
        samples: impl IntoIterator<Item = ([&'a str; N], &'a Histogram)>,
    ) {
        for (index, (labels, histogram)) in samples.into_iter().enumerate() {
            if index == 0 {
                self.header(family);
            }
            let mut below = 0;
            for (bound, count) in histogram.buckets() {
                below += count;
                self.sample(family, "_bucket", labels, Some(&bound.to_string()), below);
            }
            self.sample(family, "_bucket", labels, Some("+Inf"), histogram.count);
            self.sample(family, "_sum", labels, None, histogram.sum);
            self.sample(family, "_count", labels, None, histogram.count);
        }
    }

    fn header<const N: usize>(&mut self, family: &Family<[&'static str; N]>) {
        let Family { name, metric_type, help, .. } = family;
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {}", metric_type.as_str());
    }

    fn sample<const N: usize>(
        &mut self,
        family: &Family<[&'static str; N]>,
        suffix: &str,
        labels: [&str; N],
        bound: Option<&str>,
        value: impl Display,
    ) {
        let text = &mut self.text;
        text.push_str(family.name);
        text.push_str(suffix);
        let mut separator = '{';
        for (name, value) in family.labels.into_iter().zip(labels).chain(bound.map(|bound| ("le", bound))) {
            text.push(separator);
            separator = ',';
            text.push_str(name);
            text.push_str("=\"");
            push_escaped(text, value);
            text.push('"');
        }
        if separator == ',' {
            text.push('}');
        }
        let _ = writeln!(text, " {value}");
    }
}

/// Seconds since 1970, the unit of Prometheus's timestamps.
pub(super) fn unix_seconds(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// Appends the value of a label, in which three characters need an escape.
fn push_escaped(text: &mut String, value: &str) {
    // Most values need none, and a search by byte is the fastest.
    if !value.bytes().any(|byte| matches!(byte, b'\\' | b'"' | b'\n')) {
        return text.push_str(value);
    }
    for character in value.chars() {
        match character {
            '\\' | '"' => text.extend(['\\', character]),
            '\n' => text.push_str(r"\n"),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::family::MetricType, *};

    #[test]
    fn a_family_has_a_header_and_only_quotes_backslashes_and_line_feeds_are_escaped() {
        let (metric_type, labels) = (MetricType::Gauge, ["a", "b", "c", "d"]);
        let family = Family { name: "name", metric_type, help: "The help, \"quoted\".", labels };
        let mut text = TextBuilder::default();
        text.family(&family, [(["{", "", "ü {},=\t\r\u{1F600}}", "\"ü\\ {},=\t\r\n\u{1F600}"], 1)]);
        let expected = [
            "# HELP name The help, \"quoted\".",
            "# TYPE name gauge",
            "name{a=\"{\",b=\"\",c=\"ü {},=\t\r\u{1F600}}\",d=\"\\\"ü\\\\ {},=\t\r\\n\u{1F600}\"} 1\n",
        ];
        assert_eq!(text.text, expected.join("\n"));
    }
}
