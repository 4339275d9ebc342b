//! Records the events of clients in the state, and logs them and the changes of listings and groups.

use std::{sync::Arc, time::SystemTime};

use tracing::{debug, error, info, warn};

use super::{
    log_limiter::{LineKind, LogLimiter},
    rate_limit::RateLimitBackoffs,
};
use crate::state::{ClientIdentity, DiscoveryEvent, DropCause, ListingEvent, ListingKey, SharedState, State};
use atlas::{ClientEvent, GroupId, Peering, Reason, RequestRecord};

/// If a discovery adds more projects than this, one line covers all.
const MAX_PROJECT_LINES: usize = 10;

/// Handles the events of an account's client. Once a reload has replaced it or removed the account, only its requests
/// and its tokens are of interest: they are still sent and minted.
pub(super) fn handler(
    account: String,
    client: ClientIdentity,
    state: SharedState,
    backoffs: Arc<RateLimitBackoffs>,
) -> impl Fn(ClientEvent) + Send + Sync + 'static {
    move |event| match event {
        ClientEvent::Request(request) => {
            backoffs.observe(&request);
            record_request(&account, &client, &state, request);
        }
        event => {
            let record = |state: &mut State| {
                let account = state.accounts.get_mut(&account).filter(|account| account.client == client)?;
                Some(account.record_client_event(&event))
            };
            let is_token = matches!(event, ClientEvent::Minted { .. } | ClientEvent::Revoked);
            if state.update(record).unwrap_or(is_token) {
                log_client_event(&account, &state, event);
            }
        }
    }
}

fn log_client_event(account: &str, state: &SharedState, event: ClientEvent) {
    match event {
        ClientEvent::Request(_) => {}
        ClientEvent::Minted { expires } => info!(account, "access token minted, valid until {}", time(expires)),
        ClientEvent::Revoked => info!(account, "access token revoked"),
        ClientEvent::MintFailed { reason, message } => {
            let current = state.read().accounts.get(account).and_then(|account| account.token.as_ref()?.valid_until());
            let current = current.filter(|expires| *expires > SystemTime::now());
            let note = current.map(|expires| format!(", the current one is valid until {}", time(expires)));
            let note = note.unwrap_or_default();
            error!(account, reason = reason.as_str(), "access token not minted{note}: {message}");
        }
        ClientEvent::Refused { message } => {
            let reason = Reason::Unauthorized.as_str();
            error!(account, reason, "credential rejected, all polls of the account fail: {message}");
        }
        ClientEvent::Accepted => info!(account, "credential accepted"),
        ClientEvent::SecretChanged => info!(account, "credential file changed, using its new content"),
        ClientEvent::SecretUnreadable { message } => {
            warn!(account, "credential file unusable, using its previous content: {message}");
        }
        ClientEvent::SecretReadable => info!(account, "credential files readable again"),
    }
}

fn time(time: SystemTime) -> humantime::Rfc3339Timestamp {
    humantime::format_rfc3339_seconds(time)
}

fn record_request(account: &str, client: &ClientIdentity, state: &SharedState, request: RequestRecord) {
    let (endpoint, group) = (request.endpoint, request.group.as_ref().map(GroupId::as_str));
    debug!(account, group, endpoint = endpoint.as_str(), code = %request.outcome, took = ?request.duration, "request to Atlas");
    // The poll that sent the request publishes the state.
    let record = |state: &mut State| {
        let is_current = state.is_client_of(account, client);
        let request =
            if is_current { request } else { RequestRecord { rate_limit: None, version_ends: None, ..request } };
        state.record_request(account, request)
    };
    let Some(ends) = state.update_quietly(record) else { return };
    let endpoint = endpoint.as_str();
    let [deprecation, sunset] = [ends.deprecation, ends.sunset].map(|date| date.map(|date| time(date).to_string()));
    if deprecation.is_none() && sunset.is_none() {
        info!(account, endpoint, "API version no longer deprecated");
    } else {
        warn!(
            account,
            endpoint,
            deprecation,
            sunset,
            "API version deprecated by Atlas: if the config has `api_version: v1.0`, set `v2`; otherwise install a \
             newer exporter before the sunset"
        );
    }
}

/// Logs a change of a listing.
pub(super) fn log_listing(
    account: &str,
    key: &ListingKey,
    group_name: &str,
    limiter: &LogLimiter,
    event: ListingEvent,
) {
    let (group, provider) = (key.group.as_str(), key.provider.as_str());
    macro_rules! log {
        ($level:ident, $($rest:tt)+) => { $level!(account, group, group_name, provider, $($rest)+) };
    }
    // Suppressed lines remain available at the level `debug`.
    macro_rules! log_if {
        ($level:ident, $is_logged:expr, $($rest:tt)+) => {
            if $is_logged { log!($level, $($rest)+) } else { log!(debug, $($rest)+) }
        };
    }
    match event {
        ListingEvent::Failing(failure) => {
            let (reason, advice) = (failure.reason.as_str(), failure.advice);
            // An account-wide failure has a line of its own.
            let is_logged = !failure.is_account_wide && limiter.allow(LineKind::Failing(reason));
            log_if!(warn, is_logged, reason, "polls failing: {}; {advice}", failure.message);
        }
        ListingEvent::Recovered { failed, is_account_wide } => {
            let is_logged = !is_account_wide && limiter.allow(LineKind::Recovered);
            log_if!(info, is_logged, failed, "polls recovered");
        }
        ListingEvent::GroupMissing => {}
        ListingEvent::Dropped { peerings, cause } => {
            let cause = match cause {
                DropCause::GroupMissing => "Atlas reports that the project does not exist",
                DropCause::Stale => "no successful poll within `poll.max_staleness`",
            };
            log_if!(error, limiter.allow(LineKind::Dropped), peerings, "stopped exporting peerings: {cause}");
        }
        ListingEvent::Emptied(peerings) => log!(warn, peerings, "all peerings removed"),
        ListingEvent::Duplicates(duplicates) => {
            log!(warn, duplicates, "peerings listed more than once; each is counted once");
        }
        ListingEvent::Unavailable(Peering { vpc_id, id, status, error, .. }) => {
            log!(info, vpc_id, peering_id = id, to = status, error, "peering not available");
        }
        ListingEvent::Added(Peering { vpc_id, id, status, error, .. }) => {
            log!(info, vpc_id, peering_id = id, to = status, error, "peering added");
        }
        ListingEvent::Removed(Peering { vpc_id, id, status, .. }) => {
            log!(warn, vpc_id, peering_id = id, from = status, "peering removed");
        }
        ListingEvent::Moved { from, to: Peering { vpc_id, id, status, .. } } => {
            log!(info, vpc_id, previous_vpc_id = from, peering_id = id, to = status, "peering network changed");
        }
        ListingEvent::Changed { from, to: Peering { vpc_id, id, status, error, .. } } => {
            log!(info, vpc_id, peering_id = id, from, to = status, error, "peering changed");
        }
    }
}

/// Logs that an account has too many listings for its permits.
pub(super) fn log_missing_permits(account: &str, listings: usize, needed: usize, concurrency: usize) {
    warn!(
        account,
        listings,
        needed,
        concurrency,
        "too many listings for `poll.concurrency`: polls will start late and may fail; raise it or `poll.interval`"
    );
}

/// Logs how many lines of each kind were suppressed since the last call.
pub(super) fn log_suppressed(account: &str, limiter: &LogLimiter) {
    for (kind, listings) in limiter.take_suppressed() {
        match kind {
            LineKind::Failing(reason) => warn!(account, reason, listings, "polls failing for more listings"),
            LineKind::Recovered => info!(account, listings, "polls recovered for more listings"),
            LineKind::Dropped => error!(account, listings, "stopped exporting peerings of more listings"),
        }
    }
}

/// Logs what a discovery changed.
pub(super) fn log_discovery(account: &str, events: Vec<DiscoveryEvent>) {
    let added = events.iter().filter(|event| matches!(event, DiscoveryEvent::GroupAdded(..))).count();
    if added > MAX_PROJECT_LINES {
        info!(account, groups = added, "projects added");
    }
    for event in events {
        match event {
            DiscoveryEvent::Failing(failure) => {
                let (reason, advice) = (failure.reason.as_str(), failure.advice);
                warn!(account, reason, "discovery failing, keeping the known projects: {}; {advice}", failure.message);
            }
            DiscoveryEvent::Recovered(failed) => info!(account, failed, "discovery recovered"),
            DiscoveryEvent::GroupAdded(..) if added > MAX_PROJECT_LINES => {}
            DiscoveryEvent::GroupAdded(group, name) => {
                info!(account, group = group.as_str(), group_name = name, "project added");
            }
            DiscoveryEvent::GroupRemoved { account, id, name } => {
                warn!(account, group = id.as_str(), group_name = name, "project removed: Atlas no longer lists it");
            }
            DiscoveryEvent::GroupUnlisted(group, name) => {
                let group = group.as_str();
                warn!(account, group, group_name = name, "project removed: neither in the config nor discovered");
            }
            DiscoveryEvent::Unconfirmed { missing, known } => warn!(
                account,
                missing,
                known,
                "more than half of the projects missing, keeping them until the next discovery confirms it"
            ),
            DiscoveryEvent::NoGroups => error!(
                account,
                "no project to poll: the credential sees none, `discover` selects none, or another account polls them"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use super::*;
    use crate::state::{AccountState, TokenState};
    use atlas::{Endpoint, Outcome, RateLimit, VersionEnds};

    const POLL_INTERVAL: Duration = Duration::from_secs(60);

    fn state(client: &ClientIdentity) -> SharedState {
        let token = Some(TokenState::default());
        let account = AccountState { client: client.clone(), token, ..AccountState::default() };
        let accounts = BTreeMap::from([("main".to_owned(), account)]);
        SharedState::new(State::new(POLL_INTERVAL, POLL_INTERVAL, SystemTime::now(), accounts, BTreeMap::new(), []))
    }

    fn handler_of(account: &str, client: &ClientIdentity, state: &SharedState) -> impl Fn(ClientEvent) {
        let backoffs = Arc::new(RateLimitBackoffs::new(POLL_INTERVAL));
        handler(account.to_owned(), client.clone(), state.clone(), backoffs)
    }

    /// Every event but [`ClientEvent::Request`].
    fn verdicts() -> Vec<ClientEvent> {
        let message = String::new;
        vec![
            ClientEvent::Refused { message: message() },
            ClientEvent::Accepted,
            ClientEvent::Minted { expires: SystemTime::now() },
            ClientEvent::MintFailed { reason: Reason::Unauthorized, message: message() },
            ClientEvent::SecretUnreadable { message: message() },
            ClientEvent::SecretReadable,
            ClientEvent::SecretChanged,
            ClientEvent::Revoked,
        ]
    }

    fn request() -> ClientEvent {
        ClientEvent::Request(RequestRecord {
            endpoint: Endpoint::Groups,
            group: None,
            outcome: Outcome::Status(200),
            duration: Duration::ZERO,
            rate_limit: Some(RateLimit { limit: 500, remaining: 0 }),
            retry_after: None,
            version_ends: Some(VersionEnds { sunset: Some(SystemTime::now()), ..VersionEnds::default() }),
        })
    }

    /// What the events of a client say about the account.
    fn account(state: &SharedState) -> String {
        format!("{:?}", state.read().accounts.get("main"))
    }

    #[test]
    fn late_events_of_a_replaced_client_change_nothing_but_the_count_of_requests() {
        let (current, replaced) = (ClientIdentity::default(), ClientIdentity::default());
        for [before, late] in
            verdicts().into_iter().flat_map(|one| verdicts().into_iter().map(move |other| [one.clone(), other]))
        {
            let state = state(&current);
            handler_of("main", &current, &state)(before);
            let expected = account(&state);
            handler_of("main", &replaced, &state)(late.clone());
            assert_eq!(account(&state), expected, "{late:?}");
        }
        let state = state(&current);
        handler_of("main", &replaced, &state)(request());
        let state = state.read();
        assert_eq!(state.api[&("main".to_owned(), Endpoint::Groups)].requests[&Outcome::Status(200)], 1);
        assert!(state.rate_limits.is_empty() && state.version_ends.is_empty());
    }

    #[test]
    fn late_events_of_a_removed_account_change_nothing() {
        let (state, removed) = (state(&ClientIdentity::default()), ClientIdentity::default());
        let expected = account(&state);
        for event in verdicts().into_iter().chain([request()]) {
            handler_of("removed", &removed, &state)(event);
        }
        assert_eq!(account(&state), expected);
        let state = state.read();
        assert!(state.accounts.len() == 1 && state.api.is_empty() && state.rate_limits.is_empty());
    }
}
