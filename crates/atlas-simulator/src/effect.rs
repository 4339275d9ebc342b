//! What a fault does to an answer.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, de::Error};

use super::period;

/// What happens instead of the usual answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Effect {
    /// An error status.
    Status(StatusFault),
    /// All headers, half of the body, and the end of the connection; of the stream with HTTP/2.
    Cut,
    /// The connection is closed without an answer; with HTTP/2 the stream is reset.
    Close,
    /// There is no answer, ever.
    Never,
    /// Every page has a next one.
    Endless {
        /// With new results on every page rather than those of the first.
        #[serde(default)]
        fresh: bool,
    },
    /// The usual body as valid JSON of more than so many bytes.
    Oversize(u64),
    /// Status 200 and a body that is not JSON.
    Garbage,
    /// Status 200 and this body.
    Body(String),
    /// The usual answer, byte by byte with such a pause after each.
    Drip(#[serde(with = "period")] Duration),
}

/// An error status and what comes with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusFault {
    /// 200 to 599.
    #[serde(deserialize_with = "final_status")]
    pub code: u16,
    /// Atlas's word for the error; without it the usual one for the status. On the token endpoints a word in lower
    /// case is one of OAuth's and comes in its shape, as do those for 401, 403 and 500 without a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// The header of that name, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// An HTML page rather than an error of the API.
    #[serde(default)]
    pub html: bool,
    /// Exactly this body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

fn final_status<'de, D: Deserializer<'de>>(input: D) -> Result<u16, D::Error> {
    let code = u16::deserialize(input)?;
    if (200..600).contains(&code) {
        return Ok(code);
    }
    Err(D::Error::custom(format!("`{code}` is not a status from 200 to 599")))
}
