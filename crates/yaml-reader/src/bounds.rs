//! Limits on YAML files, checked before any key is read.

use std::{cell::Cell, fmt};

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Visitor};

/// The maximum size of a file in bytes. A config with a thousand groups has a tenth of this.
pub const MAX_YAML_BYTES: u64 = 1 << 20;

/// The maximum number of `[` and `{` in a file, including those in strings and comments: the parser takes quadratic
/// time for open brackets. This is enough for 8,000 groups with a list of providers each.
const MAX_BRACKETS: usize = 1 << 14;

/// The maximum nesting depth of values.
const MAX_DEPTH: usize = 64;

/// The maximum number of keys and values after aliases are expanded.
const MAX_VALUES: usize = 1 << 18;

/// The maximum total size of strings after aliases are expanded, in bytes.
const MAX_EXPANDED_BYTES: usize = 4 << 20;

/// A text is not valid YAML, or exceeds a limit.
#[derive(Debug, thiserror::Error)]
pub enum YamlError {
    /// The text is too long.
    #[error("is larger than {MAX_YAML_BYTES} bytes")]
    TooLarge,
    /// The text has too many brackets.
    #[error("has more than {MAX_BRACKETS} of the brackets `[` and `{{`")]
    TooManyBrackets,
    /// Values are nested too deeply.
    #[error("has more than {MAX_DEPTH} levels of lists and mappings{0}")]
    TooDeep(Position),
    /// There are too many values, or they are too long. Usually aliases repeat a large value many times.
    #[error("has more than {MAX_VALUES} values or {MAX_EXPANDED_BYTES} bytes of text, with its aliases expanded{0}")]
    TooManyValues(Position),
    /// A number does not fit into 64 bits.
    #[error("has a number with too many digits{0}; put an id that is all digits in quotes")]
    NumberTooLong(Position),
    /// A value has a tag of its own, or the text declares a prefix for tags. The parser copies tags without a bound.
    #[error("has a tag such as `!name`{0}; remove it")]
    Tagged(Position),
    /// The text is not YAML, or not of the expected type.
    #[error(transparent)]
    Invalid(#[from] serde_yaml::Error),
}

/// A position in the text; displayed as empty if it is unknown.
#[derive(Debug)]
pub struct Position(Option<(usize, usize)>);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((line, column)) => write!(f, " at line {line} column {column}"),
            None => Ok(()),
        }
    }
}

/// Deserializes the text of a file, which may start with a byte order mark. Memory and time are bounded for any text.
///
/// # Errors
/// The text is not YAML, not a `T`, has a duplicate key, or exceeds a limit.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    if text.len() as u64 > MAX_YAML_BYTES {
        return Err(YamlError::TooLarge);
    }
    if text.bytes().filter(|byte| [b'[', b'{'].contains(byte)).count() > MAX_BRACKETS {
        return Err(YamlError::TooManyBrackets);
    }
    let text = text.trim_start_matches('\u{feff}');
    if let Some(line) = text.lines().position(|line| line.starts_with("%TAG")) {
        return Err(YamlError::Tagged(Position(Some((line + 1, 1)))));
    }
    let usage = Usage::default();
    let counted = Counter { usage: &usage, depth: 0 }.deserialize(serde_yaml::Deserializer::from_str(text));
    counted.map_err(|error| {
        let position = Position(error.location().map(|location| (location.line(), location.column())));
        match usage.exceeded.get() {
            Some(Bound::Depth) => YamlError::TooDeep(position),
            Some(Bound::Values) => YamlError::TooManyValues(position),
            Some(Bound::Digits) => YamlError::NumberTooLong(position),
            Some(Bound::Tags) => YamlError::Tagged(position),
            // The library's own limit on aliases, which has no error type.
            None if error.to_string() == "repetition limit exceeded" => YamlError::TooManyValues(position),
            None => YamlError::Invalid(error),
        }
    })?;
    Ok(serde_yaml::from_str(text)?)
}

#[derive(Clone, Copy)]
enum Bound {
    Depth,
    Values,
    Digits,
    Tags,
}

#[derive(Default)]
struct Usage {
    values: Cell<usize>,
    bytes: Cell<usize>,
    exceeded: Cell<Option<Bound>>,
}

/// Counts the values of a text without building them.
#[derive(Clone, Copy)]
struct Counter<'a> {
    usage: &'a Usage,
    depth: usize,
}

impl Counter<'_> {
    fn exceeds<E: Error>(self, bound: Bound) -> E {
        self.usage.exceeded.set(Some(bound));
        E::custom("exceeds a limit")
    }

    fn add<E: Error>(self, bytes: usize) -> Result<(), E> {
        let Usage { values, bytes: total, .. } = self.usage;
        values.set(values.get() + 1);
        total.set(total.get().saturating_add(bytes));
        let is_within = values.get() <= MAX_VALUES && total.get() <= MAX_EXPANDED_BYTES;
        if is_within { Ok(()) } else { Err(self.exceeds(Bound::Values)) }
    }

    /// Counts a list or a mapping, and returns the counter for its items.
    fn enter<E: Error>(self) -> Result<Self, E> {
        self.add(0)?;
        if self.depth == MAX_DEPTH {
            return Err(self.exceeds(Bound::Depth));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Counter<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Counter<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.add(0)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.add(0)
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<(), E> {
        Err(self.exceeds(Bound::Digits))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.add(0)
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<(), E> {
        Err(self.exceeds(Bound::Digits))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.add(0)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.add(text.len())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.add(0)
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.add(0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let inner = self.enter()?;
        while list.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut mapping: A) -> Result<(), A::Error> {
        let inner = self.enter()?;
        while mapping.next_key_seed(inner)?.is_some() {
            mapping.next_value_seed(inner)?;
        }
        Ok(())
    }

    /// A value with a tag.
    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(self.exceeds(Bound::Tags))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_yaml::Value;

    use super::*;

    /// The error message, which must be returned soon.
    fn error(text: &str) -> String {
        let start = Instant::now();
        let error = from_str::<Value>(text).err().map_or_else(|| "no error".to_owned(), |error| error.to_string());
        assert!(start.elapsed() < Duration::from_secs(10), "{error}: {:?}", start.elapsed());
        error
    }

    /// A list of aliases of an anchor with this value.
    fn aliases(value: &str, count: usize) -> String {
        format!("a: &a {value}\nb: [{}]\n", "*a,".repeat(count))
    }

    #[test]
    fn aliases_expand_to_a_bounded_number_of_values_and_bytes() {
        let wide = |items: usize| format!("[{}]", "1,".repeat(items));
        let levels: Vec<String> = (1..40).map(|n| format!("k{n}: &k{n} [*k{0}, *k{0}]\n", n - 1)).collect();
        let merged: Vec<String> = (0..16_000).map(|n| format!("c{n}: {{<<: *a}}\n")).collect();
        let key = |n: usize| format!("? {{k{n}: *a}}\n: 1\n");
        for text in [
            aliases(&wide(2000), 40_000),
            aliases(&format!("\"{}\"", "x".repeat(500_000)), 20_000),
            aliases("x", 300_000),
            format!("k0: &k0 1\n{}", levels.concat()),
            format!("a: &a {}\n{}", wide(2000), merged.concat()),
            format!("a: &a {}\n{}", wide(2000), (0..16_000).map(key).collect::<String>()),
        ] {
            let message = error(&text);
            assert!(
                message.starts_with("has more than 262144 values or 4194304 bytes of text, with its aliases expanded"),
                "{message}"
            );
        }
    }

    #[test]
    fn size_and_depth_are_bounded() {
        for (unit, expected) in [
            ("[", "has more than 16384 of the brackets"),
            ("{a: ", "has more than 16384 of the brackets"),
            ("- ", "has more than 64 levels of lists and mappings at line 1 column 129"),
            ("? ", "has more than 64 levels"),
        ] {
            let message = error(&unit.repeat((1 << 20) / unit.len()));
            assert!(message.contains(expected), "{unit}: {message}");
        }
        for unit in ["[", "{a: "] {
            assert!(error(&unit.repeat(MAX_BRACKETS)).starts_with("has more than 64 levels"), "{unit}");
        }
        assert_eq!(error(&" ".repeat((1 << 20) + 1)), "is larger than 1048576 bytes");
        assert!(error(&format!("[{}]", "1,".repeat(400_000))).starts_with("has more than 262144 values"));
    }

    #[test]
    fn what_real_files_have_is_within_the_bounds() {
        let group = |n: usize| {
            format!("      - {{id: 5e57d85c85418064{n:08x}, name: group-{n}, providers: [AWS, AZURE, GCP]}}\n")
        };
        let groups: String = (0..8_000).map(group).collect();
        let text = format!("providers: &p [AWS]\naccounts:\n  - providers: *p\n    groups:\n{groups}");
        let value: Value = from_str(&text).unwrap();
        assert_eq!(value["accounts"][0]["groups"].as_sequence().unwrap().len(), 8_000);
        assert_eq!(value["accounts"][0]["providers"], value["providers"]);
        let nested = format!("{}1{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
        assert!(from_str::<Value>(&nested).is_ok());
    }

    #[test]
    fn tags_are_rejected_before_they_are_copied() {
        let long = "x".repeat(500_000);
        for (text, position) in [
            ("a: !t 1\n".to_owned(), "at line 1 column"),
            (format!("a: &a !{long} x\nb: [{}]\n", "*a,".repeat(120_000)), "at line 1 column"),
            (format!("# comment\n%TAG !e! tag:{long}\n---\n{}", "- !e!a\n".repeat(70_000)), "at line 2 column 1"),
        ] {
            let message = error(&text);
            assert!(message.starts_with("has a tag such as `!name`") && message.contains(position), "{message}");
        }
        assert_eq!(from_str::<Value>("a: !!str 1\n").unwrap()["a"], "1", "standard tags only name a type");
    }

    #[test]
    fn a_number_that_is_too_long_is_not_repeated() {
        for digits in ["123456789012345678901234", "-123456789012345678901234"] {
            let message = error(&format!("a:\n  id: {digits}\n"));
            assert!(message.starts_with("has a number with too many digits at line 2 column"), "{message}");
            assert!(message.ends_with("put an id that is all digits in quotes"), "{message}");
        }
    }
}
