//! The arithmetic of digest authentication.

use md5::Md5;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::authorization::Authorization;

/// The hash function of digest authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Algorithm {
    /// RFC 2617 and Atlas
    #[serde(rename = "MD5")]
    Md5,
    /// RFC 7616
    #[serde(rename = "SHA-256")]
    Sha256,
}

impl Algorithm {
    pub(super) fn name(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
        }
    }

    fn hash(self, text: &str) -> String {
        match self {
            Algorithm::Md5 => format!("{:x}", Md5::digest(text)),
            Algorithm::Sha256 => format!("{:x}", Sha256::digest(text)),
        }
    }
}

/// The only right `response`; RFC 2069's where the answer has no qop.
pub(super) fn expected(algorithm: Algorithm, password: &str, method: &str, answer: &Authorization) -> Option<String> {
    let field = |name| answer.get(name);
    let who = algorithm.hash(&format!("{}:{}:{password}", field("username")?, field("realm")?));
    let what = algorithm.hash(&format!("{method}:{}", field("uri")?));
    let nonce = field("nonce")?;
    let once = match field("qop") {
        Some(qop) => format!("{nonce}:{}:{}:{qop}", field("nc")?, field("cnonce")?),
        None => nonce.to_owned(),
    };
    Some(algorithm.hash(&format!("{who}:{once}:{what}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RFC_7616: &str = r#"Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html",
        nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, qop=auth,
        cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ""#;
    const RFC_2069: &str = r#"Digest username="Mufasa", realm="testrealm@host.com",
        nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", uri="/dir/index.html""#;

    fn vector(algorithm: Algorithm, password: &str, header: &str) -> String {
        expected(algorithm, password, "GET", &Authorization::parse(header).unwrap()).unwrap()
    }

    #[test]
    fn the_examples_of_the_rfcs_come_out_right() {
        let password = "Circle of Life";
        assert_eq!(vector(Algorithm::Md5, password, RFC_7616), "8ca523f5e9506fed4657c9700eebdbec");
        assert_eq!(
            vector(Algorithm::Sha256, password, RFC_7616),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
        // RFC 2069 prints another value; its erratum 749 corrects it to this one.
        assert_eq!(vector(Algorithm::Md5, "CircleOfLife", RFC_2069), "1949323746fe6a43ef61f9606e7febea");
    }
}
