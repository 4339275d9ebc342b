//! The server's side of digest authentication: challenges, and strict verification of the responses.

use std::{collections::HashMap, time::Instant};

use base64::{Engine, prelude::BASE64_STANDARD};
use md5::Md5;
use sha2::{Digest, Sha256};

use crate::{
    http::auth::{AuthError, DigestResponse},
    scenario::settings::{Algorithm, Credentials, DigestSettings},
};

const REALM: &str = "MMS Public API";

/// Beyond this number all nonces are forgotten. Clients then get a stale one, which they can handle.
const MAX_NONCES: usize = 100_000;

/// Issues nonces and remembers their use.
pub(crate) struct DigestVerifier {
    settings: DigestSettings,
    pub(crate) credentials: Credentials,
    nonces: HashMap<String, Nonce>,
}

struct Nonce {
    issued: Instant,
    last_count: u32,
    uses: u32,
}

impl DigestVerifier {
    pub(crate) fn new(settings: DigestSettings, credentials: Credentials) -> DigestVerifier {
        DigestVerifier { settings, credentials, nonces: HashMap::new() }
    }

    /// The value of `WWW-Authenticate` with a new nonce.
    pub(crate) fn challenge(&mut self, stale: bool, now: Instant) -> String {
        if self.nonces.len() >= MAX_NONCES {
            self.nonces.clear();
        }
        // 32 characters of base64, as recorded.
        let mut random = [0; 24];
        fastrand::fill(&mut random);
        let nonce = BASE64_STANDARD.encode(random);
        self.nonces.insert(nonce.clone(), Nonce { issued: now, last_count: 0, uses: 0 });
        let algorithm: &str = self.settings.algorithm.into();
        let qop = if self.settings.qop { r#" qop="auth","# } else { "" };
        format!(r#"Digest realm="{REALM}", domain="", nonce="{nonce}", algorithm={algorithm},{qop} stale={stale}"#)
    }

    /// Verifies a response for a request with this method, and this path and query.
    pub(crate) fn verify(
        &mut self,
        method: &str,
        uri: &str,
        response: &DigestResponse,
        now: Instant,
    ) -> Result<(), AuthError> {
        let expected = expected(self.settings.algorithm, &self.credentials.private_key, method, response);
        if !self.is_well_formed(uri, response) || expected.is_none() || expected.as_deref() != response.get("response")
        {
            return Err(AuthError::BadCredentials);
        }
        let nonce = response.get("nonce").and_then(|nonce| self.nonces.get_mut(nonce));
        let nonce = nonce.filter(|nonce| nonce.is_fresh(&self.settings, now)).ok_or(AuthError::Stale)?;
        if nonce.accept(self.settings.qop, response.nonce_count()) { Ok(()) } else { Err(AuthError::ReplayedNc) }
    }

    /// Replaces the API key and forgets all nonces.
    pub(crate) fn replace(&mut self, credentials: Credentials) {
        self.credentials = credentials;
        self.nonces.clear();
    }

    fn is_well_formed(&self, uri: &str, response: &DigestResponse) -> bool {
        let algorithm = response.get("algorithm").unwrap_or("MD5");
        algorithm.eq_ignore_ascii_case(self.settings.algorithm.into())
            && response.get("username") == Some(&self.credentials.public_key)
            && response.get("realm") == Some(REALM)
            && response.get("uri") == Some(uri)
            && response.get("qop") == self.settings.qop.then_some("auth")
    }
}

impl Nonce {
    fn is_fresh(&self, settings: &DigestSettings, now: Instant) -> bool {
        now.duration_since(self.issued) < settings.nonce_lifetime
            && settings.nonce_uses.is_none_or(|uses| self.uses < uses)
    }

    /// Uses the nonce once. With `qop` the first count must be one, and every other higher than the one before.
    fn accept(&mut self, qop: bool, count: Option<u32>) -> bool {
        if qop {
            let last = self.last_count;
            let Some(count) = count.filter(|count| if last == 0 { *count == 1 } else { *count > last }) else {
                return false;
            };
            self.last_count = count;
        }
        self.uses += 1;
        true
    }
}

/// The only valid `response`; that of RFC 2069 if there is no qop.
fn expected(algorithm: Algorithm, password: &str, method: &str, response: &DigestResponse) -> Option<String> {
    let hash = |text: String| match algorithm {
        Algorithm::Md5 => format!("{:x}", Md5::digest(text)),
        Algorithm::Sha256 => format!("{:x}", Sha256::digest(text)),
    };
    let field = |name| response.get(name);
    let user = hash(format!("{}:{}:{password}", field("username")?, field("realm")?));
    let resource = hash(format!("{method}:{}", field("uri")?));
    let nonce = field("nonce")?;
    let nonce = match field("qop") {
        Some(qop) => format!("{nonce}:{}:{}:{qop}", field("nc")?, field("cnonce")?),
        None => nonce.to_owned(),
    };
    Some(hash(format!("{user}:{nonce}:{resource}")))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const RFC_7616: &str = "username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", \
        nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, qop=auth, \
        cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\"";
    const RFC_2069: &str = "username=\"Mufasa\", realm=\"testrealm@host.com\", \
        nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\"";

    fn response(algorithm: Algorithm, password: &str, fields: &str) -> String {
        expected(algorithm, password, "GET", &DigestResponse::parse(&format!("Digest {fields}")).unwrap()).unwrap()
    }

    struct TestClient {
        server: DigestVerifier,
        algorithm: Algorithm,
        nonce: String,
        now: Instant,
    }

    impl TestClient {
        fn new(settings: DigestSettings) -> TestClient {
            let now = Instant::now();
            let algorithm = settings.algorithm;
            let mut server = DigestVerifier::new(settings, Credentials::default());
            let nonce = server.challenge(false, now).split('"').nth(5).unwrap().to_owned();
            TestClient { server, algorithm, nonce, now }
        }

        fn request(&mut self, nc: &str, password: &str, uri: &str) -> Result<(), AuthError> {
            let qop =
                if self.server.settings.qop { format!(r#"qop=auth, nc={nc}, cnonce="c", "#) } else { String::new() };
            let (nonce, algorithm) = (&self.nonce, <&str>::from(self.algorithm));
            let fields = format!(
                r#"{qop}username="demo", realm="{REALM}", nonce="{nonce}", uri="{uri}", algorithm={algorithm}"#
            );
            let header = format!("Digest {fields}, response={}", response(self.algorithm, password, &fields));
            self.server.verify("GET", "/peers?a=1", &DigestResponse::parse(&header).unwrap(), self.now)
        }

        fn get(&mut self, nc: &str) -> Result<(), AuthError> {
            self.request(nc, "demo", "/peers?a=1")
        }
    }

    #[test]
    fn the_examples_of_the_rfcs_are_reproduced() {
        let password = "Circle of Life";
        assert_eq!(response(Algorithm::Md5, password, RFC_7616), "8ca523f5e9506fed4657c9700eebdbec");
        assert_eq!(
            response(Algorithm::Sha256, password, RFC_7616),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
        // RFC 2069 prints another value, which its erratum 749 corrects to this one.
        assert_eq!(response(Algorithm::Md5, "CircleOfLife", RFC_2069), "1949323746fe6a43ef61f9606e7febea");
    }

    #[test]
    fn the_count_starts_at_one_and_rises() {
        let mut client = TestClient::new(DigestSettings::default());
        let replayed = Err(AuthError::ReplayedNc);
        for (nc, expected) in [
            ("00000000", replayed),
            ("00000002", replayed),
            ("00000001", Ok(())),
            ("00000001", replayed),
            ("0000000a", Ok(())),
            ("00000009", replayed),
            ("b", replayed),
        ] {
            assert_eq!(client.get(nc), expected, "{nc}");
        }
    }

    #[test]
    fn a_wrong_password_uri_or_user_is_never_stale() {
        let mut client = TestClient::new(DigestSettings::default());
        assert_eq!(client.request("00000001", "wrong", "/peers?a=1"), Err(AuthError::BadCredentials));
        assert_eq!(client.request("00000001", "demo", "/peers"), Err(AuthError::BadCredentials));
        client.server.credentials.public_key = "other".to_owned();
        assert_eq!(client.get("00000001"), Err(AuthError::BadCredentials));
    }

    #[test]
    fn a_nonce_is_stale_when_old_used_up_or_unknown() {
        let mut client = TestClient::new(DigestSettings { nonce_uses: Some(1), ..DigestSettings::default() });
        assert_eq!([client.get("00000001"), client.get("00000002")], [Ok(()), Err(AuthError::Stale)]);
        let mut client = TestClient::new(DigestSettings::default());
        client.now += Duration::from_secs(300);
        assert_eq!(client.get("00000001"), Err(AuthError::Stale));
        client.nonce = "unknown".to_owned();
        assert_eq!(client.get("00000001"), Err(AuthError::Stale));
    }

    #[test]
    fn sha_256_requires_a_response_with_sha_256() {
        let mut client = TestClient::new(DigestSettings { algorithm: Algorithm::Sha256, ..DigestSettings::default() });
        assert_eq!(client.get("00000001"), Ok(()));
        client.algorithm = Algorithm::Md5;
        assert_eq!(client.get("00000002"), Err(AuthError::BadCredentials));
    }

    #[test]
    fn without_qop_there_is_no_count() {
        let mut client = TestClient::new(DigestSettings { qop: false, ..DigestSettings::default() });
        assert_eq!([client.get(""), client.get("")], [Ok(()), Ok(())]);
        let challenge = client.server.challenge(false, client.now);
        assert!(challenge.ends_with("algorithm=MD5, stale=false"), "{challenge}");
    }
}
