//! HTTP digest authentication (RFC 7616) with diqwest: the challenge is answered once, then its nonce is reused.
//!
//! diqwest's own session forgets the algorithm, and two requests that share one can arrive in the wrong order of
//! `nc`, which a strict server takes for a replay. So a session here keeps the whole challenge and belongs to one
//! request at a time; requests at the same time have a session each.

use std::sync::{Arc, Mutex, PoisonError};

use digest_auth::{AuthContext, AuthorizationHeader, HttpMethod, WwwAuthenticateHeader};
use diqwest::{
    DigestAuthCredentials, DigestAuthSession, WithDigestAuth,
    error::{Error, Result as DiqwestResult},
    session::CachedContextGuard,
};
use reqwest::{
    RequestBuilder, Response, StatusCode,
    header::{HeaderMap, WWW_AUTHENTICATE},
};

use crate::{
    ErrorKind, Resource,
    auth::authenticator::KeyPair,
    error_response,
    request::{Reporter, UnderWay},
};

/// An API key, and the nonces that Atlas gave out for it.
pub(crate) struct Sessions {
    key: Mutex<Arc<KeyPair>>,
    idle: Mutex<Vec<Session>>,
    reporter: Reporter,
}

impl Sessions {
    pub(crate) fn new(key: KeyPair, reporter: Reporter) -> Self {
        Self { key: Mutex::new(Arc::new(key)), idle: Mutex::default(), reporter }
    }

    /// From now on it is another key.
    pub(crate) fn rekey(&self, key: KeyPair) {
        *lock(&self.key) = Arc::new(key);
        lock(&self.idle).clear();
    }

    /// Sends the request and reads the last answer.
    /// One HTTP request where a nonce is at hand, two where none is, three where the one at hand meets a 401: diqwest
    /// cannot tell a nonce that ended from a group without a role, and asks for a new one.
    pub(crate) async fn ask(&self, request: &RequestBuilder, resource: &Resource) -> Result<Vec<u8>, ErrorKind> {
        let under_way = UnderWay::begin(resource, &self.reporter);
        let mut sent = self.send(request, &under_way).await;
        if sent.as_ref().ok().and_then(challenge).is_some_and(|challenge| challenge.stale) {
            // The nonce ended between the challenge and our answer: worth one more try, and only one.
            under_way.refused();
            sent = self.send(request, &under_way).await;
        }
        under_way.ended(&sent);
        error_response::read(sent?).await
    }

    async fn send(&self, request: &RequestBuilder, under_way: &UnderWay<'_>) -> Result<Response, ErrorKind> {
        let session = lock(&self.idle).pop().unwrap_or_default();
        let key = lock(&self.key).clone();
        let call = Call { key: &key, challenge: &session.challenge, presence: &session.presence, under_way };
        let response = request.send_digest_auth(&call).await.map_err(kind)?;
        // A last answer that challenges refuses the key; any other, even a 401 for want of a role, accepts it.
        if challenge(&response).is_none() {
            lock(&self.idle).push(session);
        }
        Ok(response)
    }
}

/// diqwest hides the cause; what it has to say itself is about the challenge.
fn kind(error: Error) -> ErrorKind {
    match error {
        Error::Reqwest(error) => ErrorKind::http(error),
        other => ErrorKind::Challenge(other.into()),
    }
}

fn challenge(response: &Response) -> Option<WwwAuthenticateHeader> {
    let text = response.headers().get(WWW_AUTHENTICATE)?.to_str().ok()?;
    (response.status() == StatusCode::UNAUTHORIZED).then(|| digest_auth::parse(text).ok())?
}

/// A nonce and how often it was used.
struct Session {
    challenge: Mutex<Option<WwwAuthenticateHeader>>,
    /// Tells diqwest whether there is a nonce; its keys are never used.
    presence: DigestAuthSession,
}

impl Default for Session {
    fn default() -> Self {
        Self { challenge: Mutex::default(), presence: DigestAuthSession::new("", "") }
    }
}

/// One call of diqwest, which asks this for all it needs to know.
struct Call<'a> {
    key: &'a KeyPair,
    challenge: &'a Mutex<Option<WwwAuthenticateHeader>>,
    presence: &'a DigestAuthSession,
    under_way: &'a UnderWay<'a>,
}

impl DigestAuthCredentials for &Call<'_> {
    fn username(&self) -> &str {
        self.key.id.expose()
    }

    fn password(&self) -> &str {
        self.key.secret.expose()
    }

    fn cached_context<'h>(&self, host: &'h str) -> DiqwestResult<Option<CachedContextGuard<'_, 'h>>> {
        self.presence.cached_context(host)
    }

    /// A challenge came: diqwest answers it with `nc=00000001`.
    fn store_context(&self, host: &str, www_authenticate: &str) -> DiqwestResult<()> {
        if let Ok(mut challenge) = digest_auth::parse(www_authenticate) {
            self.under_way.refused();
            challenge.nc = 1;
            *lock(self.challenge) = Some(challenge);
        }
        self.presence.store_context(host, www_authenticate)
    }

    /// The nonce was refused: diqwest asks again without one.
    fn clear_context(&self, host: &str) -> DiqwestResult<()> {
        self.under_way.refused();
        *lock(self.challenge) = None;
        self.presence.clear_context(host)
    }

    fn calculate_authorization(
        &self,
        _host: &str,
        path: &str,
        method: HttpMethod<'_>,
        body: Option<&[u8]>,
        _headers: &HeaderMap,
    ) -> DiqwestResult<AuthorizationHeader> {
        let mut challenge = lock(self.challenge);
        let challenge = challenge.as_mut().ok_or(Error::AuthHeaderMissing)?;
        let context = AuthContext::new_with_method(self.username(), self.password(), path, body, method);
        Ok(challenge.respond(&context)?)
    }
}

/// Nothing in this file panics while it holds a lock, so what a poisoned one guards is whole.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
