//! Chooses the digest challenge to respond to, of all that a 401 has (RFC 9110, section 11.6.1).
//!
//! A server, or a proxy, may send several challenges in one header or in several. The crate `digest_auth` parses only a
//! single one, and in one spelling. The parser of `http-auth` ends at whatever the grammar forbids, such as two spaces
//! after the scheme, and at what it does not support, such as the data of `Negotiate`. A foreign challenge would then
//! hide that of Atlas, so the headers are parsed here, and only a string that does not end is an error.

use digest_auth::{Algorithm, AlgorithmType, Charset, Qop, WwwAuthenticateHeader};
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// Further headers are ignored.
const MAX_HEADERS: usize = 16;

/// A longer header, in bytes, is ignored. That of Atlas has 122.
const MAX_HEADER: usize = 4096;

/// Between words.
const BLANKS: [char; 2] = [' ', '\t'];

/// Between challenges, between parameters, and after a value without quotation marks.
const SEPARATORS: [char; 3] = [' ', '\t', ','];

/// The first challenge with SHA-2, otherwise the first with MD5. None if no challenge is supported.
pub(super) fn choose(headers: &HeaderMap) -> Option<WwwAuthenticateHeader> {
    let values = headers.get_all(WWW_AUTHENTICATE).iter().take(MAX_HEADERS).filter(|value| value.len() <= MAX_HEADER);
    let challenges = values.flat_map(|value| {
        let text = String::from_utf8_lossy(value.as_bytes());
        parse(&text).iter().filter_map(Challenge::to_digest).collect::<Vec<_>>()
    });
    challenges.min_by_key(|challenge| challenge.algorithm.algo == AlgorithmType::MD5)
}

/// A challenge of any scheme.
struct Challenge<'a> {
    scheme: &'a str,
    /// Names and values. The values have no quotation marks.
    parameters: Vec<(&'a str, String)>,
}

impl Challenge<'_> {
    /// None if it is not a digest challenge, or not a supported one.
    fn to_digest(&self) -> Option<WwwAuthenticateHeader> {
        let echoed = ["realm", "nonce", "opaque"].map(|name| self.parameter(name));
        // Whether the server hashes other characters as UTF-8 is unknown.
        if !self.scheme.eq_ignore_ascii_case("Digest") || !echoed.iter().flatten().all(|text| text.is_ascii()) {
            return None;
        }
        let [realm, nonce, opaque] = echoed.map(|text| text.map(str::to_owned));
        let (algorithm, qop) = (self.algorithm()?, self.qop()?);
        // The key of a session depends on the client's nonce, which is sent with qop only.
        if algorithm.sess && qop.is_empty() {
            return None;
        }
        Some(WwwAuthenticateHeader {
            domain: None,
            realm: realm?,
            nonce: nonce?,
            opaque,
            stale: self.is_true("stale"),
            algorithm,
            qop: (!qop.is_empty()).then_some(qop),
            userhash: self.is_true("userhash"),
            // Credentials are ASCII. The text of the other variant does not parse.
            charset: Charset::UTF8,
            nc: 0,
        })
    }

    /// MD5 if there is none. None if it is not supported.
    fn algorithm(&self) -> Option<Algorithm> {
        let Some(name) = self.parameter("algorithm") else { return Some(Algorithm::default()) };
        name.to_ascii_uppercase().replace("-SESS", "-sess").parse().ok()
    }

    /// Empty if there is none: authentication as in RFC 2069. None if the server requires another than `auth`.
    fn qop(&self) -> Option<Vec<Qop>> {
        let list = self.parameter("qop").unwrap_or_default();
        if list.is_empty() {
            return Some(Vec::new());
        }
        list.split(',').any(|qop| qop.trim().eq_ignore_ascii_case("auth")).then(|| vec![Qop::AUTH])
    }

    fn is_true(&self, name: &str) -> bool {
        self.parameter(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// The challenges before the end, or before a string without an end.
fn parse(header: &str) -> Vec<Challenge<'_>> {
    let mut challenges: Vec<Challenge<'_>> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches(SEPARATORS);
        if rest.is_empty() {
            return challenges;
        }
        let (word, after) = split_at(rest, &[' ', '\t', ',', '=']);
        let Some(value) = after.trim_start_matches(BLANKS).strip_prefix('=') else {
            challenges.push(Challenge { scheme: word, parameters: Vec::new() });
            rest = after;
            continue;
        };
        let Some((value, after)) = parse_value(value.trim_start_matches(BLANKS)) else { return challenges };
        if let Some(challenge) = challenges.last_mut() {
            challenge.parameters.push((word, value));
        }
        rest = after;
    }
}

/// A value, and the text after it. None if it is a string without an end.
fn parse_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, after) = split_at(text, &SEPARATORS);
        return Some((value.to_owned(), after));
    };
    let mut value = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => value.push(chars.next()?),
            other => value.push(other),
        }
    }
}

/// The text before and from the first of these characters.
fn split_at<'a>(text: &'a str, ends: &[char]) -> (&'a str, &'a str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (WWW_AUTHENTICATE, HeaderValue::from_bytes(value.as_bytes()).unwrap())).collect()
    }

    /// The chosen challenge in the form in which diqwest reads it.
    fn chosen(values: &[&str]) -> Option<String> {
        let challenge = choose(&headers(values))?;
        let text = challenge.to_string();
        assert_eq!(digest_auth::parse(&text).unwrap(), challenge, "{text}");
        Some(text.strip_prefix("Digest ").unwrap().replace(", charset=UTF-8", ""))
    }

    const ATLAS: &str =
        r#"Digest realm="MMS Public API", domain="", nonce="669g/+", algorithm=MD5, qop="auth", stale=false"#;
    const ATLAS_CHOSEN: &str = r#"realm="MMS Public API", qop="auth", algorithm=MD5, nonce="669g/+""#;

    #[test]
    fn every_spelling_of_a_challenge_is_read() {
        let plain = r#"realm="r", algorithm=MD5, nonce="n""#;
        let auth = r#"realm="r", qop="auth", algorithm=MD5, nonce="n""#;
        let sha_256 = r#"realm="r", qop="auth", algorithm=SHA-256, nonce="n""#;
        for (header, expected) in [
            (ATLAS, ATLAS_CHOSEN),
            (r#"Digest realm="r", nonce="n""#, plain),
            (r#"digest realm="r", nonce="n""#, plain),
            (r#"DIGEST REALM="r", Nonce="n""#, plain),
            (r#"Digest nonce="n",realm="r""#, plain),
            (r"Digest realm=r, nonce=n", plain),
            ("Digest \t realm = \"r\" ,\tnonce\t=\t\"n\" ", plain),
            (r#"  , ,Digest , realm="r",, nonce="n",,"#, plain),
            (r#"Digest realm="r" nonce="n""#, plain),
            (r#"Digest realm="\r", nonce="\n""#, plain),
            (r#"Digest realm="r", nonce="n", realm="other", nonce="other""#, plain),
            (r#"Digest realm="r", nonce="n", domain="/a /b", charset=utf-8, x=y, z="""#, plain),
            (r#"Digest realm="r", nonce="n", charset=latin1, qop="""#, plain),
            (r#"Digest realm="r", nonce="n", algorithm=md5, qop=auth"#, auth),
            (r#"Digest realm="r", nonce="n", algorithm="Md5", qop="AUTH""#, auth),
            (r#"Digest realm="r", nonce="n", qop="auth-int,auth", stale="no""#, auth),
            (r#"Digest realm="r", nonce="n", qop=" auth-conf , auth ""#, auth),
            (r#"Digest realm="r", nonce="n", qop="auth", algorithm=sha-256"#, sha_256),
            (r#"Digest realm="r", nonce="n", qop="auth", algorithm="SHA-256""#, sha_256),
            (
                r#"Digest realm="r", nonce="n", qop="auth", algorithm=MD5-SESS"#,
                r#"realm="r", qop="auth", algorithm=MD5-sess, nonce="n""#,
            ),
            (
                r#"Digest realm="r", nonce="n", qop="auth", algorithm=sha-512-256-Sess"#,
                r#"realm="r", qop="auth", algorithm=SHA-512-256-sess, nonce="n""#,
            ),
            (
                r#"Digest realm="a, Basic b=\"c\", \\", nonce="n=,==", opaque="""#,
                r#"realm="a, Basic b=\"c\", \\", algorithm=MD5, nonce="n=,==", opaque="""#,
            ),
            (
                r#"Digest realm="", nonce="n", opaque=o, stale=TRUE, userhash="True""#,
                r#"realm="", stale=true, algorithm=MD5, nonce="n", opaque="o", userhash=true"#,
            ),
        ] {
            assert_eq!(chosen(&[header]).as_deref(), Some(expected), "{header}");
        }
    }

    #[test]
    fn a_challenge_that_is_not_supported_is_not_chosen() {
        for header in [
            "",
            " , ",
            "Digest",
            "=",
            r#"realm="r", nonce="n""#,
            r#"Basic realm="Digest realm=r, nonce=n""#,
            r#"Bearer realm="r", nonce="n""#,
            r#"Digestive realm="r", nonce="n""#,
            r#"Digest realm="r""#,
            r#"Digest nonce="n""#,
            r#"Digest realm="r", Basic nonce="n""#,
            r#"Digest realm="r", nonce="n"#,
            r#"Digest realm="r", nonce="n\"#,
            r#"Digest realm="r", nonce="n", algorithm=SHA-1"#,
            r#"Digest realm="r", nonce="n", algorithm="#,
            r#"Digest realm="r", nonce="n", qop="auth-int""#,
            r#"Digest realm="r", nonce="n", algorithm=MD5-sess"#,
            r#"Digest realm="ü", nonce="n""#,
            r#"Digest realm="r", nonce="n", opaque="ü""#,
        ] {
            assert_eq!(chosen(&[header]), None, "{header}");
        }
        assert_eq!(chosen(&[]), None);
    }

    #[test]
    fn a_foreign_challenge_does_not_hide_that_of_atlas() {
        for foreign in [
            "Negotiate",
            "Negotiate oYG2MIGzoAMKAQE=",
            "NTLM TlRMTVNTUAACAAAA==",
            "Bearer",
            r#"Basic realm="ü""#,
            r#"Basic realm="Digest realm=\"x\", nonce=\"y\"", charset="UTF-8""#,
            "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=c;d",
            r#"Digest realm="r", nonce="n", algorithm=SHA-1"#,
            r#"Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth-int""#,
            "{}[]()<>@;:/?\\ '",
        ] {
            for values in [
                [format!("{foreign}, {ATLAS}")].as_slice(),
                &[format!("{ATLAS}, {foreign}")],
                &[foreign.to_owned(), ATLAS.to_owned()],
                &[ATLAS.to_owned(), foreign.to_owned()],
            ] {
                let values: Vec<&str> = values.iter().map(String::as_str).collect();
                assert_eq!(chosen(&values).as_deref(), Some(ATLAS_CHOSEN), "{values:?}");
            }
        }
        let latin_1 = HeaderValue::from_bytes(b"Basic realm=\"\xfc\", Digest realm=r, nonce=n").unwrap();
        assert_eq!(choose(&HeaderMap::from_iter([(WWW_AUTHENTICATE, latin_1)])).unwrap().realm, "r");
        let endless = r#"Basic realm="x"#;
        assert!(chosen(&[endless, ATLAS]).is_some() && chosen(&[&format!("{ATLAS}, {endless}")]).is_some());
    }

    #[test]
    fn sha_2_is_chosen_before_md5_and_otherwise_the_first() {
        let challenge = |algorithm| format!("Digest realm={algorithm}, nonce=n, qop=auth, algorithm={algorithm}");
        for (algorithms, expected) in [
            (["MD5", "SHA-256"], "SHA-256"),
            (["SHA-256", "MD5"], "SHA-256"),
            (["MD5-sess", "MD5"], "MD5-sess"),
            (["SHA-512-256", "SHA-256"], "SHA-512-256"),
            (["SHA-256", "SHA-512-256"], "SHA-256"),
            (["SHA3-256", "MD5"], "MD5"),
        ] {
            let [first, second] = algorithms.map(challenge);
            for values in [[first.as_str(), &second].as_slice(), &[&format!("{first}, {second}")]] {
                assert_eq!(choose(&headers(values)).unwrap().realm, expected, "{values:?}");
            }
        }
        let [first, second] = ["first", "second"].map(|realm| format!("Digest realm={realm}, nonce=n"));
        assert_eq!(choose(&headers(&[&first, &second])).unwrap().realm, "first");
    }

    #[test]
    fn long_and_many_headers_are_ignored() {
        let padded = |length| format!("{ATLAS}{}", " ".repeat(length - ATLAS.len()));
        assert!(chosen(&[&padded(MAX_HEADER)]).is_some());
        assert!(chosen(&[&padded(MAX_HEADER + 1)]).is_none());
        assert!(chosen(&[&padded(MAX_HEADER + 1), ATLAS]).is_some());
        let mut values = ["Negotiate"; MAX_HEADERS + 1];
        values[MAX_HEADERS - 1] = ATLAS;
        assert!(chosen(&values).is_some());
        values.swap(MAX_HEADERS - 1, MAX_HEADERS);
        assert!(chosen(&values).is_none());
    }

    proptest! {
        /// Whatever a realm and a nonce contain, they are sent back unchanged.
        #[test]
        fn quoted_strings_survive(realm in "[ -~\t]{0,20}", nonce in "[ -~\t]{0,20}") {
            let quote = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
            let header = format!(r#"Basic realm="{0}", digest realm="{0}",nonce="{1}""#, quote(&realm), quote(&nonce));
            let challenge = choose(&headers(&[&header])).unwrap();
            prop_assert_eq!(digest_auth::parse(&challenge.to_string()).unwrap(), challenge.clone());
            prop_assert_eq!((challenge.realm, challenge.nonce), (realm, nonce));
        }

        /// Nothing that a server sends causes a panic, and what is chosen can be responded to.
        #[test]
        fn any_header_is_read(values in prop::collection::vec("(Digest |realm=|nonce=|[a\",=\\\\ ü])*", 0..4)) {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            chosen(&values);
        }
    }
}
