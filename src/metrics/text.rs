//! Prometheus's text format 0.0.4, written once and fast.

use std::fmt::{Display, Write as _};

use super::Family;

/// The page in the making.
#[derive(Default)]
pub(super) struct Page {
    text: String,
}

/// The samples of one family; its header is written before the first.
pub(super) struct Samples<'a> {
    page: &'a mut Page,
    family: &'a Family,
    begun: bool,
}

/// Label pairs as the format writes them, without the braces.
#[derive(Clone, Debug, Default)]
pub(super) struct Labels(String);

impl Labels {
    pub(super) fn new(pairs: &[(&str, &str)]) -> Self {
        let mut text = String::new();
        push_pairs(&mut text, pairs);
        Self(text)
    }
}

impl Page {
    pub(super) fn family<'a>(&'a mut self, family: &'a Family) -> Samples<'a> {
        Samples { page: self, family, begun: false }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

impl Samples<'_> {
    /// Writes a sample with the labels and some more.
    pub(super) fn add(&mut self, labels: &Labels, more: &[(&str, &str)], value: impl Display) {
        self.add_suffixed("", labels, more, value);
    }

    /// Writes a sample of a histogram, whose name has a suffix.
    pub(super) fn add_suffixed(&mut self, suffix: &str, labels: &Labels, more: &[(&str, &str)], value: impl Display) {
        self.begin();
        let text = &mut self.page.text;
        text.push_str(self.family.name);
        text.push_str(suffix);
        if !labels.0.is_empty() || !more.is_empty() {
            text.push('{');
            text.push_str(&labels.0);
            push_pairs(text, more);
            text.push('}');
        }
        // Writing to a string cannot fail.
        let _ = writeln!(text, " {value}");
    }

    fn begin(&mut self) {
        if !std::mem::replace(&mut self.begun, true) {
            let Family { name, kind, help, .. } = self.family;
            let kind = kind.as_str();
            let _ = writeln!(self.page.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        }
    }
}

fn push_pairs(text: &mut String, pairs: &[(&str, &str)]) {
    for (name, value) in pairs {
        if !text.is_empty() && !text.ends_with('{') {
            text.push(',');
        }
        text.push_str(name);
        text.push_str("=\"");
        push_escaped(text, value);
        text.push('"');
    }
}

/// A label's value may hold anything; only three characters need an escape.
fn push_escaped(text: &mut String, value: &str) {
    let mut rest = value;
    while let Some(place) = rest.find(['\\', '"', '\n']) {
        let (plain, special) = rest.split_at(place);
        text.push_str(plain);
        text.push_str(match special.as_bytes()[0] {
            b'\\' => r"\\",
            b'"' => "\\\"",
            _ => r"\n",
        });
        rest = &special[1..];
    }
    text.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(value: &str) -> String {
        let mut text = String::new();
        push_escaped(&mut text, value);
        text
    }

    #[test]
    fn quotes_backslashes_and_line_feeds_are_escaped_and_nothing_else() {
        assert_eq!(escaped(r#"a"b\c"#), r#"a\"b\\c"#);
        assert_eq!(escaped("a\nb"), r"a\nb");
        assert_eq!(escaped("ü {},=\t\r\u{1F600}"), "ü {},=\t\r\u{1F600}");
        assert_eq!(escaped(""), "");
    }

    #[test]
    fn a_value_that_ends_in_a_brace_does_not_swallow_a_comma() {
        assert_eq!(Labels::new(&[("a", "{"), ("b", "")]).0, r#"a="{",b="""#);
    }
}
