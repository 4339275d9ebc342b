//! HTTP digest authentication (RFC 7616) with diqwest: the challenge is answered once, then its nonce is reused.
//!
//! diqwest's own session forgets the algorithm, and two requests that share one can arrive in the wrong order of
//! `nc`, which a strict server takes for a replay. So a session here keeps the whole challenge and belongs to one
//! request at a time; requests at the same time have a session each.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

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
use secrecy::{ExposeSecret, SecretString};

use super::ErrorKind;

/// An API key, and the nonces that Atlas gave out for it.
pub(super) struct Sessions {
    public_key: String,
    private_key: SecretString,
    idle: Mutex<Vec<Session>>,
}

/// Called for every HTTP request that left and was refused on the way to the answer, with how long it took.
pub(super) type OnRefused<'a> = &'a (dyn Fn(StatusCode, Duration) + Send + Sync);

impl Sessions {
    pub(super) fn new(public_key: String, private_key: SecretString) -> Self {
        Self { public_key, private_key, idle: Mutex::default() }
    }

    /// Sends the request and returns the last answer, with how long that one took.
    /// One HTTP request where a nonce is at hand, two where none is, three where Atlas forgot it.
    pub(super) async fn send(
        &self,
        request: &RequestBuilder,
        on_refused: OnRefused<'_>,
    ) -> Result<(Response, Duration), ErrorKind> {
        let (response, took) = self.send_once(request, on_refused).await?;
        if !is_stale(&response) {
            return Ok((response, took));
        }
        // The nonce ended between the challenge and our answer: worth one more try, and only one.
        on_refused(response.status(), took);
        self.send_once(request, on_refused).await
    }

    async fn send_once(
        &self,
        request: &RequestBuilder,
        on_refused: OnRefused<'_>,
    ) -> Result<(Response, Duration), ErrorKind> {
        let session = lock(&self.idle).pop().unwrap_or_default();
        let exchange = Exchange {
            key: self,
            challenge: &session.challenge,
            presence: &session.presence,
            on_refused,
            sent: Mutex::new(Instant::now()),
        };
        let response = request.send_digest_auth(&exchange).await.map_err(kind)?;
        let took = lock(&exchange.sent).elapsed();
        if response.status() != StatusCode::UNAUTHORIZED {
            lock(&self.idle).push(session);
        }
        Ok((response, took))
    }
}

/// diqwest hides the cause; what it has to say itself is about the challenge.
fn kind(error: Error) -> ErrorKind {
    match error {
        Error::Reqwest(error) => ErrorKind::http(error),
        other => ErrorKind::Challenge(other.into()),
    }
}

fn is_stale(response: &Response) -> bool {
    let challenge = response.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
    let challenge = challenge.and_then(|text| digest_auth::parse(text).ok());
    response.status() == StatusCode::UNAUTHORIZED && challenge.is_some_and(|challenge| challenge.stale)
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
struct Exchange<'a> {
    key: &'a Sessions,
    challenge: &'a Mutex<Option<WwwAuthenticateHeader>>,
    presence: &'a DigestAuthSession,
    on_refused: OnRefused<'a>,
    /// When the HTTP request that is under way left.
    sent: Mutex<Instant>,
}

impl Exchange<'_> {
    fn refused(&self) {
        let now = Instant::now();
        let sent = std::mem::replace(&mut *lock(&self.sent), now);
        (self.on_refused)(StatusCode::UNAUTHORIZED, now - sent);
    }
}

impl DigestAuthCredentials for &Exchange<'_> {
    fn username(&self) -> &str {
        &self.key.public_key
    }

    fn password(&self) -> &str {
        self.key.private_key.expose_secret()
    }

    fn cached_context<'h>(&self, host: &'h str) -> DiqwestResult<Option<CachedContextGuard<'_, 'h>>> {
        self.presence.cached_context(host)
    }

    /// A challenge came: diqwest answers it with `nc=00000001`.
    fn store_context(&self, host: &str, www_authenticate: &str) -> DiqwestResult<()> {
        self.refused();
        if let Ok(mut challenge) = digest_auth::parse(www_authenticate) {
            challenge.nc = 1;
            *lock(self.challenge) = Some(challenge);
        }
        self.presence.store_context(host, www_authenticate)
    }

    /// The nonce was refused: diqwest asks again without one.
    fn clear_context(&self, host: &str) -> DiqwestResult<()> {
        self.refused();
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
