//! What a client of Atlas tells, into the state and the log.

use std::{sync::Arc, time::SystemTime};

use tokio::sync::watch;
use tracing::{debug, error, info, warn};

use crate::{
    collector::RateLimitBackoffs,
    state::{CredentialChange, State},
};
use atlas::{ClientEvent, Endpoint, Reason, RequestRecord, VersionEnds};

/// Keeps what the client of one account tells.
pub fn keep(
    account: String,
    state: watch::Sender<State>,
    pauses: Arc<RateLimitBackoffs>,
) -> impl Fn(ClientEvent) + Send + Sync + 'static {
    move |report| match report {
        ClientEvent::Request(exchange) => {
            pauses.heed(&exchange);
            keep_exchange(&account, &state, exchange);
        }
        ClientEvent::Minted { expires: ends } => {
            change(&account, &state, CredentialChange::Minted { ends });
            info!(account, "minted an access token, good until {}", time(ends));
        }
        ClientEvent::Revoked => info!(account, "revoked the access token"),
        ClientEvent::MintFailed { reason, message } => {
            if change(&account, &state, CredentialChange::MintFailed { reason }) {
                let spare = spare(&account, &state);
                error!(account, reason = reason.as_str(), "no access token can be minted{spare}: {message}");
            }
        }
        ClientEvent::Refused { message } => {
            if change(&account, &state, CredentialChange::Refused) {
                let reason = Reason::Unauthorized.as_str();
                error!(account, reason, "the credential is refused, and all polls of the account fail: {message}");
            }
        }
        ClientEvent::Accepted => {
            if change(&account, &state, CredentialChange::Accepted) {
                info!(account, "Atlas accepts the credential");
            }
        }
        ClientEvent::SecretChanged => info!(account, "a file of the credential changed; what it holds now is in use"),
        ClientEvent::SecretUnreadable { message } => {
            change(&account, &state, CredentialChange::Readable(false));
            warn!(account, "a file of the credential is of no use, what it held before stays in use: {message}");
        }
        ClientEvent::SecretReadable => {
            change(&account, &state, CredentialChange::Readable(true));
            info!(account, "the files of the credential can be read again");
        }
    }
}

/// Whether it is news.
fn change(account: &str, state: &watch::Sender<State>, change: CredentialChange) -> bool {
    let mut is_news = false;
    state.send_modify(|state| {
        is_news = state.accounts.get_mut(account).is_some_and(|account| account.record_credential(change));
    });
    is_news
}

/// What is left to work with.
fn spare(account: &str, state: &watch::Sender<State>) -> String {
    let state = state.borrow();
    let token = state.accounts.get(account).and_then(|account| account.token.as_ref());
    let ends = token.and_then(|token| token.ends).filter(|ends| *ends > SystemTime::now());
    ends.map_or_else(String::new, |ends| format!(", the one at hand is good until {}", time(ends)))
}

fn time(time: SystemTime) -> humantime::Rfc3339Timestamp {
    humantime::format_rfc3339_seconds(time)
}

fn keep_exchange(account: &str, state: &watch::Sender<State>, exchange: RequestRecord) {
    let (group, code) = (exchange.group.as_ref().map(|group| group.as_str().to_owned()), exchange.outcome.to_string());
    let (endpoint, took) = (exchange.endpoint, exchange.duration);
    debug!(account, group, endpoint = endpoint.as_str(), code, ?took, "asked Atlas");
    let mut ends = None;
    // Not worth a new page: the poll that it belongs to will be.
    state.send_if_modified(|state| {
        ends = state.record_exchange(account, exchange);
        ends.is_some()
    });
    if let Some(ends) = ends {
        tell_ends(account, endpoint, ends);
    }
}

fn tell_ends(account: &str, endpoint: Endpoint, VersionEnds { deprecation, sunset }: VersionEnds) {
    let date = |date: Option<SystemTime>| date.map(|date| time(date).to_string());
    let (endpoint, deprecation, sunset) = (endpoint.as_str(), date(deprecation), date(sunset));
    if deprecation.is_none() && sunset.is_none() {
        info!(account, endpoint, "Atlas announces no end of the API version in use any more");
    } else {
        warn!(
            account,
            endpoint,
            deprecation,
            sunset,
            "Atlas announces the end of the API version in use: with `api_version: v1.0` change to `v2`, else install \
             a newer exporter before the sunset"
        );
    }
}
