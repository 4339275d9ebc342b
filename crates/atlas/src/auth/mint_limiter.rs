//! Limits how often access tokens are minted.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{backoff::Backoff, error::ErrorKind, model::id::GroupId, reason::Reason};

/// Attempts per minute. The endpoint allows at least ten per address and client; replicas may share both.
const ATTEMPTS_PER_MINUTE: usize = 3;

/// Additional attempts per minute after the secret has changed, so that the new one is used immediately.
const EXTRA_AFTER_ROTATION: usize = 2;

const MINUTE: Duration = Duration::from_secs(60);

/// At most a hundred tokens may be valid. Each is valid for an hour, and replicas share the limit. Normally two per hour are
/// minted.
const TOKENS_PER_HOUR: usize = 30;

const HOUR: Duration = Duration::from_secs(3600);

/// The delay after the first failure. Each further delay is twice as long, up to the interval.
const FIRST_MINT_DELAY: Duration = Duration::from_secs(2);

/// How many of [`TOKENS_PER_HOUR`] may replace a token that Atlas rejected before it expired. The rest is for renewal.
const REPLACEMENTS_PER_HOUR: usize = 20;

/// A rejected token is replaced only once within this time for the same group: if the new one is rejected too, the token
/// is not the cause.
const REPLACEMENT_INTERVAL: Duration = Duration::from_secs(300);

/// A sliding window per minute and per hour, with a back-off after failures.
pub(crate) struct MintLimiter {
    /// The delay after a rejected secret, and the longest after other failures unless Atlas asks for more.
    max_delay: Duration,
    attempts_per_minute: usize,
    /// Within the last minute.
    attempts: VecDeque<Instant>,
    /// Within the last hour.
    minted: VecDeque<Instant>,
    backoff: Backoff,
    /// The last failure, and until when the next attempt must wait.
    failure: Option<(Instant, Arc<ErrorKind>)>,
    /// When a token was replaced because Atlas rejected it for this group.
    replacements: Vec<(Instant, Option<GroupId>)>,
}

impl MintLimiter {
    /// `interval` is the time between two polls. Delays are not longer than that, nor than a minute.
    pub(crate) fn new(interval: Duration) -> Self {
        Self {
            max_delay: interval.min(MINUTE),
            attempts_per_minute: ATTEMPTS_PER_MINUTE,
            attempts: VecDeque::new(),
            minted: VecDeque::new(),
            backoff: Backoff::new(FIRST_MINT_DELAY, interval.min(MINUTE)),
            failure: None,
            replacements: Vec::new(),
        }
    }

    /// The secret has changed: allows an attempt immediately.
    pub(crate) fn reset(&mut self) {
        self.failure = None;
        self.attempts_per_minute = ATTEMPTS_PER_MINUTE + EXTRA_AFTER_ROTATION;
    }

    /// Records an attempt, or returns why it must wait.
    pub(crate) fn try_acquire(&mut self) -> Result<(), Arc<ErrorKind>> {
        let now = Instant::now();
        if let Some((until, failure)) = &self.failure
            && *until > now
        {
            return Err(failure.clone());
        }
        let minute = time_to_wait(&mut self.attempts, self.attempts_per_minute, MINUTE, now);
        let remaining = minute.max(time_to_wait(&mut self.minted, TOKENS_PER_HOUR, HOUR, now));
        if !remaining.is_zero() {
            let last = self.failure.as_ref().map(|(_, failure)| failure.clone());
            return Err(Arc::new(ErrorKind::MintLimit { remaining, last }));
        }
        self.attempts.push_back(now);
        Ok(())
    }

    pub(crate) fn succeeded(&mut self) {
        self.minted.push_back(Instant::now());
        self.attempts_per_minute = ATTEMPTS_PER_MINUTE;
        self.backoff.reset();
        self.failure = None;
    }

    /// Until the delay is over, `try_acquire` returns this failure.
    pub(crate) fn failed(&mut self, error: ErrorKind) -> Arc<ErrorKind> {
        let delay = self.backoff.next_delay();
        let delay = match error.reason() {
            // Only a change of the secret can help, which calls `reset`.
            Reason::Unauthorized => self.max_delay,
            _ => delay.max(error.retry_after().unwrap_or_default()).mul_f64(1.0 + fastrand::f64() / 4.0),
        };
        let error = Arc::new(error);
        self.failure = Some((Instant::now() + delay, error.clone()));
        error
    }

    /// Whether a token that Atlas rejected for the group before it expired may be replaced.
    pub(crate) fn may_replace(&mut self, group: Option<&GroupId>) -> bool {
        self.replacements.retain(|(replaced, _)| replaced.elapsed() < REPLACEMENT_INTERVAL);
        let wait = time_to_wait(&mut self.minted, REPLACEMENTS_PER_HOUR, HOUR, Instant::now());
        wait.is_zero() && self.replacements.iter().all(|(_, other)| other.as_ref() != group)
    }

    pub(crate) fn replaced(&mut self, group: Option<&GroupId>) {
        self.replacements.push((Instant::now(), group.cloned()));
    }
}

/// The time until there are fewer than `limit` within the period.
fn time_to_wait(times: &mut VecDeque<Instant>, limit: usize, period: Duration, now: Instant) -> Duration {
    while times.front().is_some_and(|time| *time + period <= now) {
        times.pop_front();
    }
    let full = times.len().checked_sub(limit).and_then(|over| times.get(over));
    full.map_or(Duration::ZERO, |time| (*time + period).saturating_duration_since(now))
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::error_response::ErrorResponse;

    fn response(status: u16, retry_after: Option<u64>) -> ErrorKind {
        ErrorKind::ErrorResponse(ErrorResponse::new(status, b"", retry_after.map(Duration::from_secs)))
    }

    /// Attempts to mint every second; returns the seconds at which it was allowed.
    async fn attempts(limiter: &mut MintLimiter, period: u64, mut outcome: impl FnMut(&mut MintLimiter)) -> Vec<u64> {
        let mut allowed = Vec::new();
        for second in 0..period {
            if limiter.try_acquire().is_ok() {
                allowed.push(second);
                outcome(limiter);
            }
            advance(Duration::from_secs(1)).await;
        }
        allowed
    }

    #[tokio::test(start_paused = true)]
    async fn three_attempts_per_minute_are_allowed_regardless_of_their_outcome() {
        let mut limiter = MintLimiter::new(Duration::from_secs(1));
        let fail = |limiter: &mut MintLimiter| drop(limiter.failed(response(500, None)));
        let allowed = attempts(&mut limiter, 122, fail).await;
        let within = |from: u64| allowed.iter().filter(|second| (from..from + 60).contains(second)).count();
        assert!((0..62).all(|from| within(from) <= ATTEMPTS_PER_MINUTE), "{allowed:?}");
        assert!(allowed.len() >= 6, "{allowed:?}");
        assert_eq!(attempts(&mut MintLimiter::new(MINUTE), 61, MintLimiter::succeeded).await, [0, 1, 2, 60]);
    }

    #[tokio::test(start_paused = true)]
    async fn delays_grow_with_each_failure_and_are_at_least_retry_after() {
        let mut limiter = MintLimiter::new(MINUTE);
        let mut delays = Vec::new();
        for _ in 0..6 {
            limiter.failed(response(503, None));
            let until = limiter.failure.as_ref().unwrap().0;
            delays.push((until - Instant::now()).as_secs());
        }
        assert!(delays.is_sorted() && delays[0] >= 2 && delays[5] >= 60 && delays[5] <= 75, "{delays:?}");
        limiter.failed(response(429, Some(500)));
        advance(Duration::from_secs(499)).await;
        assert_eq!(limiter.try_acquire().unwrap_err().reason(), Reason::RateLimited);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rejected_secret_is_tried_again_after_a_minute_however_long_the_interval_is() {
        let mut limiter = MintLimiter::new(HOUR * 24);
        limiter.failed(response(401, None));
        advance(Duration::from_secs(59)).await;
        assert!(limiter.try_acquire().is_err());
        advance(Duration::from_secs(1)).await;
        assert!(limiter.try_acquire().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn frequent_changes_of_the_secret_do_not_lift_the_limit() {
        let mut limiter = MintLimiter::new(MINUTE);
        let mut allowed = 0;
        for _ in 0..59 {
            limiter.reset();
            allowed += usize::from(limiter.try_acquire().is_ok());
            limiter.failed(response(401, None));
            advance(Duration::from_secs(1)).await;
        }
        assert_eq!(allowed, ATTEMPTS_PER_MINUTE + EXTRA_AFTER_ROTATION);
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_that_expire_immediately_stay_within_the_limit_per_hour() {
        let minted = attempts(&mut MintLimiter::new(MINUTE), 3600, MintLimiter::succeeded).await;
        assert_eq!(minted.len(), TOKENS_PER_HOUR);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_replaced_once_in_five_minutes_for_each_group() {
        let mut limiter = MintLimiter::new(MINUTE);
        let [refusing, other] = ["5e57d85c854180642f784401", "5e57d85c854180642f784402"].map(|id| id.parse().unwrap());
        assert!(limiter.may_replace(Some(&refusing)));
        limiter.replaced(Some(&refusing));
        advance(Duration::from_secs(299)).await;
        assert!(
            !limiter.may_replace(Some(&refusing)) && limiter.may_replace(Some(&other)) && limiter.may_replace(None)
        );
        advance(Duration::from_secs(1)).await;
        assert!(limiter.may_replace(Some(&refusing)));
    }

    #[tokio::test(start_paused = true)]
    async fn replacements_leave_tokens_of_the_hour_for_renewal() {
        let mut limiter = MintLimiter::new(MINUTE);
        attempts(&mut limiter, 1200, |limiter| {
            if limiter.may_replace(None) {
                limiter.succeeded();
            }
        })
        .await;
        assert_eq!(limiter.minted.len(), REPLACEMENTS_PER_HOUR);
        assert!(!limiter.may_replace(None));
        assert!(limiter.try_acquire().is_ok());
    }
}
