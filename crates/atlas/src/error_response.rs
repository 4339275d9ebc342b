//! A response that is not 200.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    model::wire::{LabelText, Text},
    reason::Reason,
};

/// Longer codes and details are truncated to this many bytes: they are logged.
const MAX_ERROR_TEXT: usize = 300;

/// A larger error body is not read to its end, and is ignored. Atlas's have less than a kilobyte.
pub(crate) const MAX_ERROR_BODY: usize = 64 << 10;

/// Codes of a 401 that reject the credential. With any other code, Atlas accepts it but it has no role here.
const CREDENTIAL_REFUSED: [&str; 4] = ["", "UNEXPECTED_ERROR", "invalid_client", "invalid_token"];

/// Codes of a 401 with which Atlas accepts the credential, which has no role here.
const ROLE_MISSING: [&str; 4] =
    ["NOT_IN_GROUP", "USER_CANNOT_ACCESS_GROUP", "USER_UNAUTHORIZED", "USER_CANNOT_ACCESS_ORG"];

/// Codes of a 404 with which Atlas says that it has no such group. No other 404 does: it may come from a proxy, or from a
/// path that does not exist.
const GROUP_MISSING: [&str; 3] = ["GROUP_NOT_FOUND", "INVALID_GROUP_ID", "NOT_ATLAS_GROUP"];

/// Codes of an address that is not allowed. Older pages of the API reference have the names with `WHITELIST`.
const ADDRESS_NOT_ALLOWED: [&str; 4] = [
    "IP_ADDRESS_NOT_ON_ACCESS_LIST",
    "ORG_REQUIRES_ACCESS_LIST",
    "IP_ADDRESS_NOT_ON_WHITELIST",
    "ORG_REQUIRES_WHITELIST",
];

/// An HTTP status other than 200, with what its body says if that can be parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error(
    "status {status}{}{}",
    code.as_ref().map_or_else(String::new, |code| format!(" `{code}`")),
    detail.as_ref().map_or_else(String::new, |detail| format!(": {detail}"))
)]
pub struct ErrorResponse {
    /// The HTTP status.
    pub status: u16,
    /// Atlas's `errorCode`, or `error` of an OAuth error.
    pub code: Option<String>,
    /// Whether the body has Atlas's own format, so that the response cannot be that of a proxy.
    pub is_from_atlas: bool,
    /// Atlas's `detail`, or `error_description`, on one line.
    pub detail: Option<String>,
    /// How long to wait according to the header `Retry-After`.
    pub retry_after: Option<Duration>,
}

/// Both formats: `error` is the HTTP status in Atlas's own, beside `errorCode`, and the code in OAuth's.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(rename = "errorCode")]
    error_code: LabelText<MAX_ERROR_TEXT>,
    detail: LabelText<MAX_ERROR_TEXT>,
    error_description: LabelText<MAX_ERROR_TEXT>,
}

impl ErrorResponse {
    /// Parses the body. Any other kind of body, such as HTML with status 503, is ignored. Each field is parsed on its
    /// own: one of another type is ignored.
    #[must_use]
    pub fn new(status: u16, body: &[u8], retry_after: Option<Duration>) -> Self {
        let text = String::from_utf8_lossy(body);
        let body: Body<'_> = serde_json::from_str(&text).unwrap_or_default();
        let error = body.error.map_or("", RawValue::get);
        let oauth_code: Option<Text<MAX_ERROR_TEXT>> = serde_json::from_str(error).ok();
        let (code, oauth_code) = (body.error_code.0.kept, oauth_code.and_then(|code| code.kept));
        let detail = body.detail.0.kept.or(body.error_description.0.kept);
        Self {
            status,
            is_from_atlas: serde_json::from_str(error).ok() == Some(status) && code.is_some(),
            code: code.or(oauth_code).map(|text| one_line(&text)),
            detail: detail.map(|text| one_line(text.trim_end_matches('.'))),
            retry_after,
        }
    }

    /// What to do about it: by its code if that is more specific than its reason.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self.code.as_deref().unwrap_or_default() {
            "NOT_IN_GROUP" | "USER_CANNOT_ACCESS_GROUP" => {
                "grant the credential the role Project Read Only in this project, and check the project's ID"
            }
            "USER_CANNOT_ACCESS_ORG" => {
                "the credential belongs to another organization or has no role in this one; check the organization's id"
            }
            "ORG_REQUIRES_ACCESS_LIST" | "ORG_REQUIRES_WHITELIST" => {
                "the organization requires an access list; give the credential one with this machine's public IP address"
            }
            "PATH_PARAM_PARSE_ERROR" => "check the IDs of projects and organizations in the config",
            "invalid_client" => {
                "check the client ID and the client secret, and in Atlas whether the secret has expired"
            }
            "access_denied" => {
                "the service account may have too many live tokens; find what else mints them, or wait until they expire"
            }
            "INVALID_ATLAS_GROUP" => {
                "Atlas cannot load the project in the error message, and lists no project until it can; contact MongoDB \
                 support, and list the other projects under `groups` meanwhile"
            }
            "ORG_NOT_FOUND" | "INVALID_ORG_ID" | "NOT_ATLAS_ORG" => "check `organization` under `discover`",
            "VERSION_GONE" => "this version of the API has ended; set `api_version: v2` or install a newer release",
            _ if self.status == 402 => "Atlas suspended the organization; check its billing",
            _ if self.status == 404 && self.reason() != Reason::NotFound => {
                "check the account's `base_url`, and any proxy or gateway in between; the server does not know this path"
            }
            _ if self.status == 403 && !self.is_from_atlas => {
                "the response is not Atlas's; check the proxy, gateway or firewall between this machine and Atlas"
            }
            _ => self.reason().advice(),
        }
    }

    /// Whether it may reject the credential: a 401 with any code that does not name a missing role.
    pub(crate) fn may_reject_credential(&self) -> bool {
        let code = self.code.as_deref().unwrap_or_default();
        self.status == 401 && !(self.is_from_atlas && ROLE_MISSING.contains(&code))
    }

    /// The reason that a failure with this response is counted under.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match (self.status, self.code.as_deref().unwrap_or_default()) {
            (401, code) if CREDENTIAL_REFUSED.contains(&code) => Reason::Unauthorized,
            (403, code) if ADDRESS_NOT_ALLOWED.contains(&code) => Reason::IpAccessList,
            (401..=403, _) => Reason::Forbidden,
            (404, code) if self.is_from_atlas && GROUP_MISSING.contains(&code) => Reason::NotFound,
            (429, _) => Reason::RateLimited,
            (500..=599, _) => Reason::Server,
            _ => Reason::UnexpectedStatus,
        }
    }
}

/// Replaces control characters.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &str) -> ErrorResponse {
        ErrorResponse::new(status, body.as_bytes(), None)
    }

    #[test]
    fn both_formats_are_parsed_and_other_bodies_are_ignored() {
        let atlas = r#"{"detail":"No group with ID 1 exists.","error":404,"errorCode":"GROUP_NOT_FOUND","parameters":["1"],"reason":"Not Found"}"#;
        let oauth = r#"{"error":"invalid_client","error_description":"Invalid credentials provided."}"#;
        for (status, body, text) in [
            (404, atlas, "status 404 `GROUP_NOT_FOUND`: No group with ID 1 exists"),
            (401, oauth, "status 401 `invalid_client`: Invalid credentials provided"),
            (503, "<html>Cloud Manager Unavailable</html>", "status 503"),
        ] {
            assert_eq!(response(status, body).to_string(), text);
        }
    }

    #[test]
    fn a_field_of_another_type_costs_no_other() {
        for other in ["7", "null", "true", "1e999", r#"["x"]"#, r#"{"x":[1]}"#, r#""\ud800""#] {
            let with_code =
                response(404, &format!(r#"{{"error":404,"errorCode":"GROUP_NOT_FOUND","detail":{other}}}"#));
            assert_eq!((with_code.reason(), with_code.detail), (Reason::NotFound, None), "{other}");
            let with_detail = response(400, &format!(r#"{{"error":400,"errorCode":{other},"detail":"x"}}"#));
            assert_eq!(with_detail.to_string(), "status 400: x", "{other}");
            let oauth = response(401, &format!(r#"{{"error":"invalid_client","error_description":{other}}}"#));
            assert_eq!(oauth.to_string(), "status 401 `invalid_client`", "{other}");
            let without_error = response(401, &format!(r#"{{"error":{other},"errorCode":"X","detail":"y"}}"#));
            assert_eq!(without_error.to_string(), "status 401 `X`: y", "{other}");
            assert!(!without_error.is_from_atlas, "{other}");
        }
        let mut invalid = br#"{"error":404,"errorCode":"GROUP_NOT_FOUND","detail":"?"}"#.to_vec();
        let position = invalid.iter().position(|byte| *byte == b'?').unwrap();
        invalid[position] = 0xff;
        assert_eq!(ErrorResponse::new(404, &invalid, None).reason(), Reason::NotFound, "not UTF-8");
    }

    #[test]
    fn every_status_has_a_reason_which_may_depend_on_the_code() {
        for (status, code, reason) in [
            (301, None, Reason::UnexpectedStatus),
            (401, None, Reason::Unauthorized),
            (401, Some("UNEXPECTED_ERROR"), Reason::Unauthorized),
            (401, Some("invalid_client"), Reason::Unauthorized),
            (401, Some("SOMETHING_NEW"), Reason::Forbidden),
            (403, Some("ORG_REQUIRES_ACCESS_LIST"), Reason::IpAccessList),
            (403, None, Reason::Forbidden),
            (404, None, Reason::UnexpectedStatus),
            (406, Some("INVALID_VERSION_DATE"), Reason::UnexpectedStatus),
            (503, None, Reason::Server),
        ] {
            let code = code.map(str::to_owned);
            let response = ErrorResponse { status, code, ..ErrorResponse::default() };
            assert_eq!(response.reason(), reason, "{response}");
        }
    }

    #[test]
    fn only_a_404_in_the_format_of_atlas_says_that_a_group_is_missing() {
        let atlas = |code: &str| format!(r#"{{"detail":"x","error":404,"errorCode":"{code}","reason":"Not Found"}}"#);
        for code in GROUP_MISSING {
            assert_eq!(response(404, &atlas(code)).reason(), Reason::NotFound, "{code}");
            assert_ne!(response(410, &atlas(code)).reason(), Reason::NotFound, "not a 404");
        }
        let whole = atlas("GROUP_NOT_FOUND");
        for body in [
            "",
            "null",
            "[]",
            "<html>GROUP_NOT_FOUND</html>",
            r#"<pre>{"error":404,"errorCode":"GROUP_NOT_FOUND"}</pre>"#,
            r#""GROUP_NOT_FOUND""#,
            r#"{"error":"GROUP_NOT_FOUND"}"#,
            r#"{"error":404,"message":"GROUP_NOT_FOUND"}"#,
            r#"{"errorCode":"GROUP_NOT_FOUND"}"#,
            r#"{"error":502,"errorCode":"GROUP_NOT_FOUND"}"#,
            r#"{"error":"404","errorCode":"GROUP_NOT_FOUND"}"#,
            r#"{"error":404,"errorCode":["GROUP_NOT_FOUND"]}"#,
            r#"{"error":404,"errorCode":"PEER_NOT_FOUND","errorCode":"GROUP_NOT_FOUND"}"#,
            &atlas("group_not_found"),
            &atlas("RESOURCE_NOT_FOUND"),
            &atlas("PEER_NOT_FOUND"),
            &atlas("ORG_NOT_FOUND"),
            &atlas("INVALID_ATLAS_GROUP"),
            &format!("{whole}{whole}"),
            &whole[..whole.len() - 1],
        ] {
            let response = response(404, body);
            assert_eq!(response.reason(), Reason::UnexpectedStatus, "{body}");
            assert!(!response.advice().contains("deleted project"), "{body}: {}", response.advice());
        }
    }

    #[test]
    fn a_403_of_a_proxy_does_not_ask_for_a_role() {
        let advice = |body| response(403, body).advice();
        assert!(advice(r#"{"error":403,"errorCode":"SOMETHING"}"#).contains("Project Read Only"));
        assert!(advice("<html>blocked</html>").starts_with("the response is not Atlas's"));
    }

    #[test]
    fn hostile_text_is_truncated_and_kept_on_one_line() {
        let body = serde_json::json!({ "detail": format!("a\nb\u{1b}[31m{}", "x".repeat(5000)) });
        let detail = response(500, &body.to_string()).detail.unwrap();
        assert!(detail.starts_with("a b [31mxx"));
        assert_eq!(detail.len(), MAX_ERROR_TEXT);
    }
}
