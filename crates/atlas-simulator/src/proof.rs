//! The credentials that a request carries, of whatever kind.

use base64::{Engine, prelude::BASE64_STANDARD};

use super::{authorization::Authorization, percent};

/// What is in `Authorization`. It holds secrets, so it cannot be printed.
pub(super) enum Proof {
    Missing,
    /// None where it cannot be read.
    Digest(Option<Authorization>),
    /// None where it cannot be read.
    Basic(Option<Client>),
    /// With the token.
    Bearer(String),
    Other,
}

/// The credentials of a service account.
#[derive(PartialEq, Eq)]
pub(super) struct Client {
    pub(super) id: String,
    pub(super) secret: String,
}

impl Proof {
    pub(super) fn read(header: Option<&str>) -> Proof {
        let Some(header) = header.map(str::trim) else {
            return Proof::Missing;
        };
        let (scheme, rest) = header.split_once(' ').unwrap_or((header, ""));
        match scheme.to_ascii_lowercase().as_str() {
            "digest" => Proof::Digest(Authorization::parse(header)),
            "basic" => Proof::Basic(Client::read(rest)),
            "bearer" => Proof::Bearer(rest.trim().to_owned()),
            _ => Proof::Other,
        }
    }

    /// The word for the kind.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Proof::Missing => "none",
            Proof::Digest(_) => "digest",
            Proof::Basic(_) => "basic",
            Proof::Bearer(_) => "bearer",
            Proof::Other => "other",
        }
    }

    pub(super) fn digest(&self) -> Option<&Authorization> {
        match self {
            Proof::Digest(answer) => answer.as_ref(),
            _ => None,
        }
    }
}

impl Client {
    /// Reads `id:secret` in base64, both of which RFC 6749 encodes like the fields of a form before.
    fn read(text: &str) -> Option<Client> {
        let bytes = BASE64_STANDARD.decode(text.trim()).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (id, secret) = text.split_once(':')?;
        let decode = |text: &str| percent::decode(&text.replace('+', " "));
        Some(Client { id: decode(id), secret: decode(secret) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_credentials_is_told_apart_in_any_case() {
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
            assert_eq!(Proof::read(header).kind(), kind, "{header:?}");
        }
    }

    #[test]
    fn both_halves_of_a_client_are_decoded_after_they_are_taken_apart() {
        let client = |text: &str| Client::read(&BASE64_STANDARD.encode(text)).map(|client| (client.id, client.secret));
        let expected = |id: &str, secret: &str| Some((id.to_owned(), secret.to_owned()));
        assert_eq!(client("a:b"), expected("a", "b"));
        assert_eq!(client("a%3Ab:c%26+d%2B"), expected("a:b", "c& d+"));
        assert_eq!(client("a:b:c"), expected("a", "b:c"));
        assert_eq!(client(":"), expected("", ""));
        assert_eq!(client("a"), None);
        assert!(Client::read("a:b").is_none());
        assert!(Client::read("").is_none());
    }

    #[test]
    fn a_token_is_taken_as_it_is() {
        assert!(matches!(Proof::read(Some("Bearer  eyJ.a=b ")), Proof::Bearer(token) if token == "eyJ.a=b"));
    }
}
