//! The server's side of digest authentication: challenges, and a strict judgement of the answers.

use std::time::Instant;

use super::{
    Credentials, DigestSettings, algorithm::expected, authorization::Authorization, caller::Denial, nonces::Nonces,
};

const REALM: &str = "MMS Public API";

/// Makes nonces and remembers how far each was used.
#[derive(Debug)]
pub(super) struct Digest {
    settings: DigestSettings,
    credentials: Credentials,
    nonces: Nonces,
}

impl Digest {
    pub(super) fn new(settings: DigestSettings, credentials: Credentials) -> Digest {
        Digest { settings, credentials, nonces: Nonces::default() }
    }

    /// The value of `WWW-Authenticate`, with a nonce that was never used.
    pub(super) fn challenge(&mut self, stale: bool, now: Instant) -> String {
        let nonce = self.nonces.issue(now);
        let algorithm = self.settings.algorithm.name();
        let qop = if self.settings.qop { r#" qop="auth","# } else { "" };
        format!(r#"Digest realm="{REALM}", domain="", nonce="{nonce}", algorithm={algorithm},{qop} stale={stale}"#)
    }

    /// Judges an answer for a request with this method and this path and query.
    pub(super) fn judge(
        &mut self,
        method: &str,
        uri: &str,
        answer: &Authorization,
        now: Instant,
    ) -> Result<(), Denial> {
        if !self.is_well_formed(uri, answer) || !self.is_right(method, answer) {
            return Err(Denial::BadCredentials);
        }
        let settings = &self.settings;
        let nonce = answer.get("nonce").and_then(|nonce| self.nonces.get_mut(nonce));
        let nonce = nonce.filter(|nonce| nonce.is_fresh(settings, now)).ok_or(Denial::Stale)?;
        if nonce.accept(settings, answer.nonce_count()) { Ok(()) } else { Err(Denial::ReplayedCount) }
    }

    /// Accepts another key from now on; no nonce is left of the old one.
    pub(super) fn replace(&mut self, credentials: Credentials) {
        self.credentials = credentials;
        self.nonces = Nonces::default();
    }

    /// The public half of the only key that is accepted.
    pub(super) fn public_key(&self) -> &str {
        &self.credentials.public_key
    }

    fn is_well_formed(&self, uri: &str, answer: &Authorization) -> bool {
        let algorithm = answer.get("algorithm").unwrap_or("MD5");
        algorithm.eq_ignore_ascii_case(self.settings.algorithm.name())
            && answer.get("username") == Some(&self.credentials.public_key)
            && answer.get("realm") == Some(REALM)
            && answer.get("uri") == Some(uri)
            && answer.get("qop") == self.settings.qop.then_some("auth")
    }

    fn is_right(&self, method: &str, answer: &Authorization) -> bool {
        let expected = expected(self.settings.algorithm, &self.credentials.private_key, method, answer);
        expected.is_some() && expected.as_deref() == answer.get("response")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{super::Algorithm, *};

    fn response(algorithm: Algorithm, password: &str, header: &str) -> String {
        let answer = Authorization::parse(header).unwrap();
        expected(algorithm, password, "GET", &answer).unwrap()
    }

    struct Client {
        server: Digest,
        nonce: String,
        now: Instant,
    }

    impl Client {
        fn new(settings: DigestSettings) -> Client {
            let now = Instant::now();
            let mut server = Digest::new(settings, Credentials::default());
            let challenge = server.challenge(false, now);
            let nonce = challenge.split('"').nth(5).unwrap().to_owned();
            Client { server, nonce, now }
        }

        fn ask(&mut self, nc: &str, password: &str, uri: &str) -> Result<(), Denial> {
            let algorithm = self.server.settings.algorithm;
            let qop =
                if self.server.settings.qop { format!(r#", qop=auth, nc={nc}, cnonce="c""#) } else { String::new() };
            let header = format!(
                r#"Digest username="demo", realm="{REALM}", nonce="{}", uri="{uri}", algorithm={}{qop}"#,
                self.nonce,
                algorithm.name()
            );
            let header = format!("{header}, response={}", response(algorithm, password, &header));
            self.server.judge("GET", "/peers?a=1", &Authorization::parse(&header).unwrap(), self.now)
        }

        fn get(&mut self, nc: &str) -> Result<(), Denial> {
            self.ask(nc, "demo", "/peers?a=1")
        }
    }

    #[test]
    fn the_count_starts_at_one_and_rises() {
        let mut client = Client::new(DigestSettings::default());
        assert_eq!(client.get("00000000"), Err(Denial::ReplayedCount));
        assert_eq!(client.get("00000002"), Err(Denial::ReplayedCount));
        assert_eq!(client.get("00000001"), Ok(()));
        assert_eq!(client.get("00000001"), Err(Denial::ReplayedCount));
        assert_eq!(client.get("0000000a"), Ok(()));
        assert_eq!(client.get("00000009"), Err(Denial::ReplayedCount));
        assert_eq!(client.get("b"), Err(Denial::ReplayedCount));
    }

    #[test]
    fn a_wrong_password_or_uri_is_never_stale() {
        let mut client = Client::new(DigestSettings::default());
        assert_eq!(client.ask("00000001", "wrong", "/peers?a=1"), Err(Denial::BadCredentials));
        assert_eq!(client.ask("00000001", "demo", "/peers"), Err(Denial::BadCredentials));
        client.server.credentials.public_key = "other".to_owned();
        assert_eq!(client.get("00000001"), Err(Denial::BadCredentials));
    }

    #[test]
    fn a_nonce_is_stale_when_old_used_up_or_unknown() {
        let mut client = Client::new(DigestSettings { nonce_uses: Some(1), ..DigestSettings::default() });
        assert_eq!(client.get("00000001"), Ok(()));
        assert_eq!(client.get("00000002"), Err(Denial::Stale));

        let mut client = Client::new(DigestSettings::default());
        client.now += Duration::from_secs(300);
        assert_eq!(client.get("00000001"), Err(Denial::Stale));
        client.nonce = "unknown".to_owned();
        assert_eq!(client.get("00000001"), Err(Denial::Stale));
    }

    #[test]
    fn sha_256_must_be_answered_with_sha_256() {
        let mut client = Client::new(DigestSettings { algorithm: Algorithm::Sha256, ..DigestSettings::default() });
        assert_eq!(client.get("00000001"), Ok(()));
        let md5 =
            format!(r#"Digest username="demo", realm="{REALM}", uri="/", nonce="n", qop=auth, nc=00000002, cnonce=c"#);
        let md5 = format!("{md5}, response={}", response(Algorithm::Md5, "demo", &md5));
        let answer = Authorization::parse(&md5).unwrap();
        let verdict = client.server.judge("GET", "/", &answer, client.now);
        assert_eq!(verdict, Err(Denial::BadCredentials));
    }

    #[test]
    fn without_qop_there_is_no_count() {
        let mut client = Client::new(DigestSettings { qop: false, ..DigestSettings::default() });
        assert_eq!(client.get(""), Ok(()));
        assert_eq!(client.get(""), Ok(()));
        let challenge = client.server.challenge(false, client.now);
        assert!(challenge.ends_with("algorithm=MD5, stale=false"), "{challenge}");
    }
}
