//! HTTP digest authentication (RFC 7616): responds to the challenge with diqwest, then reuses its nonce.
//!
//! diqwest's own session does not keep the algorithm, and after a 401 it requests a challenge although the response has
//! one. Two requests that share a session can also arrive with `nc` in the wrong order, which a strict server rejects as
//! a replay. So the requests are sent here, and each nonce serves one request at a time.

use std::sync::Arc;

use digest_auth::{AuthContext, AuthorizationHeader, HttpMethod, WwwAuthenticateHeader};
use diqwest::DigestAuthCredentials;
use parking_lot::Mutex;
use reqwest::{
    Response, StatusCode,
    header::{AUTHORIZATION, HeaderMap, WWW_AUTHENTICATE},
};
use url::Position;

use super::{challenge, credential::KeyPair};
use crate::{
    error::ErrorKind,
    request::{EventHandler, GetRequest, InFlight},
};

/// How many challenges are responded to for one request: one if there is no nonce or a known one has expired, and
/// another if the new nonce has expired too.
const MAX_RESPONSES: usize = 2;

/// An API key and the nonces that Atlas issued for it.
pub(crate) struct DigestAuth {
    key: Mutex<Arc<KeyPair>>,
    /// The last use of each nonce that no request uses now.
    idle: Mutex<Vec<AuthorizationHeader>>,
    events: EventHandler,
}

impl DigestAuth {
    pub(crate) fn new(key: KeyPair, events: EventHandler) -> Self {
        Self { key: Mutex::new(Arc::new(key)), idle: Mutex::default(), events }
    }

    /// Replaces the key.
    pub(crate) fn rotate(&self, key: KeyPair) {
        *self.key.lock() = Arc::new(key);
        self.idle.lock().clear();
    }

    /// Sends the request and reads the body of the last response.
    /// Takes one HTTP request with a known nonce, and two without one or with one that has expired. A nonce that
    /// expires between its challenge and the request takes one more.
    pub(crate) async fn send(&self, request: &GetRequest<'_>) -> Result<Vec<u8>, ErrorKind> {
        let resource = request.resource;
        let in_flight = InFlight::new(resource.endpoint(), resource.group(), &self.events);
        let mut authorization = self.idle.lock().pop();
        let result = self.exchange(request, &mut authorization, &in_flight).await;
        let result = in_flight.finish(result).await;
        // A response that may reject the key may also reject the nonce. Without one, the server may not have counted the use.
        let is_accepted = match &result {
            Ok(_) => true,
            Err(ErrorKind::ErrorResponse(response)) => !response.may_reject_credential(),
            Err(_) => false,
        };
        self.idle.lock().extend(authorization.filter(|_| is_accepted));
        result
    }

    /// Uses the nonce if there is one, and replaces it when the server does.
    async fn exchange(
        &self,
        request: &GetRequest<'_>,
        authorization: &mut Option<AuthorizationHeader>,
        in_flight: &InFlight<'_>,
    ) -> Result<Response, ErrorKind> {
        let key = self.key.lock().clone();
        let path = &request.url[Position::BeforePath..Position::AfterQuery];
        if let Some(authorization) = authorization {
            reuse(authorization, &key, path);
        }
        let mut response = send(request, authorization.as_ref()).await?;
        for responses in 0..MAX_RESPONSES {
            if response.status() != StatusCode::UNAUTHORIZED {
                break;
            }
            let Some(challenge) = challenge::choose(response.headers()) else { break };
            // A server that does not accept a new nonce rejects the key.
            if responses > 0 && !challenge.stale {
                break;
            }
            let Some(new) = respond(&challenge, &key, path) else { break };
            in_flight.challenged();
            response = send(request, Some(authorization.insert(new))).await?;
        }
        if authorization.is_none() && response.status() == StatusCode::UNAUTHORIZED {
            return Err(ErrorKind::Challenge);
        }
        Ok(response)
    }
}

async fn send(request: &GetRequest<'_>, authorization: Option<&AuthorizationHeader>) -> Result<Response, ErrorKind> {
    let builder = match authorization {
        Some(authorization) => request.builder().header(AUTHORIZATION, authorization.to_header_string()),
        None => request.builder(),
    };
    builder.send().await.map_err(ErrorKind::http)
}

/// The first use of a nonce, for a path with its query. None if diqwest cannot respond to the challenge.
fn respond(challenge: &WwwAuthenticateHeader, key: &KeyPair, path: &str) -> Option<AuthorizationHeader> {
    let headers = HeaderMap::from_iter([(WWW_AUTHENTICATE, challenge.to_string().parse().ok()?)]);
    let credentials = (key.id.expose(), key.secret.expose());
    // The host matters only for diqwest's session.
    credentials.calculate_authorization("", path, HttpMethod::GET, None, &headers).ok()
}

/// The next use of a nonce. The client's nonce stays the same, as algorithms with a session key require.
fn reuse(authorization: &mut AuthorizationHeader, key: &KeyPair, path: &str) {
    authorization.nc += 1;
    path.clone_into(&mut authorization.uri);
    authorization.digest(&AuthContext::new(key.id.expose(), key.secret.expose(), path));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::secret::Secret;

    /// The example of RFC 7616, section 3.9.1, in unusual spelling.
    const CHALLENGES: [&str; 2] = [
        r#"DIGEST Realm=http-auth@example.org, QOP="auth-int,auth", algorithm=sha-256,
           nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#,
        r#"digest realm="http-auth@example.org", qop="auth, auth-int", algorithm="md5",
           nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque=FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"#,
    ];

    fn key() -> KeyPair {
        KeyPair { id: Secret::from_text("Mufasa").unwrap(), secret: Secret::from_text("Circle of Life").unwrap() }
    }

    fn first_use(challenges: &[&str]) -> AuthorizationHeader {
        let values = challenges.iter().map(|text| (WWW_AUTHENTICATE, text.replace('\n', "").parse().unwrap()));
        let challenge = challenge::choose(&values.collect()).unwrap();
        respond(&challenge, &key(), "/first?page=1").unwrap()
    }

    #[test]
    fn the_responses_of_the_rfc_are_reproduced() {
        for (challenges, expected) in [
            (CHALLENGES.as_slice(), "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
            (&CHALLENGES[1..], "8ca523f5e9506fed4657c9700eebdbec"),
        ] {
            let mut authorization = first_use(challenges);
            authorization.cnonce = Some("f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ".to_owned());
            authorization.nc = 0;
            reuse(&mut authorization, &key(), "/dir/index.html");
            assert_eq!(authorization.response, expected);
            let text = authorization.to_header_string();
            for part in ["nc=00000001", "qop=auth,", r#"uri="/dir/index.html""#, r#"opaque="FQhe/qaU925"#] {
                assert!(text.contains(part), "{part}: {text}");
            }
        }
    }

    #[test]
    fn the_count_starts_at_one_and_rises_and_the_nonces_stay_the_same() {
        for algorithm in ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"] {
            let first = first_use(&[&format!("Digest realm=r, nonce=n, qop=auth, algorithm={algorithm}")]);
            let mut second = first.clone();
            reuse(&mut second, &key(), "/second");
            assert_eq!((first.nc, second.nc), (1, 2));
            assert_eq!((first.uri.as_str(), second.uri.as_str()), ("/first?page=1", "/second"));
            assert_eq!((&first.nonce, &first.cnonce), (&second.nonce, &second.cnonce));
            assert_ne!(first.response, second.response);
            assert!(second.to_header_string().contains(&format!("algorithm={algorithm}")), "{algorithm}");
        }
    }
}
