//! How often access tokens are minted: never more than a few times a minute, whatever happens.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{ErrorKind, GroupId, Reason};

/// The endpoint allows ten a minute at least, to one address and client; replicas may share both.
const MINTS: usize = 3;

/// So many more where the secret changed: it should be in use at once.
const MORE_MINTS: usize = 2;

const MINUTE: Duration = Duration::from_secs(60);

/// A hundred tokens may live, an hour each, and replicas share them. Two an hour is what a working setup takes.
const TOKENS: usize = 30;

const HOUR: Duration = Duration::from_secs(3600);

/// The first pause after a mint that failed; the next are twice as long each, up to the interval.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// Of which so many may replace one that Atlas refused before its end; the others are for those that end.
const REPLACEMENTS: usize = 20;

/// A token that Atlas refuses for a group before its end is replaced, but not more often for the same group: if the new
/// one is refused too, the token is not to blame.
const REPLACED_AFTER: Duration = Duration::from_secs(300);

/// What keeps mints apart.
pub(crate) struct Brake {
    /// How many may be tried within a minute.
    mints: usize,
    /// Within the last minute.
    tried: VecDeque<Instant>,
    /// Within the last hour.
    minted: VecDeque<Instant>,
    failed_in_a_row: u32,
    /// Until when nothing is tried, and why.
    failure: Option<(Instant, Arc<ErrorKind>)>,
    /// When a token was minted because Atlas refused the one before for such a group.
    replaced: Vec<(Instant, Option<GroupId>)>,
}

impl Default for Brake {
    fn default() -> Self {
        Self {
            mints: MINTS,
            tried: VecDeque::new(),
            minted: VecDeque::new(),
            failed_in_a_row: 0,
            failure: None,
            replaced: Vec::new(),
        }
    }
}

impl Brake {
    /// Another secret is worth another try.
    pub(crate) fn release(&mut self) {
        self.failure = None;
        self.mints = MINTS + MORE_MINTS;
    }

    /// Notes that a mint is tried, unless it is too early for it.
    pub(crate) fn begin(&mut self) -> Result<(), Arc<ErrorKind>> {
        let now = Instant::now();
        if let Some((until, failure)) = &self.failure
            && *until > now
        {
            return Err(failure.clone());
        }
        let left = wait(&mut self.tried, self.mints, MINUTE, now).max(wait(&mut self.minted, TOKENS, HOUR, now));
        if !left.is_zero() {
            let last = self.failure.as_ref().map(|(_, failure)| failure.clone());
            return Err(Arc::new(ErrorKind::MintedTooOften { left, last }));
        }
        self.tried.push_back(now);
        Ok(())
    }

    pub(crate) fn succeeded(&mut self) {
        self.minted.push_back(Instant::now());
        self.mints = MINTS;
        self.failed_in_a_row = 0;
        self.failure = None;
    }

    /// Until the pause is over, everybody who wants a token is told of this failure.
    pub(crate) fn failed(&mut self, error: ErrorKind, interval: Duration) -> Arc<ErrorKind> {
        let growing = FIRST_PAUSE.saturating_mul(1 << self.failed_in_a_row.min(16)).min(interval.max(FIRST_PAUSE));
        let pause = match error.reason() {
            // It will not become right by itself; a change of its file lets it be tried at once.
            Reason::Unauthorized => interval,
            _ => growing.max(error.retry_after().unwrap_or_default()).mul_f64(1.0 + fastrand::f64() / 4.0),
        };
        self.failed_in_a_row += 1;
        let error = Arc::new(error);
        self.failure = Some((Instant::now() + pause, error.clone()));
        error
    }

    /// Whether a token that Atlas refused for the group before its end may be replaced.
    pub(crate) fn may_replace(&mut self, group: Option<&GroupId>) -> bool {
        self.replaced.retain(|(replaced, _)| replaced.elapsed() < REPLACED_AFTER);
        let is_full = !wait(&mut self.minted, REPLACEMENTS, HOUR, Instant::now()).is_zero();
        !is_full && self.replaced.iter().all(|(_, known)| known.as_ref() != group)
    }

    /// It was replaced.
    pub(crate) fn replaced(&mut self, group: Option<&GroupId>) {
        self.replaced.push((Instant::now(), group.cloned()));
    }
}

/// How long until there are fewer than so many within the period.
fn wait(times: &mut VecDeque<Instant>, most: usize, period: Duration, now: Instant) -> Duration {
    while times.front().is_some_and(|time| *time + period <= now) {
        times.pop_front();
    }
    let full = times.len().checked_sub(most).and_then(|over| times.get(over));
    full.map_or(Duration::ZERO, |time| (*time + period).saturating_duration_since(now))
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::ErrorResponse;

    const SECOND: Duration = Duration::from_secs(1);

    fn answer(status: u16, retry_after: Option<u64>) -> ErrorKind {
        ErrorKind::ErrorResponse(ErrorResponse::new(status, b"", retry_after.map(Duration::from_secs)))
    }

    /// Tries every second, and says when it was allowed.
    async fn tries(brake: &mut Brake, seconds: u64, mut outcome: impl FnMut(&mut Brake)) -> Vec<u64> {
        let mut allowed = Vec::new();
        for second in 0..seconds {
            if brake.begin().is_ok() {
                allowed.push(second);
                outcome(brake);
            }
            advance(SECOND).await;
        }
        allowed
    }

    #[tokio::test(start_paused = true)]
    async fn three_are_tried_in_any_minute_whatever_comes_of_them() {
        let allowed = tries(&mut Brake::default(), 122, |brake| drop(brake.failed(answer(500, None), SECOND))).await;
        let within = |from: u64| allowed.iter().filter(|second| (from..from + 60).contains(second)).count();
        assert!((0..62).all(|from| within(from) <= MINTS), "{allowed:?}");
        assert!(allowed.len() >= 6, "{allowed:?}");
        assert_eq!(tries(&mut Brake::default(), 61, Brake::succeeded).await, [0, 1, 2, 60]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_remembered_for_longer_each_time_and_for_as_long_as_atlas_asks() {
        let mut brake = Brake::default();
        let mut waits = Vec::new();
        for _ in 0..6 {
            brake.failed(answer(503, None), MINUTE);
            let until = brake.failure.as_ref().unwrap().0;
            waits.push((until - Instant::now()).as_secs());
        }
        assert!(waits.is_sorted() && waits[0] >= 2 && waits[5] >= 60 && waits[5] <= 75, "{waits:?}");
        brake.failed(answer(429, Some(500)), MINUTE);
        advance(SECOND * 499).await;
        assert_eq!(brake.begin().unwrap_err().reason(), Reason::RateLimited);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_secret_waits_for_an_interval_and_another_one_does_not() {
        let mut brake = Brake::default();
        brake.begin().unwrap();
        brake.failed(answer(401, None), MINUTE);
        advance(SECOND * 59).await;
        assert_eq!(brake.begin().unwrap_err().reason(), Reason::Unauthorized);
        brake.release();
        brake.begin().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn secrets_that_change_all_the_time_do_not_open_the_brake() {
        let mut brake = Brake::default();
        let mut allowed = 0;
        for _ in 0..59 {
            brake.release();
            allowed += usize::from(brake.begin().is_ok());
            brake.failed(answer(401, None), MINUTE);
            advance(SECOND).await;
        }
        assert_eq!(allowed, MINTS + MORE_MINTS);
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_that_end_at_once_do_not_fill_the_hundred_that_may_live() {
        let minted = tries(&mut Brake::default(), 3600, Brake::succeeded).await;
        assert_eq!(minted.len(), TOKENS);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_replaced_once_in_five_minutes_for_the_same_group_and_at_once_for_another() {
        let mut brake = Brake::default();
        let [odd, other] = ["5e57d85c854180642f784401", "5e57d85c854180642f784402"].map(|id| id.parse().unwrap());
        assert!(brake.may_replace(Some(&odd)));
        brake.replaced(Some(&odd));
        advance(SECOND * 299).await;
        assert!(!brake.may_replace(Some(&odd)) && brake.may_replace(Some(&other)) && brake.may_replace(None));
        advance(SECOND).await;
        assert!(brake.may_replace(Some(&odd)));
    }

    #[tokio::test(start_paused = true)]
    async fn replacements_leave_some_tokens_of_the_hour_for_those_that_end() {
        let mut brake = Brake::default();
        tries(&mut brake, 1200, |brake| {
            if brake.may_replace(None) {
                brake.succeeded();
            }
        })
        .await;
        assert_eq!(brake.minted.len(), REPLACEMENTS);
        assert!(!brake.may_replace(None));
        assert!(brake.begin().is_ok());
    }
}
