//! The access tokens of a service account: minted once however many requests want one, renewed before they end.
//!
//! Minting is one POST, and its answer's status and `Retry-After` matter, which the libraries for OAuth 2.0 hide; so
//! it is written out here (RFC 6749, section 4.4).

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use reqwest::{
    RequestBuilder,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::{
    sync::OwnedMutexGuard,
    time::{Instant, timeout},
};
use url::{Url, form_urlencoded};

use crate::{
    ClientEvent, ErrorKind, GroupId, JsonPosition, Reason, Resource,
    auth::authenticator::KeyPair,
    auth::mint_limiter::Brake,
    error_response,
    request::{Reporter, UnderWay},
};

/// A sixth before its end a token is renewed: ten minutes of an hour.
const RENEWED_BEFORE: u32 = 6;

/// What Atlas says when it says nothing else.
const LIFETIME: Duration = Duration::from_secs(3600);

/// A token cannot end so late that we lose count.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// For the last request of all, and the mint before it; the process ends meanwhile.
const REVOKE_TIMEOUT: Duration = Duration::from_secs(3);

/// A service account and its access token.
pub(crate) struct Tokens {
    http: reqwest::Client,
    /// Ends with `/api/oauth`.
    base: Url,
    /// What is told where it cannot be reached.
    way: Arc<str>,
    interval: Duration,
    reporter: Reporter,
    pair: Mutex<KeyPair>,
    current: Mutex<Option<Arc<Token>>>,
    brake: Mutex<Brake>,
    /// One at a time.
    minting: Arc<tokio::sync::Mutex<()>>,
    /// Rises with each change of the secret.
    version: AtomicU64,
    /// No token is minted any more.
    closed: AtomicBool,
}

/// An access token, as Atlas gave it out.
struct Token {
    authorization: HeaderValue,
    /// Needed to revoke it.
    text: SecretString,
    renew_at: Mutex<Instant>,
    ends: Instant,
}

#[derive(Deserialize)]
struct Minted {
    access_token: String,
    expires_in: Option<u64>,
}

impl Tokens {
    pub(crate) fn new(
        http: reqwest::Client,
        base: Url,
        way: Arc<str>,
        pair: KeyPair,
        interval: Duration,
        reporter: Reporter,
    ) -> Self {
        Self {
            http,
            base,
            way,
            interval,
            reporter,
            pair: Mutex::new(pair),
            current: Mutex::default(),
            brake: Mutex::default(),
            minting: Arc::default(),
            version: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        }
    }

    /// The secret is another one now. The token stays good, but the next request renews it.
    pub(crate) fn rekey(&self, pair: KeyPair) {
        *lock(&self.pair) = pair;
        self.version.fetch_add(1, Ordering::Relaxed);
        lock(&self.brake).release();
        if let Some(token) = &*lock(&self.current) {
            *lock(&token.renew_at) = Instant::now();
        }
    }

    /// Sends the request with a token and reads its answer. A token that ended early is replaced once.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        request: &RequestBuilder,
        resource: &Resource,
    ) -> Result<Vec<u8>, ErrorKind> {
        let token = self.token().await?;
        match self.ask_with(&token, request, resource).await {
            Err(refusal) if refusal.reason() == Reason::Unauthorized => {
                match self.replace(&token, resource.group()).await {
                    Ok(Some(fresh)) => self.ask_with(&fresh, request, resource).await,
                    // Why none could be minted was told already; what counts here is that Atlas refuses this one.
                    Ok(None) | Err(_) => Err(refusal),
                }
            }
            outcome => outcome,
        }
    }

    /// Ends the token, so that it does not count among the hundred that may live; also one that is just minted.
    pub(crate) async fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        let last = async {
            let _turn = self.minting.lock().await;
            self.revoke().await;
        };
        // The token ends by itself, if not now.
        let _ = timeout(REVOKE_TIMEOUT, last).await;
    }

    async fn revoke(&self) {
        let Some(token) = lock(&self.current).take() else { return };
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token.text.expose_secret())
            .append_pair("token_type_hint", "access_token")
            .finish();
        if self.post("revoke", body).await.is_ok() {
            (self.reporter)(ClientEvent::Revoked);
        }
    }

    async fn ask_with(
        &self,
        token: &Token,
        request: &RequestBuilder,
        resource: &Resource,
    ) -> Result<Vec<u8>, ErrorKind> {
        // A request without a body can always be copied.
        let request = request.try_clone().ok_or(ErrorKind::Content("the request cannot be copied".to_owned()))?;
        let under_way = UnderWay::begin(resource, &self.reporter);
        let sent = request.header(AUTHORIZATION, token.authorization.clone()).send().await.map_err(ErrorKind::http);
        under_way.ended(&sent);
        error_response::read(sent?).await
    }

    /// A token that may be used.
    async fn token(self: &Arc<Self>) -> Result<Arc<Token>, ErrorKind> {
        let known = self.current();
        let turn = match &known {
            Some(token) if !token.is_to_be_renewed() => return Ok(token.clone()),
            // Someone renews it already, and it is still good.
            Some(token) if token.ends > Instant::now() => match self.minting.clone().try_lock_owned() {
                Ok(turn) => turn,
                Err(_) => return Ok(token.clone()),
            },
            _ => self.minting.clone().lock_owned().await,
        };
        // Someone may have minted one while we waited.
        if let Some(token) = self.current().filter(|token| !token.is_to_be_renewed()) {
            return Ok(token);
        }
        match (self.mint(turn).await, self.current()) {
            // The one at hand even past its end by our clock: Atlas may see it otherwise, and says so if not.
            (Ok(token), _) | (Err(_), Some(token)) => Ok(token),
            (Err(cause), None) => Err(ErrorKind::Token(cause)),
        }
    }

    /// Another token than the one that Atlas refused for the group; nothing if it is the group that is refused.
    async fn replace(
        self: &Arc<Self>,
        refused: &Arc<Token>,
        group: Option<&GroupId>,
    ) -> Result<Option<Arc<Token>>, Arc<ErrorKind>> {
        let turn = self.minting.clone().lock_owned().await;
        let other = self.current().filter(|token| !Arc::ptr_eq(token, refused));
        if other.is_some() || !lock(&self.brake).may_replace(group) {
            return Ok(other);
        }
        let fresh = self.mint(turn).await?;
        lock(&self.brake).replaced(group);
        Ok(Some(fresh))
    }

    /// Mints in a task of its own: whoever wants the token may be given up meanwhile, but the token would live on.
    async fn mint(self: &Arc<Self>, turn: OwnedMutexGuard<()>) -> Result<Arc<Token>, Arc<ErrorKind>> {
        if self.closed.load(Ordering::Relaxed) {
            drop(turn);
            // Whoever asks is about to be given up.
            return std::future::pending().await;
        }
        lock(&self.brake).begin()?;
        let tokens = self.clone();
        let minting = tokio::spawn(async move {
            let minted = tokens.mint_now().await;
            drop(turn);
            minted
        });
        match minting.await {
            Ok(minted) => minted,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The process ends.
            Err(_) => std::future::pending().await,
        }
    }

    async fn mint_now(&self) -> Result<Arc<Token>, Arc<ErrorKind>> {
        let version = self.version.load(Ordering::Relaxed);
        let minted = match self.post("token", "grant_type=client_credentials".to_owned()).await {
            Ok(body) => Token::read(&body),
            Err(error) => Err(error.on(&self.way)),
        };
        let is_old = self.version.load(Ordering::Relaxed) != version;
        match minted {
            Ok((token, lifetime)) => {
                lock(&self.brake).succeeded();
                if is_old {
                    // It is good, but does not show that the new secret is.
                    *lock(&token.renew_at) = Instant::now();
                }
                let token = Arc::new(token);
                *lock(&self.current) = Some(token.clone());
                (self.reporter)(ClientEvent::Minted { ends: SystemTime::now() + lifetime });
                Ok(token)
            }
            // The secret is another one by now, and nothing is known of that.
            Err(error) if is_old => Err(Arc::new(error)),
            Err(error) => {
                let error = lock(&self.brake).failed(error, self.interval);
                let message = format!("{}; {}", error.error_chain(), ErrorKind::Token(error.clone()).advice());
                (self.reporter)(ClientEvent::MintFailed { reason: error.reason(), message });
                Err(error)
            }
        }
    }

    async fn post(&self, endpoint: &'static str, body: String) -> Result<Vec<u8>, ErrorKind> {
        let mut url = self.base.clone();
        let path = format!("{}/{endpoint}", url.path());
        url.set_path(&path);
        let pair = lock(&self.pair).clone();
        let request = self
            .http
            .post(url)
            .basic_auth(encoded(pair.id.expose()), Some(encoded(pair.secret.expose())))
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        let under_way = UnderWay::at(endpoint, &self.reporter);
        let sent = request.send().await.map_err(ErrorKind::http);
        under_way.ended(&sent);
        error_response::read(sent?).await
    }

    fn current(&self) -> Option<Arc<Token>> {
        lock(&self.current).clone()
    }
}

impl Token {
    /// Reads it and how long it lives.
    fn read(body: &[u8]) -> Result<(Self, Duration), ErrorKind> {
        let minted: Minted = serde_json::from_slice(body).map_err(|error| ErrorKind::Json(JsonPosition::of(&error)))?;
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", minted.access_token))
            .map_err(|_| ErrorKind::Content("the access token has characters that no header may have".to_owned()))?;
        authorization.set_sensitive(true);
        let lifetime = minted.expires_in.map_or(LIFETIME, Duration::from_secs).min(MAX_LIFETIME);
        let now = Instant::now();
        let renew_at = Mutex::new(now + lifetime - lifetime / RENEWED_BEFORE);
        Ok((Self { authorization, text: minted.access_token.into(), renew_at, ends: now + lifetime }, lifetime))
    }

    fn is_to_be_renewed(&self) -> bool {
        *lock(&self.renew_at) <= Instant::now()
    }
}

/// As RFC 6749, section 2.3.1, wants both halves in front of the colon's encoding.
fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Nothing in this file panics while it holds a lock, so what a poisoned one guards is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
