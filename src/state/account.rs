//! What is known about an account: its credential, its access token, and its discoveries.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use super::poll::{Failure, FailureReason, PollStats};
use atlas::{ClientEvent, GroupId, Reason};

/// Failed first discoveries after which readiness no longer waits for the account.
const FAILURES_TO_STOP_WAITING: u64 = 3;

/// Tells the clients that an account has one after the other apart. Clones are the same; each new one is another.
#[derive(Clone, Debug, Default)]
pub struct ClientIdentity(Arc<()>);

impl PartialEq for ClientIdentity {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// What is known about an account.
#[derive(Debug, Default)]
pub struct AccountState {
    /// Its client. Late events of one that a reload replaced say nothing about the account.
    pub client: ClientIdentity,
    /// The API version in use.
    pub api_version: &'static str,
    /// The base URL of Atlas's UI, such as `https://cloud.mongodb.com`; `None` for gateways and simulators.
    pub console: Option<String>,
    /// When the credential expires, according to the config.
    pub expires: Option<SystemTime>,
    /// Whether Atlas rejects the credential.
    pub refused: bool,
    /// Whether the credential's files cannot be read.
    pub unreadable: bool,
    /// The access token of a service account.
    pub token: Option<TokenState>,
    /// The last heartbeat of the account's task; `None` before the first.
    pub last_heartbeat: Option<Instant>,
    /// Its polls.
    pub polls: PollStats,
    /// Whether the config lists groups of the account that other shards own.
    pub lists_elsewhere: bool,
    /// The discoveries of an account that discovers groups.
    pub discovery: Option<DiscoveryState>,
}

/// What is known about the access token of a service account.
#[derive(Clone, Debug, Default)]
pub struct TokenState {
    /// When it expires, even if Atlas rejects it; `None` before the first.
    expires: Option<SystemTime>,
    /// Whether Atlas rejects it.
    is_rejected: bool,
    /// Tokens minted.
    pub mints: u64,
    /// Failed attempts to mint one.
    pub mint_failures: u64,
    /// Why the last attempt failed, if it did.
    pub failing: Option<Reason>,
}

impl TokenState {
    /// Until when it can be used; `None` before the first, and while Atlas rejects it.
    #[must_use]
    pub fn valid_until(&self) -> Option<SystemTime> {
        self.expires.filter(|_| !self.is_rejected)
    }
}

/// What is known about the discoveries of an account.
#[derive(Clone, Debug, Default)]
pub struct DiscoveryState {
    /// The time between two discoveries.
    pub interval: Duration,
    /// When the next one is due; `None` before the first.
    pub due: Option<Instant>,
    /// Discoveries that ended.
    pub discoveries: u64,
    /// Failed discoveries by reason.
    pub failures: BTreeMap<FailureReason, u64>,
    /// Why the last one failed, if it did.
    pub failure: Option<Failure>,
    /// When one last succeeded.
    pub last_success: Option<SystemTime>,
    /// Whether other shards own groups of the last complete list.
    pub(super) selects_elsewhere: bool,
    /// Whether the lack of groups is reported.
    pub(super) reported_no_groups: bool,
    /// The groups missing from the last list, if it lacked so many that another list has to confirm it.
    pub(super) unconfirmed: Option<BTreeSet<GroupId>>,
    /// Failures since the last success.
    pub(super) failed_in_a_row: u32,
    /// Their reasons, each reported once.
    pub(super) reported: BTreeSet<FailureReason>,
}

impl DiscoveryState {
    /// No discovery yet.
    #[must_use]
    pub fn new(interval: Duration) -> Self {
        Self { interval, ..Self::default() }
    }

    /// Whether readiness waits for the first success.
    pub(super) fn is_pending(&self) -> bool {
        self.last_success.is_none() && self.discoveries < FAILURES_TO_STOP_WAITING
    }

    /// Whether the last one succeeded and its result is in use.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.discoveries > 0 && self.failure.is_none() && self.unconfirmed.is_none()
    }
}

impl AccountState {
    /// Whether other shards poll groups of the account.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.lists_elsewhere || self.discovery.as_ref().is_some_and(|discovery| discovery.selects_elsewhere)
    }

    /// Takes over what was known before a reload, as far as it applies to the new config.
    pub(super) fn carry_over(&mut self, before: &Self) {
        // `unreadable` starts as false: the reload has just read the files.
        self.client = before.client.clone();
        self.refused = before.refused;
        self.polls = before.polls.clone();
        if let (Some(token), Some(before)) = (&mut self.token, &before.token) {
            *token = before.clone();
        }
        if let (Some(discovery), Some(before)) = (&mut self.discovery, &before.discovery) {
            *discovery = DiscoveryState { interval: discovery.interval, ..before.clone() };
        }
    }

    /// Records an event of the account's client and returns whether to log it.
    pub fn record_client_event(&mut self, event: &ClientEvent) -> bool {
        match event {
            ClientEvent::Refused { .. } => {
                if let Some(token) = &mut self.token {
                    token.is_rejected = true;
                }
                return !std::mem::replace(&mut self.refused, true);
            }
            ClientEvent::Accepted => {
                if let Some(token) = &mut self.token {
                    token.is_rejected = false;
                }
                // Atlas may accept the current token while it rejects the secret.
                self.refused = self.token.as_ref().is_some_and(|token| token.failing == Some(Reason::Unauthorized));
                return !self.refused;
            }
            ClientEvent::SecretUnreadable { .. } => self.unreadable = true,
            ClientEvent::SecretReadable => self.unreadable = false,
            ClientEvent::Minted { expires } => {
                self.refused = false;
                let token = self.token.get_or_insert_default();
                token.expires = Some(*expires);
                token.is_rejected = false;
                token.mints += 1;
                token.failing = None;
            }
            ClientEvent::MintFailed { reason, .. } => {
                self.refused |= *reason == Reason::Unauthorized;
                let token = self.token.get_or_insert_default();
                token.mint_failures += 1;
                return token.failing.replace(*reason) != Some(*reason);
            }
            ClientEvent::Request(_) | ClientEvent::Revoked | ClientEvent::SecretChanged => {}
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_is_accepted_again_has_its_expiry_again() {
        let mut account = AccountState { token: Some(TokenState::default()), ..AccountState::default() };
        let expires = SystemTime::UNIX_EPOCH + Duration::from_secs(3600);
        account.record_client_event(&ClientEvent::Minted { expires });
        for (event, expected) in [
            (ClientEvent::Refused { message: String::new() }, None),
            (ClientEvent::MintFailed { reason: Reason::Server, message: String::new() }, None),
            (ClientEvent::Accepted, Some(expires)),
            (ClientEvent::MintFailed { reason: Reason::Unauthorized, message: String::new() }, Some(expires)),
        ] {
            account.record_client_event(&event);
            assert_eq!(account.token.as_ref().unwrap().valid_until(), expected, "{event:?}");
        }
    }

    #[test]
    fn a_reload_resets_unreadable_and_keeps_refused() {
        let mut before = AccountState::default();
        before.record_client_event(&ClientEvent::SecretUnreadable { message: String::new() });
        before.record_client_event(&ClientEvent::Refused { message: String::new() });
        let mut after = AccountState::default();
        after.carry_over(&before);
        assert!(before.unreadable && !after.unreadable && after.refused);
    }
}
