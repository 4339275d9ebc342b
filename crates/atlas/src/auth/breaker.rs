//! A circuit breaker for the credential: it limits attempts with one that Atlas rejects, and does not open because of
//! groups that reject it for reasons of their own.
//!
//! A single rejection never opens it: a check decides, a request that concerns no group.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::{
    sync,
    time::{Instant, timeout},
};

use crate::{
    error::ErrorKind,
    reason::Reason,
    request::{ClientEvent, EventHandler},
};

/// The longest time for which a client does not use a rejected credential, however rare polls are: Atlas may have
/// rejected it by mistake.
pub const MAX_CREDENTIAL_PAUSE: Duration = Duration::from_secs(60);

/// The least time between two checks, unless polls are more frequent. Meanwhile the last result counts, so that a group
/// that rejects the credential does not cause a check with each request.
const MIN_CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// Lets all requests pass while the credential is accepted, one at a time while it is unproven, and one per pause while
/// it is rejected.
pub(crate) struct CredentialBreaker {
    /// The time between two polls of a listing.
    interval: Duration,
    /// How long other requests wait for a probe or a check. It may be slow for another reason.
    probe_timeout: Duration,
    events: EventHandler,
    inner: Mutex<Inner>,
    probe: sync::Mutex<()>,
}

struct Inner {
    state: State,
    /// When the breaker opened or the credential changed. Responses to earlier requests say nothing.
    since: Instant,
    /// When the latest request was sent that Atlas accepted; at first, when the breaker was made.
    last_accepted: Instant,
    /// When the last check was sent, and what it said.
    last_check: Option<(Instant, Verdict)>,
}

enum State {
    /// The credential is unproven: requests pass one at a time.
    HalfOpen,
    /// Atlas accepts it.
    Closed,
    /// Atlas rejects it.
    Open { until: Instant, message: String },
}

/// What a response says about the credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Atlas accepts it, whatever else it says.
    Accepted,
    /// Atlas rejects it, or only for the subject of the request.
    Rejected,
    /// Nothing.
    Unknown,
}

/// What follows from the rejection of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The subject of the request, such as its group, is the cause.
    Subject,
    /// A check has to decide.
    InDoubt,
    /// The credential, which is not used for now.
    Credential,
}

/// Held by a request that probes an unproven credential, and by a check.
pub(crate) type ProbeGuard<'a> = sync::MutexGuard<'a, ()>;

impl Verdict {
    pub(crate) fn of<T>(result: &Result<T, ErrorKind>) -> Self {
        match result {
            Ok(_) => Self::Accepted,
            Err(error) if error.may_reject_credential() => Self::Rejected,
            Err(ErrorKind::ErrorResponse(response)) => match response.reason() {
                // The server may not have checked the credential.
                Reason::Server | Reason::RateLimited => Self::Unknown,
                // The response may be that of a proxy.
                _ if !response.is_from_atlas => Self::Unknown,
                _ => Self::Accepted,
            },
            // The mint limiter handles a token that could not be minted.
            Err(_) => Self::Unknown,
        }
    }
}

impl CredentialBreaker {
    /// `interval` is the time between two polls of a listing.
    pub(crate) fn new(interval: Duration, probe_timeout: Duration, events: EventHandler) -> Self {
        let now = Instant::now();
        let inner = Inner { state: State::HalfOpen, since: now, last_accepted: now, last_check: None };
        Self { interval, probe_timeout, events, inner: Mutex::new(inner), probe: sync::Mutex::default() }
    }

    /// Waits until a request may be sent. Returns a guard if it is a probe.
    pub(crate) async fn acquire(&self) -> Result<Option<ProbeGuard<'_>>, ErrorKind> {
        if self.is_closed()? {
            return Ok(None);
        }
        let probe = self.wait_for_probe().await;
        // The probe before this one may have changed the state.
        Ok(if self.is_closed()? { None } else { probe })
    }

    /// Waits for the probe or check in flight; `None` if it takes too long.
    pub(crate) async fn wait_for_probe(&self) -> Option<ProbeGuard<'_>> {
        timeout(self.probe_timeout, self.probe.lock()).await.ok()
    }

    /// Atlas accepted a request that was sent at this time.
    pub(crate) fn accepted(&self, sent: Instant) {
        let mut inner = self.inner.lock();
        if sent < inner.since {
            return;
        }
        inner.last_accepted = inner.last_accepted.max(sent);
        if !matches!(std::mem::replace(&mut inner.state, State::Closed), State::Closed) {
            (self.events)(ClientEvent::Accepted);
        }
    }

    /// What follows from this rejection of a request that was sent at this time.
    pub(crate) fn rejected(&self, sent: Instant, error: &ErrorKind) -> Cause {
        let mut inner = self.inner.lock();
        if sent < inner.since {
            return match &inner.state {
                State::Open { .. } => Cause::Credential,
                State::HalfOpen | State::Closed => Cause::Subject,
            };
        }
        if inner.last_accepted > sent {
            return Cause::Subject;
        }
        match inner.last_check.filter(|(checked, _)| checked.elapsed() < MIN_CHECK_INTERVAL.min(self.interval)) {
            Some((_, Verdict::Accepted)) => Cause::Subject,
            Some((_, Verdict::Unknown)) => self.undecided(&mut inner, error),
            Some((_, Verdict::Rejected)) | None => Cause::InDoubt,
        }
    }

    /// A check is about to be sent. Returns the time.
    pub(crate) fn check_sent(&self) -> Instant {
        let now = Instant::now();
        // This remains its result if it is dropped.
        self.inner.lock().last_check = Some((now, Verdict::Unknown));
        now
    }

    /// Records the result of the check that was sent at this time. Returns what follows from the rejection that caused it.
    pub(crate) fn checked<T>(&self, sent: Instant, result: &Result<T, ErrorKind>, rejection: &ErrorKind) -> Cause {
        let verdict = Verdict::of(result);
        let mut inner = self.inner.lock();
        if sent < inner.since {
            return Cause::Subject;
        }
        inner.last_check = Some((sent, verdict));
        match result {
            Err(error) if verdict == Verdict::Rejected => self.open(&mut inner, error, self.pause(), true),
            _ if verdict == Verdict::Unknown => self.undecided(&mut inner, rejection),
            _ => {
                drop(inner);
                self.accepted(sent);
                Cause::Subject
            }
        }
    }

    /// The credential has changed: the next request is a probe.
    pub(crate) fn reset(&self) {
        let mut inner = self.inner.lock();
        (inner.since, inner.last_check) = (Instant::now(), None);
        if matches!(inner.state, State::Open { .. }) {
            inner.state = State::HalfOpen;
        }
    }

    /// The check says nothing. While other requests are accepted, the subject is the cause. Otherwise requests stop for a
    /// short time of random length, so that another subject gets the next probe. Only if no request was accepted for an
    /// interval, the credential counts as rejected.
    fn undecided(&self, inner: &mut Inner, error: &ErrorKind) -> Cause {
        let is_lasting = inner.last_accepted.elapsed() >= self.interval;
        if matches!(inner.state, State::Closed) && !is_lasting {
            return Cause::Subject;
        }
        let pause = self.pause().min(MIN_CHECK_INTERVAL).mul_f64(0.5 + fastrand::f64() / 2.0);
        self.open(inner, error, pause, is_lasting)
    }

    fn open(&self, inner: &mut Inner, error: &ErrorKind, pause: Duration, is_reported: bool) -> Cause {
        let now = Instant::now();
        (inner.since, inner.state) = (now, State::Open { until: now + pause, message: error.to_string() });
        if is_reported {
            let message = format!("{}; {}", error.error_chain(), error.credential_advice());
            (self.events)(ClientEvent::Refused { message });
        }
        Cause::Credential
    }

    /// A little less than an interval: the next poll of a group starts one interval after the start of the last.
    fn pause(&self) -> Duration {
        (self.interval * 9 / 10).min(MAX_CREDENTIAL_PAUSE)
    }

    /// Whether all requests may pass; an error if none may.
    fn is_closed(&self) -> Result<bool, ErrorKind> {
        match &self.inner.lock().state {
            State::Closed => Ok(true),
            State::HalfOpen => Ok(false),
            State::Open { until, message } => {
                let remaining = until.saturating_duration_since(Instant::now());
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
    use std::sync::Arc;

    use tokio::time::advance;

    use super::*;
    use crate::error_response::ErrorResponse;

    const POLL_INTERVAL: Duration = Duration::from_secs(60);
    const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
    const MOMENT: Duration = Duration::from_millis(1);

    /// A breaker and the events that it reported.
    struct Fixture {
        breaker: CredentialBreaker,
        events: Arc<Mutex<Vec<&'static str>>>,
    }

    impl Fixture {
        fn new(interval: Duration) -> Self {
            let events = Arc::<Mutex<Vec<_>>>::default();
            let log = events.clone();
            let handler = move |event| {
                log.lock().push(match event {
                    ClientEvent::Accepted => "accepted",
                    ClientEvent::Refused { .. } => "refused",
                    _ => "other",
                });
            };
            Self { breaker: CredentialBreaker::new(interval, PROBE_TIMEOUT, Arc::new(handler)), events }
        }

        /// The events since the last call.
        fn events(&self) -> Vec<&'static str> {
            std::mem::take(&mut *self.events.lock())
        }

        /// A request that is accepted at once.
        async fn accept(&self) {
            self.breaker.accepted(Instant::now());
            advance(MOMENT).await;
        }

        /// A request that is rejected after a moment, and the check if there is one.
        async fn reject(&self, check: Result<(), ErrorKind>) -> (Cause, bool) {
            let sent = Instant::now();
            advance(MOMENT).await;
            self.reject_sent(sent, check).await
        }

        /// What follows from a rejection, and whether a check decided it.
        async fn reject_sent(&self, sent: Instant, check: Result<(), ErrorKind>) -> (Cause, bool) {
            let rejection = unauthorized().unwrap_err();
            let result = match self.breaker.rejected(sent, &rejection) {
                Cause::InDoubt => {
                    let sent = self.breaker.check_sent();
                    advance(MOMENT).await;
                    (self.breaker.checked(sent, &check, &rejection), true)
                }
                cause => (cause, false),
            };
            advance(MOMENT).await;
            result
        }

        async fn may_send(&self) -> bool {
            self.breaker.acquire().await.is_ok()
        }

        async fn is_probe(&self) -> bool {
            self.breaker.acquire().await.unwrap().is_some()
        }
    }

    fn response(status: u16, code: &str) -> Result<(), ErrorKind> {
        let body = format!(r#"{{"error":{status},"errorCode":"{code}"}}"#);
        Err(ErrorKind::ErrorResponse(ErrorResponse::new(status, body.as_bytes(), None)))
    }

    fn unauthorized() -> Result<(), ErrorKind> {
        response(401, "UNEXPECTED_ERROR")
    }

    fn unavailable() -> Result<(), ErrorKind> {
        response(503, "SERVICE_UNAVAILABLE")
    }

    #[test]
    fn a_response_says_that_the_credential_is_accepted_or_rejected_or_nothing() {
        for (result, expected) in [
            (Ok(()), Verdict::Accepted),
            (unauthorized(), Verdict::Rejected),
            (response(401, "SOMETHING_NEW"), Verdict::Rejected),
            (Err(ErrorKind::ErrorResponse(ErrorResponse::new(401, b"<html>", None))), Verdict::Rejected),
            (Err(ErrorKind::Challenge), Verdict::Rejected),
            (response(401, "NOT_IN_GROUP"), Verdict::Accepted),
            (response(403, "IP_ADDRESS_NOT_ON_ACCESS_LIST"), Verdict::Accepted),
            (response(404, "GROUP_NOT_FOUND"), Verdict::Accepted),
            (Err(ErrorKind::ErrorResponse(ErrorResponse::new(403, b"<html>", None))), Verdict::Unknown),
            (response(429, "RATE_LIMITED"), Verdict::Unknown),
            (unavailable(), Verdict::Unknown),
            (Err(ErrorKind::NoProgress), Verdict::Unknown),
            (Err(ErrorKind::Token(Arc::new(unauthorized().unwrap_err()))), Verdict::Unknown),
        ] {
            assert_eq!(Verdict::of(&result), expected, "{result:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_credential_that_was_never_accepted_is_probed_and_checked_once_per_interval() {
        let fixture = Fixture::new(POLL_INTERVAL);
        for _ in 0..4 {
            assert!(fixture.is_probe().await);
            let (cause, is_checked) = fixture.reject(unauthorized()).await;
            assert!(is_checked && matches!(cause, Cause::Credential), "{cause:?}");
            assert_eq!(fixture.events(), ["refused"]);
            let error = fixture.breaker.acquire().await.unwrap_err();
            assert_eq!((error.reason(), error.is_account_wide()), (Reason::Unauthorized, true));
            assert!(error.to_string().starts_with("the credential was rejected, next attempt in 53s: "), "{error}");
            advance(POLL_INTERVAL).await;
        }
        fixture.accept().await;
        fixture.accept().await;
        assert_eq!(fixture.events(), ["accepted"], "reported once");
        assert!(!fixture.is_probe().await, "all requests pass");
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_interval_does_not_delay_the_next_attempt_by_more_than_a_minute() {
        let fixture = Fixture::new(Duration::from_secs(24 * 3600));
        fixture.reject(unauthorized()).await;
        advance(Duration::from_secs(59)).await;
        assert!(!fixture.may_send().await);
        advance(Duration::from_secs(1)).await;
        assert!(fixture.may_send().await);
    }

    #[tokio::test(start_paused = true)]
    async fn rejections_for_any_groups_do_not_open_the_breaker_if_the_check_is_accepted() {
        for is_at_start in [true, false] {
            let fixture = Fixture::new(POLL_INTERVAL);
            if !is_at_start {
                fixture.accept().await;
            }
            let mut checks = 0;
            for _ in 0..1000 {
                let (cause, is_checked) = fixture.reject(Ok(())).await;
                assert!(matches!(cause, Cause::Subject), "{cause:?}");
                checks += u32::from(is_checked);
                assert!(fixture.may_send().await && !fixture.is_probe().await);
                advance(POLL_INTERVAL / 500).await;
            }
            assert_eq!(fixture.events(), ["accepted"]);
            assert!((11..=13).contains(&checks), "{checks} checks in two minutes");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_accepted_after_the_rejected_one_was_sent_needs_no_check() {
        let fixture = Fixture::new(POLL_INTERVAL);
        let sent = Instant::now();
        advance(MOMENT).await;
        fixture.accept().await;
        let (cause, is_checked) = fixture.reject_sent(sent, unauthorized()).await;
        assert!(matches!(cause, Cause::Subject) && !is_checked);
        assert!(fixture.reject(Ok(())).await.1, "nothing was accepted since");
    }

    #[tokio::test(start_paused = true)]
    async fn responses_to_requests_from_before_a_rejection_change_nothing() {
        let fixture = Fixture::new(POLL_INTERVAL);
        let sent = Instant::now();
        advance(MOMENT).await;
        fixture.reject(unauthorized()).await;
        fixture.breaker.accepted(sent);
        assert!(!fixture.may_send().await);
        let (cause, is_checked) = fixture.reject_sent(sent, Ok(())).await;
        assert!(matches!(cause, Cause::Credential) && !is_checked, "{cause:?}");
        assert_eq!(fixture.events(), ["refused"]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_inconclusive_check_pauses_briefly_until_another_request_is_accepted() {
        let fixture = Fixture::new(POLL_INTERVAL);
        for _ in 0..3 {
            assert!(fixture.is_probe().await);
            assert!(matches!(fixture.reject(unavailable()).await.0, Cause::Credential));
            assert!(!fixture.may_send().await);
            advance(MIN_CHECK_INTERVAL).await;
        }
        assert!(fixture.events().is_empty(), "it may be a group");
        fixture.accept().await;
        let (cause, is_checked) = fixture.reject(unavailable()).await;
        assert!(matches!(cause, Cause::Subject) && is_checked, "others are accepted");
        let (cause, is_checked) = fixture.reject(unavailable()).await;
        assert!(matches!(cause, Cause::Subject) && !is_checked, "the last check is recent");
        advance(POLL_INTERVAL).await;
        assert!(matches!(fixture.reject(unavailable()).await.0, Cause::Credential));
        assert_eq!(fixture.events(), ["accepted", "refused"], "nothing was accepted for an interval");
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_is_dropped_is_inconclusive() {
        let fixture = Fixture::new(POLL_INTERVAL);
        fixture.accept().await;
        fixture.breaker.check_sent();
        let (cause, is_checked) = fixture.reject(unauthorized()).await;
        assert!(matches!(cause, Cause::Subject) && !is_checked, "{cause:?}");
        advance(MIN_CHECK_INTERVAL).await;
        assert!(fixture.reject(unauthorized()).await.1);
    }

    #[tokio::test(start_paused = true)]
    async fn requests_wait_for_a_probe_but_not_longer_than_the_limit() {
        let fixture = Fixture::new(POLL_INTERVAL);
        let probe = fixture.breaker.acquire().await.unwrap();
        let started = Instant::now();
        assert!(!fixture.is_probe().await, "the probe is slow");
        assert_eq!(started.elapsed(), PROBE_TIMEOUT);
        drop(probe);
        assert!(fixture.is_probe().await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_credential_is_probed_immediately_and_judged_by_its_own_requests() {
        let fixture = Fixture::new(POLL_INTERVAL);
        fixture.reject(unauthorized()).await;
        assert!(!fixture.may_send().await);
        let (sent, checked) = (Instant::now(), fixture.breaker.check_sent());
        advance(MOMENT).await;
        fixture.breaker.reset();
        assert!(fixture.is_probe().await);
        fixture.events();
        let rejection = unauthorized().unwrap_err();
        assert!(matches!(fixture.breaker.checked(checked, &unauthorized(), &rejection), Cause::Subject));
        let (cause, is_checked) = fixture.reject_sent(sent, unauthorized()).await;
        assert!(matches!(cause, Cause::Subject) && !is_checked, "{cause:?}");
        fixture.breaker.accepted(sent);
        assert!(fixture.is_probe().await && fixture.events().is_empty(), "these requests had the previous one");
        fixture.accept().await;
        assert!(!fixture.is_probe().await);
    }
}
