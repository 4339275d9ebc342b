//! An answer of Atlas that is not the page we asked for.

use std::{fmt, time::Duration};

use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use crate::{ErrorKind, Reason, header};

/// A body larger than this is refused. A page of 500 peerings has a quarter of a megabyte.
const MAX_BODY: usize = 8 << 20;

/// Longer words and sentences of an error body are cut here: they go into log lines.
const MAX_TEXT: usize = 300;

/// The credential is not good. With any other code it is, but has no role here: Atlas answers 401 all the same.
const REFUSED: [&str; 4] = ["", "UNEXPECTED_ERROR", "invalid_client", "invalid_token"];

/// The address we call from is not allowed; older pages of the reference print the older words.
const NO_ACCESS: [&str; 4] = [
    "IP_ADDRESS_NOT_ON_ACCESS_LIST",
    "ORG_REQUIRES_ACCESS_LIST",
    "IP_ADDRESS_NOT_ON_WHITELIST",
    "ORG_REQUIRES_WHITELIST",
];

/// An HTTP status other than 200, with what its body says if that can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorResponse {
    /// The HTTP status.
    pub status: u16,
    /// Atlas's `errorCode`, or the `error` word of the OAuth shape.
    pub code: Option<String>,
    /// Atlas's `detail`, or `error_description`, on one line.
    pub detail: Option<String>,
    /// How long the header `Retry-After` asks to wait.
    pub retry_after: Option<Duration>,
}

/// Both shapes: `error` is the HTTP status in Atlas's own, and a word in the OAuth one.
#[derive(Default, Deserialize)]
struct Body {
    error: Option<Value>,
    #[serde(rename = "errorCode")]
    error_code: Option<String>,
    detail: Option<String>,
    error_description: Option<String>,
}

impl ErrorResponse {
    /// Reads what it can; a body of any other kind, such as HTML with status 503, adds nothing.
    #[must_use]
    pub fn new(status: u16, body: &[u8], retry_after: Option<Duration>) -> Self {
        let body: Body = serde_json::from_slice(body).unwrap_or_default();
        let word = body.error.and_then(|error| error.as_str().map(str::to_owned));
        Self {
            status,
            code: body.error_code.or(word).map(|text| one_line(&text)),
            detail: body.detail.or(body.error_description).map(|text| one_line(text.trim_end_matches('.'))),
            retry_after,
        }
    }

    /// What to do about it, by the code if it is one that tells more than its reason.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self.code.as_deref().unwrap_or_default() {
            "NOT_IN_GROUP" | "USER_CANNOT_ACCESS_GROUP" => {
                "give the credential the role Project Read Only in this group, and check the group's id"
            }
            "USER_CANNOT_ACCESS_ORG" => {
                "the credential has no role in this organization, or belongs to another one: check the organization's id"
            }
            "ORG_REQUIRES_ACCESS_LIST" | "ORG_REQUIRES_WHITELIST" => {
                "the organization demands an access list: give the credential one, with the address this exporter calls from"
            }
            "PATH_PARAM_PARSE_ERROR" => "check the ids of groups and organizations in the config",
            "invalid_client" => {
                "check the client id and the client secret, and in Atlas whether the secret has expired"
            }
            "access_denied" => {
                "the service account may have too many live tokens: see what else mints them, or wait until they end"
            }
            "VERSION_GONE" => "this version of the API has ended: set `api_version: v2`, or install a newer exporter",
            _ if self.status == 402 => "Atlas suspended the organization: see to its billing",
            _ => self.reason().advice(),
        }
    }

    /// What a failure with this answer is counted as.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match (self.status, self.code.as_deref().unwrap_or_default()) {
            (401, code) if REFUSED.contains(&code) => Reason::Unauthorized,
            (403, code) if NO_ACCESS.contains(&code) => Reason::IpAccessList,
            (401..=403, _) => Reason::Forbidden,
            (404, _) => Reason::NotFound,
            (429, _) => Reason::RateLimited,
            (500..=599, _) => Reason::Server,
            _ => Reason::UnexpectedStatus,
        }
    }
}

/// Reads an answer to its end.
pub(crate) async fn read(mut response: Response) -> Result<Vec<u8>, ErrorKind> {
    let status = response.status();
    let retry_after = header::retry_after(response.headers());
    let body = body(&mut response).await;
    if status == StatusCode::OK {
        return body;
    }
    // The status says enough where the body of an error is cut short.
    Err(ErrorKind::ErrorResponse(ErrorResponse::new(status.as_u16(), &body.unwrap_or_default(), retry_after)))
}

async fn body(response: &mut Response) -> Result<Vec<u8>, ErrorKind> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(ErrorKind::http)? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(ErrorKind::TooLarge { limit: MAX_BODY });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

impl fmt::Display for ErrorResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status)?;
        if let Some(code) = &self.code {
            write!(f, " `{code}`")?;
        }
        if let Some(detail) = &self.detail {
            write!(f, ": {detail}")?;
        }
        Ok(())
    }
}

/// The text without line breaks and other control characters, and not too long.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> ErrorResponse {
        ErrorResponse::new(status, body.as_bytes(), None)
    }

    #[test]
    fn atlas_errors_are_read() {
        let body = r#"{"detail":"No group with ID 1 exists.","error":404,"errorCode":"GROUP_NOT_FOUND","parameters":["1"],"reason":"Not Found"}"#;
        let answer = answer(404, body);
        assert_eq!(answer.to_string(), "status 404 `GROUP_NOT_FOUND`: No group with ID 1 exists");
        assert_eq!(answer.reason(), Reason::NotFound);
    }

    #[test]
    fn oauth_errors_are_read() {
        let body = r#"{"error":"invalid_client","error_description":"Invalid credentials provided."}"#;
        let answer = answer(401, body);
        assert_eq!(answer.to_string(), "status 401 `invalid_client`: Invalid credentials provided");
        assert_eq!(answer.reason(), Reason::Unauthorized);
    }

    #[test]
    fn html_leaves_the_status_alone() {
        let answer = answer(503, "<html>Cloud Manager Unavailable</html>");
        assert_eq!(answer.to_string(), "status 503");
        assert_eq!(answer.reason(), Reason::Server);
    }

    #[test]
    fn a_missing_role_is_told_from_a_wrong_key() {
        let body = |code: &str| format!(r#"{{"error":401,"errorCode":"{code}"}}"#);
        assert_eq!(answer(401, &body("UNEXPECTED_ERROR")).reason(), Reason::Unauthorized);
        assert_eq!(answer(401, "").reason(), Reason::Unauthorized);
        for code in ["NOT_IN_GROUP", "USER_UNAUTHORIZED", "SOMETHING_NEW"] {
            assert_eq!(answer(401, &body(code)).reason(), Reason::Forbidden, "{code}");
        }
    }

    #[test]
    fn every_status_has_a_reason() {
        let code = |code: &str| format!(r#"{{"errorCode":"{code}"}}"#);
        for (status, body, reason) in [
            (301, String::new(), Reason::UnexpectedStatus),
            (400, code("VALIDATION_ERROR"), Reason::UnexpectedStatus),
            (402, code("ACCOUNT_SUSPENDED"), Reason::Forbidden),
            (403, code("IP_ADDRESS_NOT_ON_ACCESS_LIST"), Reason::IpAccessList),
            (403, code("ORG_REQUIRES_ACCESS_LIST"), Reason::IpAccessList),
            (403, String::new(), Reason::Forbidden),
            (406, code("INVALID_VERSION_DATE"), Reason::UnexpectedStatus),
            (410, code("VERSION_GONE"), Reason::UnexpectedStatus),
            (429, code("RATE_LIMITED"), Reason::RateLimited),
            (500, code("UNEXPECTED_ERROR"), Reason::Server),
        ] {
            assert_eq!(answer(status, &body).reason(), reason, "{status} {body}");
        }
    }

    #[test]
    fn hostile_text_stays_short_and_on_one_line() {
        let body = serde_json::json!({ "detail": format!("a\nb\u{1b}[31m{}", "x".repeat(5000)) });
        let detail = answer(500, &body.to_string()).detail.unwrap();
        assert!(detail.starts_with("a b [31mxx"));
        assert_eq!(detail.len(), MAX_TEXT);
    }
}
