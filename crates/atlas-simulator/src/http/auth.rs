//! The credentials that a request presents in its `Authorization` header.

use std::collections::HashMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use percent_encoding::percent_decode_str;

/// What `Authorization` contains. It holds secrets, so it is not `Debug`.
pub(crate) enum PresentedCredentials {
    Missing,
    /// None if malformed.
    Digest(Option<DigestResponse>),
    /// None if malformed.
    Basic(Option<ClientCredentials>),
    /// An access token.
    Bearer(String),
    Other,
}

/// The credentials of a service account.
pub(crate) struct ClientCredentials {
    pub(crate) id: String,
    pub(crate) secret: String,
}

/// The fields of a response to a digest challenge.
#[derive(Debug)]
pub(crate) struct DigestResponse(HashMap<String, String>);

impl PresentedCredentials {
    pub(crate) fn parse(header: Option<&str>) -> PresentedCredentials {
        let Some(header) = header.map(str::trim) else {
            return PresentedCredentials::Missing;
        };
        let (scheme, rest) = header.split_once(' ').unwrap_or((header, ""));
        match scheme.to_ascii_lowercase().as_str() {
            "digest" => PresentedCredentials::Digest(DigestResponse::parse(rest)),
            "basic" => PresentedCredentials::Basic(ClientCredentials::parse(rest)),
            "bearer" => PresentedCredentials::Bearer(rest.trim().to_owned()),
            _ => PresentedCredentials::Other,
        }
    }

    /// The kind in the request log.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            PresentedCredentials::Missing => "none",
            PresentedCredentials::Digest(_) => "digest",
            PresentedCredentials::Basic(_) => "basic",
            PresentedCredentials::Bearer(_) => "bearer",
            PresentedCredentials::Other => "other",
        }
    }

    pub(crate) fn digest(&self) -> Option<&DigestResponse> {
        match self {
            PresentedCredentials::Digest(response) => response.as_ref(),
            _ => None,
        }
    }
}

impl ClientCredentials {
    /// Parses base64 of `id:secret`, both of which are form-encoded first, as RFC 6749 requires.
    fn parse(text: &str) -> Option<ClientCredentials> {
        let text = String::from_utf8(BASE64_STANDARD.decode(text.trim()).ok()?).ok()?;
        let (id, secret) = text.split_once(':')?;
        let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        Some(ClientCredentials { id: decode(id), secret: decode(secret) })
    }
}

impl DigestResponse {
    /// Parses what follows the scheme. None if malformed, empty, or if a field is repeated.
    pub(crate) fn parse(mut rest: &str) -> Option<DigestResponse> {
        let mut fields = HashMap::new();
        while !rest.trim().is_empty() {
            let (name, after) = rest.split_once('=')?;
            let (value, after) = parse_value(after.trim_start())?;
            if fields.insert(name.trim().to_ascii_lowercase(), value).is_some() {
                return None;
            }
            rest = after;
        }
        if fields.is_empty() { None } else { Some(DigestResponse(fields)) }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// How often the client claims to have used the nonce: eight hexadecimal digits.
    pub(crate) fn nonce_count(&self) -> Option<u32> {
        let text = self.get("nc").filter(|text| text.len() == 8)?;
        u32::from_str_radix(text, 16).ok()
    }
}

/// Parses a token or a quoted string, and the comma after it.
fn parse_value(text: &str) -> Option<(String, &str)> {
    let (value, rest) = match text.strip_prefix('"') {
        Some(quoted) => unquote(quoted)?,
        None => {
            let (token, rest) = text.split_at(text.find(',').unwrap_or(text.len()));
            (token.trim().to_owned(), rest)
        }
    };
    let rest = rest.trim_start();
    let rest = if rest.is_empty() { rest } else { rest.strip_prefix(',')? };
    Some((value, rest))
}

fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[index + 1..])),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_is_recognized_in_any_case() {
        for (header, kind) in [
            (None, "none"),
            (Some("digest username=\"u\""), "digest"),
            (Some("Digest"), "digest"),
            (Some("BASIC YTpi"), "basic"),
            (Some("Basic"), "basic"),
            (Some("bearer t"), "bearer"),
            (Some("Negotiate t"), "other"),
            (Some(""), "other"),
        ] {
            assert_eq!(PresentedCredentials::parse(header).kind(), kind, "{header:?}");
        }
        let bearer = PresentedCredentials::parse(Some("Bearer  eyJ.a=b "));
        assert!(matches!(bearer, PresentedCredentials::Bearer(token) if token == "eyJ.a=b"));
    }

    #[test]
    fn client_credentials_are_decoded_after_they_are_split() {
        let client = |text: &str| ClientCredentials::parse(text).map(|client| (client.id, client.secret));
        for (text, id, secret) in [
            ("a:b", "a", "b"),
            ("a%3Ab:c%26+d%2B", "a:b", "c& d+"),
            ("a:b:c", "a", "b:c"),
            (":", "", ""),
            ("%zz%41:%c3%a9%ff", "%zzA", "\u{e9}\u{fffd}"),
        ] {
            assert_eq!(client(&BASE64_STANDARD.encode(text)), Some((id.to_owned(), secret.to_owned())), "{text}");
        }
        for malformed in [&BASE64_STANDARD.encode("a"), "a:b", ""] {
            assert_eq!(client(malformed), None, "{malformed}");
        }
    }

    #[test]
    fn a_digest_response_has_tokens_and_quoted_strings() {
        let text = r#"username="a, \"b\"", nc=0000000a , qop=auth,uri="/x?y=1,2""#;
        let response = DigestResponse::parse(text).unwrap();
        assert_eq!(
            ["username", "qop", "uri"].map(|name| response.get(name).unwrap()),
            [r#"a, "b""#, "auth", "/x?y=1,2"]
        );
        assert_eq!(response.nonce_count(), Some(10));
        for malformed in ["", "abc", r#"username="open"#, r#"a="1" b="2""#, "a=1, a=2"] {
            assert!(DigestResponse::parse(malformed).is_none(), "{malformed}");
        }
    }
}
