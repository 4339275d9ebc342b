//! HTTP digest authentication (RFC 7616) with diqwest: responds to the challenge once, then reuses its nonce.
//!
//! diqwest's own session does not keep the algorithm. Two requests that share one can also arrive with `nc` in the
//! wrong order, which a strict server rejects as a replay. So a session here keeps the whole challenge and serves one
//! request at a time; concurrent requests have a session each.

use std::sync::Arc;

use digest_auth::{AuthContext, AuthorizationHeader, HttpMethod, WwwAuthenticateHeader};
use diqwest::{
    DigestAuthCredentials, DigestAuthSession, WithDigestAuth,
    error::{Error, Result as DiqwestResult},
    session::CachedContextGuard,
};
use parking_lot::Mutex;
use reqwest::{
    Response, StatusCode,
    header::{HeaderMap, WWW_AUTHENTICATE},
};

use super::credential::KeyPair;
use crate::{
    error::ErrorKind,
    request::{EventHandler, GetRequest, InFlight},
};

/// An API key and the nonces that Atlas issued for it.
pub(crate) struct DigestAuth {
    key: Mutex<Arc<KeyPair>>,
    idle: Mutex<Vec<Session>>,
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
    /// Takes one HTTP request with a known nonce, two without one, and three if a known nonce meets a 401: diqwest
    /// cannot distinguish an expired nonce from a group without a role, and requests a new one.
    pub(crate) async fn send(&self, request: &GetRequest<'_>) -> Result<Vec<u8>, ErrorKind> {
        let resource = request.resource;
        let in_flight = InFlight::new(resource.endpoint(), resource.group(), &self.events);
        let mut result = self.exchange(request, &in_flight).await;
        if result.as_ref().ok().and_then(challenge).is_some_and(|challenge| challenge.stale) {
            // The nonce expired between the challenge and the request: retry once.
            in_flight.challenged();
            result = self.exchange(request, &in_flight).await;
        }
        in_flight.finish(result).await
    }

    async fn exchange(&self, request: &GetRequest<'_>, in_flight: &InFlight<'_>) -> Result<Response, ErrorKind> {
        let session = self.idle.lock().pop().unwrap_or_default();
        let key = self.key.lock().clone();
        let adapter = DiqwestAdapter { key: &key, challenge: &session.challenge, cache: &session.cache, in_flight };
        let response = request.builder().send_digest_auth(&adapter).await.map_err(|error| match error {
            Error::Reqwest(error) => ErrorKind::http(error),
            other => ErrorKind::Challenge(other.into()),
        })?;
        // A final challenge rejects the key. Any other response, even a 401 for a missing role, accepts it.
        if challenge(&response).is_none() {
            self.idle.lock().push(session);
        }
        Ok(response)
    }
}

fn challenge(response: &Response) -> Option<WwwAuthenticateHeader> {
    let text = response.headers().get(WWW_AUTHENTICATE)?.to_str().ok()?;
    (response.status() == StatusCode::UNAUTHORIZED).then(|| digest_auth::parse(text).ok())?
}

/// A nonce and how often it has been used.
struct Session {
    challenge: Mutex<Option<WwwAuthenticateHeader>>,
    /// Whether there is a nonce; its credentials are not used.
    cache: DigestAuthSession,
}

impl Default for Session {
    fn default() -> Self {
        Self { challenge: Mutex::default(), cache: DigestAuthSession::new("", "") }
    }
}

/// Everything that diqwest needs for one call.
struct DiqwestAdapter<'a> {
    key: &'a KeyPair,
    challenge: &'a Mutex<Option<WwwAuthenticateHeader>>,
    cache: &'a DigestAuthSession,
    in_flight: &'a InFlight<'a>,
}

impl DigestAuthCredentials for &DiqwestAdapter<'_> {
    fn username(&self) -> &str {
        self.key.id.expose()
    }

    fn password(&self) -> &str {
        self.key.secret.expose()
    }

    fn cached_context<'h>(&self, host: &'h str) -> DiqwestResult<Option<CachedContextGuard<'_, 'h>>> {
        self.cache.cached_context(host)
    }

    /// The server sent a challenge, and diqwest responds with `nc=00000001`.
    fn store_context(&self, host: &str, www_authenticate: &str) -> DiqwestResult<()> {
        if let Ok(mut challenge) = digest_auth::parse(www_authenticate) {
            self.in_flight.challenged();
            challenge.nc = 1;
            *self.challenge.lock() = Some(challenge);
        }
        self.cache.store_context(host, www_authenticate)
    }

    /// The server rejected the nonce, and diqwest retries without one.
    fn clear_context(&self, host: &str) -> DiqwestResult<()> {
        self.in_flight.challenged();
        *self.challenge.lock() = None;
        self.cache.clear_context(host)
    }

    fn calculate_authorization(
        &self,
        _host: &str,
        path: &str,
        method: HttpMethod<'_>,
        body: Option<&[u8]>,
        _headers: &HeaderMap,
    ) -> DiqwestResult<AuthorizationHeader> {
        let mut challenge = self.challenge.lock();
        let challenge = challenge.as_mut().ok_or(Error::AuthHeaderMissing)?;
        let context = AuthContext::new_with_method(self.username(), self.password(), path, body, method);
        Ok(challenge.respond(&context)?)
    }
}
