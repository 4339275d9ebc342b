//! The credentials that a request presents in its `Authorization` header, and whose they are.

use std::collections::HashMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use percent_encoding::percent_decode_str;

/// Whose credentials were accepted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Caller {
    /// The owner of this public key.
    ApiKey(String),
    /// The service account with this client ID.
    ServiceAccount(String),
}

/// Why credentials were rejected. Its name is the outcome in the request log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum AuthError {
    #[strum(serialize = "challenge")]
    Missing,
    Stale,
    BadCredentials,
    ReplayedNc,
    BadToken,
}

/// What `Authorization` contains. Its name is the kind in the request log. It holds secrets, so it is not `Debug`.
#[derive(strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub(crate) enum PresentedCredentials {
    #[strum(serialize = "none")]
    Missing,
    Digest(DigestResponse),
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

/// The fields of a response to a digest challenge. A malformed response has none.
#[derive(Debug, Default)]
pub(crate) struct DigestResponse(HashMap<String, String>);

impl PresentedCredentials {
    pub(crate) fn parse(header: Option<&str>) -> PresentedCredentials {
        let Some(header) = header.map(str::trim) else {
            return PresentedCredentials::Missing;
        };
        let (scheme, rest) = header.split_once(' ').unwrap_or((header, ""));
        match scheme.to_ascii_lowercase().as_str() {
            "digest" => PresentedCredentials::Digest(DigestResponse::parse(header).unwrap_or_default()),
            "basic" => PresentedCredentials::Basic(ClientCredentials::parse(rest)),
            "bearer" => PresentedCredentials::Bearer(rest.trim().to_owned()),
            _ => PresentedCredentials::Other,
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
    /// Parses a header, whose grammar is that of a challenge. None if malformed, or if a field is repeated.
    pub(crate) fn parse(header: &str) -> Option<DigestResponse> {
        let challenges = http_auth::parse_challenges(header).ok()?;
        let [challenge] = challenges.as_slice() else { return None };
        let fields = challenge.params.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.to_unescaped()));
        let fields: HashMap<_, _> = fields.collect();
        (fields.len() == challenge.params.len()).then_some(DigestResponse(fields))
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
            assert_eq!(<&str>::from(PresentedCredentials::parse(header)), kind, "{header:?}");
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
        let text = r#"Digest username="a, \"b\"", nc=0000000a , qop=auth,uri="/x?y=1,2""#;
        let response = DigestResponse::parse(text).unwrap();
        assert_eq!(
            ["username", "qop", "uri"].map(|name| response.get(name).unwrap()),
            [r#"a, "b""#, "auth", "/x?y=1,2"]
        );
        assert_eq!(response.nonce_count(), Some(10));
        for malformed in ["abc", r#"username="open"#, r#"a="1" b="2""#, "a=1, a=2", "a=1, Basic b=2"] {
            assert!(DigestResponse::parse(&format!("Digest {malformed}")).is_none(), "{malformed}");
        }
    }
}
