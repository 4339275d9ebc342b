//! The access token of a service account: shared by all requests, and renewed before it expires.
//!
//! OAuth 2.0 libraries hide the status and `Retry-After` of the token response, which matter here, so the request is
//! written by hand (RFC 6749, section 4.4).

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::{
    sync,
    time::{Instant, timeout},
};
use url::{Url, form_urlencoded};

use super::{credential::KeyPair, mint_limiter::MintLimiter};
use crate::{
    endpoint::Endpoint,
    error::ErrorKind,
    model::{
        id::GroupId,
        wire::{InvalidContent, Text},
    },
    request::{ClientEvent, EventHandler, GetRequest, InFlight},
};

/// A token is renewed when this fraction of its lifetime is left: one sixth, ten minutes of an hour.
const RENEWAL_DIVISOR: u32 = 6;

/// The lifetime if Atlas does not send one, or none of at least a second.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(3600);

/// A longer lifetime is shortened to this.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// A longer token is rejected: no server would accept it in a header. Atlas's have about a kilobyte.
const MAX_TOKEN: usize = 16 << 10;

/// For revoking the token, and for a mint in progress before it. Shutdown waits for both.
const REVOKE_TIMEOUT: Duration = Duration::from_secs(3);

/// A service account and its access token.
pub(crate) struct TokenSource {
    http: reqwest::Client,
    /// Ends with `/api/oauth`.
    base_url: Url,
    /// What error messages name if it cannot be reached.
    peer: Arc<str>,
    events: EventHandler,
    pair: Mutex<KeyPair>,
    current: Mutex<Option<Arc<Token>>>,
    limiter: Mutex<MintLimiter>,
    /// Held while a token is minted.
    mint_lock: Arc<sync::Mutex<()>>,
    /// The version of the secret, incremented with each change.
    version: AtomicU64,
    /// Whether minting has stopped.
    is_closed: AtomicBool,
}

type MintGuard = sync::OwnedMutexGuard<()>;

struct Token {
    authorization: HeaderValue,
    /// To revoke it.
    text: SecretString,
    renew_at: Instant,
    expires: Instant,
    /// The version of the secret that minted it.
    version: u64,
}

#[derive(Deserialize)]
struct TokenResponse<'a> {
    access_token: Text<MAX_TOKEN>,
    /// A number, or one in quotation marks.
    #[serde(borrow)]
    expires_in: Option<&'a RawValue>,
}

impl TokenSource {
    pub(crate) fn new(
        http: reqwest::Client,
        base_url: Url,
        peer: Arc<str>,
        pair: KeyPair,
        interval: Duration,
        events: EventHandler,
    ) -> Self {
        Self {
            http,
            base_url,
            peer,
            events,
            pair: Mutex::new(pair),
            current: Mutex::default(),
            limiter: Mutex::new(MintLimiter::new(interval)),
            mint_lock: Arc::default(),
            version: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
        }
    }

    /// Replaces the secret. The token stays valid, but the next request renews it.
    pub(crate) fn rotate(&self, pair: KeyPair) {
        *self.pair.lock() = pair;
        self.version.fetch_add(1, Ordering::Relaxed);
        self.limiter.lock().reset();
    }

    /// Sends the request with a token and reads the body of the response. Replaces a rejected token once.
    pub(crate) async fn send(self: &Arc<Self>, request: &GetRequest<'_>) -> Result<Vec<u8>, ErrorKind> {
        let token = self.token().await?;
        match self.send_with(&token, request).await {
            Err(ErrorKind::ErrorResponse(response)) if response.may_reject_credential() => {
                let error = ErrorKind::ErrorResponse(response);
                match self.replace(&token, request.resource.group()).await {
                    Ok(Some(fresh)) => self.send_with(&fresh, request).await,
                    // A failed mint has been reported; the result of this request is the rejection.
                    Ok(None) | Err(_) => Err(error),
                }
            }
            result => result,
        }
    }

    /// Stops minting and revokes the token, so that it does not count against the limit of valid tokens. Waits for a
    /// mint in progress.
    pub(crate) async fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        let revoke = async {
            let _guard = self.mint_lock.lock().await;
            let Some(token) = self.current.lock().take() else { return };
            let body = form_urlencoded::Serializer::new(String::new())
                .append_pair("token", token.text.expose_secret())
                .append_pair("token_type_hint", "access_token")
                .finish();
            if self.post(Endpoint::Revoke, body).await.is_ok() {
                (self.events)(ClientEvent::Revoked);
            }
        };
        // If it takes too long, the token expires later.
        let _ = timeout(REVOKE_TIMEOUT, revoke).await;
    }

    async fn send_with(&self, token: &Token, request: &GetRequest<'_>) -> Result<Vec<u8>, ErrorKind> {
        let resource = request.resource;
        let in_flight = InFlight::new(resource.endpoint(), resource.group(), &self.events);
        let response = request.builder().header(AUTHORIZATION, token.authorization.clone()).send();
        in_flight.finish(response.await.map_err(ErrorKind::http)).await
    }

    /// A token that can be used.
    async fn token(self: &Arc<Self>) -> Result<Arc<Token>, ErrorKind> {
        let known = self.current();
        let guard = match &known {
            Some(token) if !self.is_due(token) => return Ok(token.clone()),
            // While another request renews it, it can still be used.
            Some(token) if token.expires > Instant::now() => match self.mint_lock.clone().try_lock_owned() {
                Ok(guard) => guard,
                Err(_) => return Ok(token.clone()),
            },
            _ => self.mint_lock.clone().lock_owned().await,
        };
        // Another request may have minted one in the meantime.
        if let Some(token) = self.current().filter(|token| !self.is_due(token)) {
            return Ok(token);
        }
        match (self.mint(guard).await, self.current()) {
            // The current token may have expired by our clock only. If Atlas agrees, it rejects the request.
            (Ok(token), _) | (Err(_), Some(token)) => Ok(token),
            (Err(cause), None) => Err(ErrorKind::Token(cause)),
        }
    }

    /// Replaces the token that Atlas rejected for the group, or returns `None` if the group is the cause.
    async fn replace(
        self: &Arc<Self>,
        refused: &Arc<Token>,
        group: Option<&GroupId>,
    ) -> Result<Option<Arc<Token>>, Arc<ErrorKind>> {
        let guard = self.mint_lock.clone().lock_owned().await;
        let other = self.current().filter(|token| !Arc::ptr_eq(token, refused));
        if other.is_some() || !self.limiter.lock().may_replace(group) {
            return Ok(other);
        }
        let fresh = self.mint(guard).await?;
        self.limiter.lock().replaced(group);
        Ok(Some(fresh))
    }

    /// Mints in a separate task, which outlives the request: a token that Atlas has issued must not be lost.
    async fn mint(self: &Arc<Self>, guard: MintGuard) -> Result<Arc<Token>, Arc<ErrorKind>> {
        if self.is_closed.load(Ordering::Relaxed) {
            drop(guard);
            // The request is about to be dropped.
            return pending().await;
        }
        self.limiter.lock().try_acquire()?;
        let source = self.clone();
        let task = tokio::spawn(async move {
            let minted = source.mint_now().await;
            drop(guard);
            minted
        });
        match task.await {
            Ok(minted) => minted,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime is shutting down.
            Err(_) => pending().await,
        }
    }

    async fn mint_now(&self) -> Result<Arc<Token>, Arc<ErrorKind>> {
        let version = self.version.load(Ordering::Relaxed);
        let minted = match self.post(Endpoint::Token, "grant_type=client_credentials".to_owned()).await {
            Ok(body) => Token::parse(&body, version),
            Err(error) => Err(error.with_peer(&self.peer)),
        };
        match minted {
            Ok((token, lifetime)) => {
                self.limiter.lock().succeeded();
                let token = Arc::new(token);
                *self.current.lock() = Some(token.clone());
                (self.events)(ClientEvent::Minted { expires: SystemTime::now() + lifetime });
                Ok(token)
            }
            // The secret has changed since, so the failure is not recorded.
            Err(error) if self.version.load(Ordering::Relaxed) != version => Err(Arc::new(error)),
            Err(error) => {
                let error = self.limiter.lock().failed(error);
                let message = format!("{}; {}", error.error_chain(), ErrorKind::Token(error.clone()).advice());
                (self.events)(ClientEvent::MintFailed { reason: error.reason(), message });
                Err(error)
            }
        }
    }

    async fn post(&self, endpoint: Endpoint, body: String) -> Result<Vec<u8>, ErrorKind> {
        let mut url = self.base_url.clone();
        url.set_path(&format!("{}/{}", self.base_url.path(), endpoint.as_str()));
        let pair = self.pair.lock().clone();
        let request = self
            .http
            .post(url)
            .basic_auth(form_encode(pair.id.expose()), Some(form_encode(pair.secret.expose())))
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        let in_flight = InFlight::new(endpoint, None, &self.events);
        in_flight.finish(request.send().await.map_err(ErrorKind::http)).await
    }

    fn current(&self) -> Option<Arc<Token>> {
        self.current.lock().clone()
    }

    /// Whether to renew the token. One of an old secret is valid, but only a new one shows that the new secret is too.
    fn is_due(&self, token: &Token) -> bool {
        token.renew_at <= Instant::now() || token.version != self.version.load(Ordering::Relaxed)
    }
}

impl Token {
    /// The token and its lifetime.
    fn parse(body: &[u8], version: u64) -> Result<(Self, Duration), ErrorKind> {
        let response: TokenResponse<'_> = serde_json::from_slice(body).map_err(|error| ErrorKind::json(&error))?;
        if response.access_token.is_cut {
            return Err(InvalidContent::TooLong("access_token", MAX_TOKEN).into());
        }
        let text = response.access_token.kept.ok_or(InvalidContent::NoAccessToken)?;
        let authorization = HeaderValue::from_str(&format!("Bearer {text}"));
        let mut authorization = authorization.map_err(|_| InvalidContent::AccessToken)?;
        authorization.set_sensitive(true);
        let lifetime = lifetime(response.expires_in);
        let now = Instant::now();
        let (renew_at, expires) = (now + lifetime - lifetime / RENEWAL_DIVISOR, now + lifetime);
        Ok((Self { authorization, text: text.into(), renew_at, expires, version }, lifetime))
    }
}

fn lifetime(expires_in: Option<&RawValue>) -> Duration {
    let text = expires_in.map_or("", RawValue::get).trim_matches('"');
    let seconds = text.trim().parse::<f64>().ok().filter(|seconds| *seconds >= 1.0);
    seconds.map_or(DEFAULT_LIFETIME, |seconds| Duration::from_secs_f64(seconds.min(MAX_LIFETIME.as_secs_f64())))
}

/// RFC 6749, section 2.3.1, requires this encoding of both halves.
fn form_encode(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_may_be_text_and_is_bounded() {
        for (expires_in, expected) in [
            ("3599", Duration::from_secs(3599)),
            ("\"600\"", Duration::from_secs(600)),
            ("\" 600 \"", Duration::from_secs(600)),
            ("600.5", Duration::from_millis(600_500)),
            ("1", Duration::from_secs(1)),
            ("86401", MAX_LIFETIME),
            ("99999999999999999999999", MAX_LIFETIME),
            ("1e999", MAX_LIFETIME),
            ("\"inf\"", MAX_LIFETIME),
            ("0", DEFAULT_LIFETIME),
            ("-1", DEFAULT_LIFETIME),
            ("\"-3600\"", DEFAULT_LIFETIME),
            ("\"NaN\"", DEFAULT_LIFETIME),
            ("\"soon\"", DEFAULT_LIFETIME),
            ("\"\"", DEFAULT_LIFETIME),
            ("null", DEFAULT_LIFETIME),
            ("true", DEFAULT_LIFETIME),
            ("[3600]", DEFAULT_LIFETIME),
            ("{}", DEFAULT_LIFETIME),
        ] {
            let body = format!(r#"{{"access_token":"t","expires_in":{expires_in}}}"#);
            assert_eq!(Token::parse(body.as_bytes(), 0).unwrap().1, expected, "{expires_in}");
        }
        assert_eq!(Token::parse(br#"{"access_token":"t"}"#, 0).unwrap().1, DEFAULT_LIFETIME);
    }
}
