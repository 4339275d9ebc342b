//! The credential of an account: what is sent with a request so that Atlas answers it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reqwest::RequestBuilder;
use tokio::{task::spawn_blocking, time::Instant};

use crate::{
    ClientEvent, ErrorKind, Reason, Resource, Secret, SecretError,
    auth::breaker::{Gate, Verdict},
    auth::digest::Sessions,
    auth::token::Tokens,
    request::Reporter,
};

/// Files are looked at again no more often than this.
const SHORTEST_LOOK: Duration = Duration::from_secs(1);

/// What Atlas knows the account by.
#[derive(Clone, Debug, PartialEq)]
pub struct Credential {
    /// How it is proven.
    pub kind: CredentialKind,
    /// Its two halves.
    pub pair: KeyPair,
}

/// How a credential is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// An API key, proven with HTTP digest authentication.
    ApiKey,
    /// A service account, which mints access tokens (OAuth 2.0 client credentials).
    ServiceAccount,
}

/// The two halves of a credential.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyPair {
    /// The public key, or the client id.
    pub id: Secret,
    /// The private key, or the client secret.
    pub secret: Secret,
}

impl KeyPair {
    fn is_from_files(&self) -> bool {
        self.id.is_from_file() || self.secret.is_from_file()
    }

    fn read_again(&self) -> Result<Self, SecretError> {
        Ok(Self { id: self.id.read_again()?, secret: self.secret.read_again()? })
    }

    fn is_same(&self, other: &Self) -> bool {
        self.id.expose() == other.id.expose() && self.secret.expose() == other.secret.expose()
    }
}

/// Asks with a credential, whatever kind it is and while it may change.
pub(crate) struct Asker {
    login: Login,
    gate: Gate,
    files: Mutex<Files>,
    reporter: Reporter,
}

/// Each kind of credential with what it remembers from one request to the next.
enum Login {
    ApiKey(Sessions),
    ServiceAccount(Arc<Tokens>),
}

/// The credential as it was last read.
struct Files {
    pair: KeyPair,
    looked: Instant,
    /// Rises with each change.
    version: u64,
    /// Why they could not be read, if so.
    unreadable: Option<String>,
}

impl Asker {
    /// `tokens` makes what a service account needs.
    pub(crate) fn new(
        credential: Credential,
        gate: Gate,
        reporter: Reporter,
        tokens: impl FnOnce(KeyPair) -> Tokens,
    ) -> Self {
        let Credential { kind, pair } = credential;
        let login = match kind {
            CredentialKind::ApiKey => Login::ApiKey(Sessions::new(pair.clone(), reporter.clone())),
            CredentialKind::ServiceAccount => Login::ServiceAccount(Arc::new(tokens(pair.clone()))),
        };
        let files = Files { pair, looked: Instant::now(), version: 0, unreadable: None };
        Self { login, gate, files: Mutex::new(files), reporter }
    }

    /// Sends a request and reads its answer. If Atlas refuses the credential and its files hold another one by now,
    /// asks again with that.
    pub(crate) async fn ask(&self, request: &RequestBuilder, resource: &Resource) -> Result<Vec<u8>, ErrorKind> {
        if self.files().looked.elapsed() >= SHORTEST_LOOK {
            self.look().await;
        }
        let turn = self.gate.enter(resource.group()).await?;
        let version = self.files().version;
        let mut outcome = self.login.ask(request, resource).await;
        if outcome.as_ref().is_err_and(|error| error.reason() == Reason::Unauthorized) {
            self.look().await;
            if self.files().version != version {
                outcome = self.login.ask(request, resource).await;
            }
        }
        match self.gate.judge(resource.group(), &outcome) {
            Verdict::Nothing => {}
            Verdict::Accepted => (self.reporter)(ClientEvent::Accepted),
            Verdict::Refused => self.tell_refused(&outcome),
        }
        drop(turn);
        outcome
    }

    /// Ends what Atlas would otherwise keep alive.
    pub(crate) async fn close(&self) {
        if let Login::ServiceAccount(tokens) = &self.login {
            tokens.close().await;
        }
    }

    fn tell_refused<T>(&self, outcome: &Result<T, ErrorKind>) {
        if let Err(error) = outcome {
            let message = format!("{}; {}", error.error_chain(), error.advice());
            (self.reporter)(ClientEvent::Refused { message });
        }
    }

    /// Reads the files again, and takes what they hold if it is another credential.
    async fn look(&self) {
        let known = {
            let mut files = self.files();
            files.looked = Instant::now();
            files.pair.clone()
        };
        if !known.is_from_files() {
            return;
        }
        let read = spawn_blocking(move || known.read_again()).await;
        match read {
            Ok(Ok(pair)) => self.take(pair),
            Ok(Err(error)) => self.tell_unreadable(error.to_string()),
            // Reading cannot panic; at the end of the process it may be given up.
            Err(_) => {}
        }
    }

    fn take(&self, pair: KeyPair) {
        let mut files = self.files();
        let is_readable_again = files.unreadable.take().is_some();
        let is_another = !files.pair.is_same(&pair);
        if is_another {
            files.pair = pair.clone();
            files.version += 1;
            match &self.login {
                Login::ApiKey(sessions) => sessions.rekey(pair),
                Login::ServiceAccount(tokens) => tokens.rekey(pair),
            }
            self.gate.reopen();
        }
        drop(files);
        if is_readable_again {
            (self.reporter)(ClientEvent::SecretReadable);
        }
        if is_another {
            (self.reporter)(ClientEvent::SecretChanged);
        }
    }

    fn tell_unreadable(&self, message: String) {
        let before = self.files().unreadable.replace(message.clone());
        if before.as_ref() != Some(&message) {
            (self.reporter)(ClientEvent::SecretUnreadable { message });
        }
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        // Nothing panics while it holds the lock.
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Login {
    async fn ask(&self, request: &RequestBuilder, resource: &Resource) -> Result<Vec<u8>, ErrorKind> {
        match self {
            Self::ApiKey(sessions) => sessions.ask(request, resource).await,
            Self::ServiceAccount(tokens) => tokens.ask(request, resource).await,
        }
    }
}
