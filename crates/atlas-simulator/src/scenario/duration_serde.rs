//! Durations in the form `30s`, `5m`, `30d`, for serde.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// The longest duration, as `1y` counts it.
const YEAR: Duration = Duration::from_secs(31_557_600);

/// The highest age.
const CENTURY: Duration = YEAR.saturating_mul(100);

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(input)?, YEAR)
}

pub(crate) fn serialize<S: Serializer>(duration: &Duration, output: S) -> Result<S::Ok, S::Error> {
    output.collect_str(&humantime::format_duration(*duration))
}

fn parse<E: Error>(text: &str, most: Duration) -> Result<Duration, E> {
    let duration = humantime::parse_duration(text)
        .map_err(|error| E::custom(format!("`{text}` is not a duration such as `30s`: {error}")))?;
    if duration > most {
        let most = humantime::format_duration(most);
        return Err(E::custom(format!("`{text}` is too long: at most {most}")));
    }
    Ok(duration)
}

fn parse_optional<'de, D: Deserializer<'de>>(input: D, most: Duration) -> Result<Option<Duration>, D::Error> {
    let text = Option::<String>::deserialize(input)?;
    text.as_deref().map(|text| parse(text, most)).transpose()
}

/// An optional age, which can be many years.
pub(crate) fn deserialize_age<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Duration>, D::Error> {
    parse_optional(input, CENTURY)
}

/// An optional duration.
pub(crate) mod optional {
    use super::{Deserializer, Duration, Serializer, YEAR, parse_optional};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Duration>, D::Error> {
        parse_optional(input, YEAR)
    }

    // The signature is serde's.
    #[allow(clippy::ref_option)]
    pub(crate) fn serialize<S: Serializer>(duration: &Option<Duration>, output: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::serialize(duration, output),
            None => output.serialize_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::de::value::Error;

    use super::*;

    #[test]
    fn a_duration_is_at_most_a_year_and_an_age_a_century() {
        let parse = parse::<Error>;
        assert_eq!(parse("30s", YEAR), Ok(Duration::from_secs(30)));
        assert_eq!(parse("1y", YEAR), Ok(YEAR));
        assert_eq!(parse("366d", YEAR).unwrap_err().to_string(), "`366d` is too long: at most 1year");
        for text in ["18446744073709551615s", "18446744073709551616s", "", "-1s", "1e9s", "\u{665}s", "\u{1f980}"] {
            assert!(parse(text, YEAR).is_err() && parse(text, CENTURY).is_err(), "{text}");
        }
        assert!(parse("740d", CENTURY).is_ok());
    }
}
