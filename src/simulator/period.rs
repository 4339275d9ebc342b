//! Durations as people write them: `30s`, `5m`, `30d`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de::Error};

pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(input)?;
    parse(&text)
}

pub(super) fn serialize<S: Serializer>(period: &Duration, output: S) -> Result<S::Ok, S::Error> {
    output.collect_str(&humantime::format_duration(*period))
}

fn parse<E: Error>(text: &str) -> Result<Duration, E> {
    humantime::parse_duration(text)
        .map_err(|error| E::custom(format!("`{text}` is not a duration such as `30s`: {error}")))
}

/// The same where the duration may be missing.
pub(super) mod optional {
    use super::{Deserialize, Deserializer, Duration, Serializer, parse};

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Duration>, D::Error> {
        let text = Option::<String>::deserialize(input)?;
        text.as_deref().map(parse).transpose()
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
