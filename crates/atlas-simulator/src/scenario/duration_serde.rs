//! Durations in the form `30s`, `5m`, `30d`, for serde.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// The longest duration, as `1y` counts it.
const YEAR: Duration = Duration::from_secs(31_557_600);

/// The highest age.
const CENTURY: Duration = YEAR.saturating_mul(100);

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(input)?, YEAR)
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

/// An optional age, which can be many years.
pub(crate) fn deserialize_age<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Duration>, D::Error> {
    parse_optional(input, CENTURY)
}

pub(crate) fn deserialize_optional<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Duration>, D::Error> {
    parse_optional(input, YEAR)
}

fn parse_optional<'de, D: Deserializer<'de>>(input: D, most: Duration) -> Result<Option<Duration>, D::Error> {
    let text = Option::<String>::deserialize(input)?;
    text.as_deref().map(|text| parse(text, most)).transpose()
}

/// Writes a duration, or null for none.
pub(crate) fn serialize<T: Copy + Into<Option<Duration>>, S: Serializer>(
    value: &T,
    output: S,
) -> Result<S::Ok, S::Error> {
    (*value).into().map(|duration| humantime::format_duration(duration).to_string()).serialize(output)
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
