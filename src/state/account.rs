//! What is known of an account: its credential, its token, and which groups it may see.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant, SystemTime},
};

use super::Failure;
use atlas::{GroupId, Reason};

/// After so many discoveries that failed, Atlas being down is no reason to wait for longer.
const FAILURES_END_WAITING: u64 = 3;

/// What is known of an account.
#[derive(Debug, Default)]
pub struct AccountState {
    /// The version of the API that is asked.
    pub api_version: &'static str,
    /// Where people see it in Atlas, such as `https://cloud.mongodb.com`; nothing where that is no Atlas.
    pub console: Option<String>,
    /// When the credential ends, as the config says.
    pub expires: Option<SystemTime>,
    /// Whether Atlas refuses the credential.
    pub refused: bool,
    /// Whether the files of the credential cannot be read any more.
    pub unreadable: bool,
    /// The access token, where the account is a service account.
    pub token: Option<TokenState>,
    /// When its pollers were last looked after; nothing before the first time.
    pub looked_after: Option<Instant>,
    /// What asking for groups brought, where the account does.
    pub discovery: Option<DiscoveryState>,
}

/// What is known of the access token of a service account.
#[derive(Clone, Debug, Default)]
pub struct TokenState {
    /// When it ends; nothing before the first.
    pub ends: Option<SystemTime>,
    /// How often one was minted.
    pub mints: u64,
    /// How often none could be minted.
    pub mint_failures: u64,
    /// Why none could be minted the last time, if so.
    pub failing: Option<Reason>,
}

/// What asking for groups brought.
#[derive(Clone, Debug, Default)]
pub struct DiscoveryState {
    /// How often Atlas is asked.
    pub interval: Duration,
    /// When Atlas is to be asked; nothing before the first time.
    pub due: Option<Instant>,
    /// How often Atlas was asked.
    pub discoveries: u64,
    /// Those that failed, by reason.
    pub failures: BTreeMap<Reason, u64>,
    /// Why the last one failed, if it did.
    pub failure: Option<Failure>,
    /// When one last succeeded.
    pub last_success: Option<SystemTime>,
    /// Groups that were missing in a listing that is held back.
    pub(super) held_back: Option<BTreeSet<GroupId>>,
    /// Failures since the last success.
    pub(super) failed_in_a_row: u32,
    /// For which reasons, each of which is told once.
    pub(super) told: BTreeSet<Reason>,
}

impl DiscoveryState {
    /// Asks in such an interval, and did not yet.
    #[must_use]
    pub fn new(interval: Duration) -> Self {
        Self { interval, ..Self::default() }
    }

    /// Whether it is too early to go on without knowing the groups.
    pub(super) fn is_pending(&self) -> bool {
        self.last_success.is_none() && self.discoveries < FAILURES_END_WAITING
    }

    /// Whether the last one brought every group, and what it brought is what is watched.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.discoveries > 0 && self.failure.is_none() && self.held_back.is_none()
    }
}

impl AccountState {
    /// Takes over what is known of it, as far as the config still asks for it.
    pub(super) fn inherit(&mut self, before: &Self) {
        // Not whether its files are unreadable: with these, there would be no config to follow.
        self.refused = before.refused;
        if let (Some(token), Some(before)) = (&mut self.token, &before.token) {
            *token = before.clone();
        }
        if let (Some(discovery), Some(before)) = (&mut self.discovery, &before.discovery) {
            *discovery = DiscoveryState { interval: discovery.interval, ..before.clone() };
        }
    }

    /// Takes in a change of the credential, and tells whether it is news.
    pub fn record_credential(&mut self, change: CredentialChange) -> bool {
        match change {
            CredentialChange::Refused => {
                if let Some(token) = &mut self.token {
                    // What Atlas refuses does not live on, whatever was said of its end.
                    token.ends = None;
                }
                !std::mem::replace(&mut self.refused, true)
            }
            CredentialChange::Accepted => {
                // A token at hand may be accepted while the secret is refused.
                self.refused = self.token.as_ref().is_some_and(|token| token.failing == Some(Reason::Unauthorized));
                !self.refused
            }
            CredentialChange::Readable(is_readable) => {
                self.unreadable = !is_readable;
                true
            }
            CredentialChange::Minted { ends } => {
                self.refused = false;
                let token = self.token.get_or_insert_default();
                token.ends = Some(ends);
                token.mints += 1;
                token.failing = None;
                true
            }
            CredentialChange::MintFailed { reason } => {
                self.refused |= reason == Reason::Unauthorized;
                let token = self.token.get_or_insert_default();
                token.mint_failures += 1;
                token.failing.replace(reason) != Some(reason)
            }
        }
    }
}

/// What can happen to a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialChange {
    /// Atlas refuses it.
    Refused,
    /// Atlas accepts it.
    Accepted,
    /// Whether its files can be read.
    Readable(bool),
    /// A token was minted.
    Minted {
        /// When it ends.
        ends: SystemTime,
    },
    /// No token was minted.
    MintFailed {
        /// Why.
        reason: Reason,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_whose_config_was_just_read_has_readable_files() {
        let mut before = AccountState::default();
        before.record_credential(CredentialChange::Readable(false));
        before.record_credential(CredentialChange::Refused);
        let mut after = AccountState::default();
        after.inherit(&before);
        assert!(before.unreadable && !after.unreadable && after.refused);
    }
}
