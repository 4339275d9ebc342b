//! Durations as people write them: `30s`, `5m`, `30d`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// Nobody waits longer than a year, as `1y` counts it.
const YEAR: Duration = Duration::from_secs(31_557_600);

/// Nothing in the cloud is older.
const CENTURY: Duration = YEAR.saturating_mul(100);

pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(input)?;
    parse(&text, YEAR)
}

pub(super) fn serialize<S: Serializer>(period: &Duration, output: S) -> Result<S::Ok, S::Error> {
    output.collect_str(&humantime::format_duration(*period))
}

fn parse<E: Error>(text: &str, most: Duration) -> Result<Duration, E> {
    let period = humantime::parse_duration(text)
        .map_err(|error| E::custom(format!("`{text}` is not a duration such as `30s`: {error}")))?;
    if period > most {
        let most = humantime::format_duration(most);
        return Err(E::custom(format!("`{text}` is too long: at most {most}")));
    }
    Ok(period)
}

fn parse_optional<'de, D: Deserializer<'de>>(input: D, most: Duration) -> Result<Option<Duration>, D::Error> {
    let text = Option::<String>::deserialize(input)?;
    text.as_deref().map(|text| parse(text, most)).transpose()
}

/// The same where the duration may be missing.
pub(super) mod optional {
    use super::{Deserializer, Duration, Serializer, YEAR, parse_optional};

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Duration>, D::Error> {
        parse_optional(input, YEAR)
    }

    // The signature is serde's.
    #[allow(clippy::ref_option)]
    pub(in super::super) fn serialize<S: Serializer>(period: &Option<Duration>, output: S) -> Result<S::Ok, S::Error> {
        match period {
            Some(period) => super::serialize(period, output),
            None => output.serialize_none(),
        }
    }
}

/// The same for how old something is, which may be many years.
pub(super) mod age {
    use super::{CENTURY, Deserializer, Duration, parse_optional};

    pub(in super::super) use super::optional::serialize;

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Duration>, D::Error> {
        parse_optional(input, CENTURY)
    }
}

#[cfg(test)]
mod tests {
    use serde::de::value::Error;

    use super::*;

    #[test]
    fn a_duration_is_at_most_a_year() {
        let parse = |text| parse::<Error>(text, YEAR);
        assert_eq!(parse("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(parse("1y"), Ok(YEAR));
        let error = parse("366d").unwrap_err().to_string();
        assert_eq!(error, "`366d` is too long: at most 1year");
        for text in ["18446744073709551615s", "18446744073709551616s", "", "-1s", "1e9s", "\u{665}s", "\u{1f980}"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_age_may_be_years_but_not_centuries() {
        let parse = |text| parse::<Error>(text, CENTURY);
        assert!(parse("740d").is_ok());
        assert!(parse("18446744073709551615s").is_err());
    }
}
