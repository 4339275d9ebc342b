//! A circuit breaker for the credential: it limits attempts with one that Atlas rejects, and does not open because of a
//! single group.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    sync,
    time::{Instant, timeout},
};

use crate::{error::ErrorKind, model::id::GroupId, reason::Reason, request::ClientEvent};

/// The longest time for which a rejected credential is not used, however rare polls are: Atlas may have rejected it by
/// mistake.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// Lets all requests pass while the credential is accepted, one at a time while it is unproven, and one per interval
/// while it is rejected.
pub(crate) struct CredentialBreaker {
    /// The time between two polls of a listing.
    interval: Duration,
    /// For how long a rejected credential is not used: a little less than an interval, because the next poll of a group
    /// starts one interval after the start of the last.
    pause: Duration,
    /// How long other requests wait for a probe. It may be slow for another reason.
    probe_timeout: Duration,
    state: Mutex<State>,
    probe: sync::Mutex<()>,
    first_group: OnceLock<GroupId>,
    /// Whether there were requests for more than one group.
    has_other_groups: AtomicBool,
}

/// The group that a request is about, if any.
type Subject = Option<GroupId>;

/// Held while a request probes an unproven credential; other requests wait.
pub(crate) type ProbeGuard<'a> = sync::MutexGuard<'a, ()>;

enum State {
    /// The credential is unproven: requests pass one at a time.
    HalfOpen,
    /// Atlas accepts it. Since then it was rejected for one group at most, which may have a cause of its own.
    Closed { last_accepted: Instant, refused: Option<Subject> },
    /// Atlas rejects it, most recently for this group.
    Open { until: Instant, subject: Subject, message: String },
}

impl CredentialBreaker {
    pub(crate) fn new(interval: Duration, probe_timeout: Duration) -> Self {
        Self {
            interval,
            pause: (interval * 9 / 10).min(MAX_PAUSE),
            probe_timeout,
            state: Mutex::new(State::HalfOpen),
            probe: sync::Mutex::default(),
            first_group: OnceLock::new(),
            has_other_groups: AtomicBool::new(false),
        }
    }

    /// Waits until a request may be sent. Returns a guard if it is a probe.
    pub(crate) async fn acquire(&self, group: Option<&GroupId>) -> Result<Option<ProbeGuard<'_>>, ErrorKind> {
        if let Some(group) = group
            && self.first_group.get_or_init(|| group.clone()) != group
        {
            self.has_other_groups.store(true, Ordering::Relaxed);
        }
        if self.is_closed(group)? {
            return Ok(None);
        }
        let probe = timeout(self.probe_timeout, self.probe.lock()).await.ok();
        // The probe before this one may have changed the state.
        Ok(if self.is_closed(group)? { None } else { probe })
    }

    /// Records the result of a request. Returns the event to report, if the state has changed.
    pub(crate) fn observe<T>(&self, group: Option<&GroupId>, result: &Result<T, ErrorKind>) -> Option<ClientEvent> {
        match result {
            Ok(_) => self.accepted(),
            // The mint limiter handles a token that could not be minted.
            Err(ErrorKind::Token(_)) => None,
            Err(error) if error.reason() == Reason::Unauthorized => self.refused(group, error),
            Err(ErrorKind::ErrorResponse(response)) => match response.reason() {
                // The server may not have checked the credential.
                Reason::Server | Reason::RateLimited => None,
                // An unknown code may mean anything, such as an expired token.
                _ if response.may_reject_credential() => None,
                // The response may be that of a proxy.
                _ if !response.is_from_atlas => None,
                _ => self.accepted(),
            },
            Err(_) => None,
        }
    }

    /// The credential has changed: the next request is a probe.
    pub(crate) fn reset(&self) {
        let mut state = self.state.lock();
        if matches!(*state, State::Open { .. }) {
            *state = State::HalfOpen;
        }
    }

    fn refused(&self, group: Option<&GroupId>, error: &ErrorKind) -> Option<ClientEvent> {
        let (now, subject) = (Instant::now(), group.cloned());
        let mut state = self.state.lock();
        let is_new = match &mut *state {
            State::Open { until, .. } if *until > now => return None,
            State::Open { .. } => false,
            // If only this group rejects the credential, others accept it meanwhile.
            State::Closed { last_accepted, refused } if *last_accepted + self.interval > now => {
                if refused.as_ref().is_none_or(|previous| *previous == subject) {
                    *refused = Some(subject);
                    return None;
                }
                true
            }
            State::Closed { .. } | State::HalfOpen => true,
        };
        *state = State::Open { until: now + self.pause, subject, message: error.to_string() };
        let message = format!("{}; {}", error.error_chain(), error.advice());
        is_new.then_some(ClientEvent::Refused { message })
    }

    fn accepted(&self) -> Option<ClientEvent> {
        let closed = State::Closed { last_accepted: Instant::now(), refused: None };
        match std::mem::replace(&mut *self.state.lock(), closed) {
            State::Closed { .. } => None,
            State::HalfOpen | State::Open { .. } => Some(ClientEvent::Accepted),
        }
    }

    /// Whether all requests may pass; an error if none may.
    fn is_closed(&self, group: Option<&GroupId>) -> Result<bool, ErrorKind> {
        match &*self.state.lock() {
            State::Closed { refused, .. } => Ok(refused.is_none()),
            State::HalfOpen => Ok(false),
            State::Open { until, subject, message } => {
                // Another group gets the next probe, if there is one: only this group may reject the credential.
                let is_repeat = subject.as_ref() == group && self.has_other_groups.load(Ordering::Relaxed);
                let extra = if is_repeat { self.pause / 2 } else { Duration::ZERO };
                let remaining = (*until + extra).saturating_duration_since(Instant::now());
                if !remaining.is_zero() {
                    return Err(ErrorKind::Refused { remaining, message: message.clone() });
                }
                Ok(false)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::error_response::ErrorResponse;

    const POLL_INTERVAL: Duration = Duration::from_secs(60);
    const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

    fn breaker() -> CredentialBreaker {
        CredentialBreaker::new(POLL_INTERVAL, PROBE_TIMEOUT)
    }

    fn group(n: u8) -> GroupId {
        format!("5e57d85c854180642f7844{n:02}").parse().unwrap()
    }

    fn response(status: u16, code: &str) -> Result<(), ErrorKind> {
        let body = format!(r#"{{"error":{status},"errorCode":"{code}"}}"#);
        Err(ErrorKind::ErrorResponse(ErrorResponse::new(status, body.as_bytes(), None)))
    }

    /// Whether Atlas's acceptance is reported.
    fn accept(breaker: &CredentialBreaker, n: u8) -> bool {
        matches!(breaker.observe(Some(&group(n)), &Ok(())), Some(ClientEvent::Accepted))
    }

    /// Whether Atlas's rejection is reported.
    fn refuse(breaker: &CredentialBreaker, n: u8) -> bool {
        let event = breaker.observe(Some(&group(n)), &response(401, "UNEXPECTED_ERROR"));
        matches!(event, Some(ClientEvent::Refused { .. }))
    }

    /// Whether a request may be sent.
    async fn may_send(breaker: &CredentialBreaker, n: u8) -> bool {
        breaker.acquire(Some(&group(n))).await.is_ok()
    }

    async fn is_probe(breaker: &CredentialBreaker, n: u8) -> bool {
        breaker.acquire(Some(&group(n))).await.unwrap().is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn a_credential_that_was_never_accepted_is_probed_once_per_interval() {
        let breaker = breaker();
        for n in 0..4 {
            assert!(is_probe(&breaker, n).await);
            assert_eq!(refuse(&breaker, n), n == 0, "reported once");
            assert!(!refuse(&breaker, n));
            let error = breaker.acquire(Some(&group(n + 1))).await.unwrap_err();
            assert_eq!(error.reason(), Reason::Unauthorized);
            assert!(error.to_string().starts_with("the credential was rejected, next attempt in 54s: "), "{error}");
            advance(POLL_INTERVAL).await;
        }
        assert!(may_send(&breaker, 9).await);
        assert!(accept(&breaker, 9) && !accept(&breaker, 9), "reported once");
        assert!(!is_probe(&breaker, 1).await, "all requests pass");
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_interval_does_not_delay_the_next_attempt_by_more_than_a_minute() {
        let breaker = CredentialBreaker::new(Duration::from_secs(24 * 3600), PROBE_TIMEOUT);
        assert!(refuse(&breaker, 1));
        advance(Duration::from_secs(59)).await;
        assert!(!may_send(&breaker, 2).await);
        advance(Duration::from_secs(1)).await;
        assert!(may_send(&breaker, 2).await);
    }

    #[tokio::test(start_paused = true)]
    async fn repeated_refusals_for_one_group_do_not_open_the_breaker() {
        let breaker = breaker();
        accept(&breaker, 1);
        for _ in 0..9 {
            assert!(!refuse(&breaker, 2) && may_send(&breaker, 1).await);
        }
        advance(POLL_INTERVAL / 2).await;
        assert!(breaker.observe(Some(&group(1)), &response(401, "NOT_IN_GROUP")).is_none(), "this code means accepted");
        assert!(!refuse(&breaker, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_for_two_groups_in_a_row_open_the_breaker() {
        let breaker = breaker();
        accept(&breaker, 0);
        assert!(!refuse(&breaker, 1) && refuse(&breaker, 2));
        assert!(!may_send(&breaker, 3).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_after_an_interval_without_acceptance_opens_the_breaker() {
        let breaker = breaker();
        accept(&breaker, 1);
        assert!(!refuse(&breaker, 1));
        advance(POLL_INTERVAL).await;
        assert!(refuse(&breaker, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn another_group_gets_the_next_probe_if_there_is_one() {
        let breaker = breaker();
        refuse(&breaker, 1);
        assert!(!may_send(&breaker, 1).await);
        advance(POLL_INTERVAL).await;
        assert!(may_send(&breaker, 1).await, "it is the only group");
        refuse(&breaker, 1);
        assert!(!may_send(&breaker, 1).await && !may_send(&breaker, 2).await);
        advance(POLL_INTERVAL).await;
        assert!(!may_send(&breaker, 1).await && may_send(&breaker, 2).await);
        advance(POLL_INTERVAL / 2).await;
        assert!(may_send(&breaker, 1).await, "no other group sends a request");
    }

    #[tokio::test(start_paused = true)]
    async fn requests_wait_for_a_probe_but_not_longer_than_the_limit() {
        let breaker = breaker();
        let probe = breaker.acquire(None).await.unwrap();
        let started = Instant::now();
        assert!(!is_probe(&breaker, 1).await, "the probe is slow");
        assert_eq!(started.elapsed(), PROBE_TIMEOUT);
        drop(probe);
        assert!(is_probe(&breaker, 1).await);
    }

    #[tokio::test(start_paused = true)]
    async fn failures_unrelated_to_the_credential_change_nothing() {
        let breaker = breaker();
        for result in [response(503, ""), response(429, "RATE_LIMITED"), Err(ErrorKind::NoProgress)] {
            assert!(breaker.observe(None, &result).is_none());
            assert!(is_probe(&breaker, 1).await);
        }
        let event = breaker.observe(None, &response(403, "IP_ADDRESS_NOT_ON_ACCESS_LIST"));
        assert!(matches!(event, Some(ClientEvent::Accepted)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_credential_is_probed_immediately() {
        let breaker = breaker();
        refuse(&breaker, 1);
        assert!(!may_send(&breaker, 1).await);
        breaker.reset();
        assert!(may_send(&breaker, 1).await);
    }
}
