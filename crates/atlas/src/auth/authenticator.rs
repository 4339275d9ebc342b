//! Sends requests with a credential of any kind, which may change while the client runs.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde::de::IgnoredAny;
use tokio::{
    sync,
    task::spawn_blocking,
    time::{Instant, timeout},
};

use super::{
    breaker::{Cause, CredentialBreaker, ProbeGuard, Verdict},
    credential::KeyPair,
    digest::DigestAuth,
    token::TokenSource,
};
use crate::{
    error::ErrorKind,
    paging::page::Page,
    reason::Reason,
    request::{ClientEvent, EventHandler, GetRequest},
};

/// Files are read no more often than this.
const MIN_READ_INTERVAL: Duration = Duration::from_secs(1);

/// How long a request waits for the files. A working disk needs a thousandth of that; while a file hangs, requests use
/// the credential that was read last.
const MAX_READ_WAIT: Duration = Duration::from_millis(250);

/// Sends requests with a credential.
pub(crate) struct Authenticator {
    scheme: Scheme,
    breaker: CredentialBreaker,
    files: Mutex<Files>,
    /// Held while the files are read, so that a file that hangs occupies only one thread.
    reading: Arc<sync::Mutex<()>>,
    events: EventHandler,
}

/// An authentication scheme with its state.
pub(crate) enum Scheme {
    ApiKey(DigestAuth),
    ServiceAccount(Arc<TokenSource>),
}

/// The credential as last read.
struct Files {
    pair: KeyPair,
    last_read: Instant,
    /// Incremented with each change.
    version: u64,
    /// Why the files cannot be read, if so.
    unreadable: Option<String>,
}

impl Authenticator {
    /// `pair` is the one that the scheme uses.
    pub(crate) fn new(scheme: Scheme, pair: KeyPair, breaker: CredentialBreaker, events: EventHandler) -> Self {
        let files = Files { pair, last_read: Instant::now(), version: 0, unreadable: None };
        Self { scheme, breaker, files: Mutex::new(files), reading: Arc::default(), events }
    }

    /// Sends a request and reads the body of the response. If Atlas rejects the credential and its files have changed,
    /// retries once with the new one. If in doubt whether Atlas rejects the credential or only this request, sends the
    /// check, a request for a page that concerns no group.
    pub(crate) async fn send<'c>(
        self: &Arc<Self>,
        request: &GetRequest<'_>,
        check: impl FnOnce() -> GetRequest<'c>,
    ) -> Result<Vec<u8>, ErrorKind> {
        if self.files.lock().last_read.elapsed() >= MIN_READ_INTERVAL && self.reading.try_lock().is_ok() {
            self.reload_files().await;
        }
        let probe = self.breaker.acquire().await?;
        let (mut sent, version) = (Instant::now(), self.files.lock().version);
        let mut result = self.scheme.send(request).await;
        if result.as_ref().is_err_and(|error| error.reason() == Reason::Unauthorized) {
            self.reload_files().await;
            if self.files.lock().version != version {
                sent = Instant::now();
                result = self.scheme.send(request).await;
            }
        }
        match (Verdict::of(&result), result) {
            (Verdict::Rejected, Err(rejection)) => Err(self.explain(rejection, sent, probe, check).await),
            (Verdict::Accepted, result) => {
                self.breaker.accepted(sent);
                result
            }
            (_, result) => result,
        }
    }

    /// The error of a request that was rejected: the rejection itself, or that Atlas rejects the credential.
    async fn explain<'c>(
        &self,
        rejection: ErrorKind,
        sent: Instant,
        probe: Option<ProbeGuard<'_>>,
        check: impl FnOnce() -> GetRequest<'c>,
    ) -> ErrorKind {
        let mut cause = self.breaker.rejected(sent, &rejection);
        if cause == Cause::InDoubt {
            let guard = if probe.is_some() { probe } else { self.breaker.wait_for_probe().await };
            // The check of another request may have decided meanwhile.
            cause = self.breaker.rejected(sent, &rejection);
            if cause == Cause::InDoubt && guard.is_some() {
                let sent = self.breaker.check_sent();
                let result = self.scheme.send(&check()).await.and_then(|body| is_page(&body));
                cause = self.breaker.checked(sent, &result, &rejection);
            }
        }
        match cause {
            Cause::Credential => ErrorKind::Rejected(Arc::new(rejection)),
            Cause::Subject | Cause::InDoubt => rejection,
        }
    }

    /// Revokes the access token, if there is one.
    pub(crate) async fn close(&self) {
        if let Scheme::ServiceAccount(tokens) = &self.scheme {
            tokens.close().await;
        }
    }

    /// Reads the files in a separate task, which applies a change, and waits briefly for it.
    async fn reload_files(self: &Arc<Self>) {
        let pair = {
            let mut files = self.files.lock();
            files.last_read = Instant::now();
            files.pair.clone()
        };
        if !pair.is_from_files() {
            return;
        }
        let reload = async {
            let guard = self.reading.clone().lock_owned().await;
            let this = self.clone();
            let read = spawn_blocking(move || {
                match pair.reload() {
                    Ok(pair) => this.apply(pair),
                    Err(error) => this.set_unreadable(error.to_string()),
                }
                drop(guard);
            });
            // Only the shutdown of the runtime cancels the task.
            drop(read.await);
        };
        drop(timeout(MAX_READ_WAIT, reload).await);
    }

    fn apply(&self, pair: KeyPair) {
        let mut files = self.files.lock();
        let was_unreadable = files.unreadable.take().is_some();
        let is_changed = files.pair != pair;
        if is_changed {
            files.pair = pair.clone();
            files.version += 1;
            match &self.scheme {
                Scheme::ApiKey(digest) => digest.rotate(pair),
                Scheme::ServiceAccount(tokens) => tokens.rotate(pair),
            }
            self.breaker.reset();
        }
        drop(files);
        if was_unreadable {
            (self.events)(ClientEvent::SecretReadable);
        }
        if is_changed {
            (self.events)(ClientEvent::SecretChanged);
        }
    }

    fn set_unreadable(&self, message: String) {
        let previous = self.files.lock().unreadable.replace(message.clone());
        if previous.as_ref() != Some(&message) {
            (self.events)(ClientEvent::SecretUnreadable { message });
        }
    }
}

/// Fails if the body is not a page. Something other than Atlas may respond with status 200.
fn is_page(body: &[u8]) -> Result<(), ErrorKind> {
    let page: Result<Page<IgnoredAny>, _> = serde_json::from_slice(body);
    page.map(|_| ()).map_err(|error| ErrorKind::json(&error))
}

impl Scheme {
    async fn send(&self, request: &GetRequest<'_>) -> Result<Vec<u8>, ErrorKind> {
        match self {
            Self::ApiKey(digest) => digest.send(request).await,
            Self::ServiceAccount(tokens) => tokens.send(request).await,
        }
    }
}
