//! Whether the credential may be tried: one that Atlas refuses is not hammered, and one odd group does not make it
//! look refused.

use std::{
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::MutexGuard as Turn,
    time::{Instant, timeout},
};

use crate::{ErrorKind, GroupId, Reason};

/// Lets requests pass while the credential is good, one at a time while nobody knows, and one in an interval while it
/// is refused.
pub(crate) struct Gate {
    /// For how long a refused credential is left alone.
    interval: Duration,
    /// Whoever tries a credential that is not proven goes first, but not for longer than this: it may be slow for a
    /// reason of its own.
    trial: Duration,
    standing: Mutex<Standing>,
    turn: tokio::sync::Mutex<()>,
    /// Whether it was ever accepted or refused for more than one group.
    others: AtomicBool,
    first: OnceLock<GroupId>,
}

/// The group that a request is about, if it is about one.
type About = Option<GroupId>;

enum Standing {
    /// Nobody knows yet.
    Unproven,
    /// It was accepted, and since then refused for one group at the most, which may have a reason of its own.
    Accepted { last: Instant, refused: Option<About> },
    /// It was refused, lastly for this group.
    Refused { until: Instant, about: About, said: String },
}

/// What an outcome changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Nothing,
    Accepted,
    Refused,
}

impl Gate {
    pub(crate) fn new(interval: Duration, trial: Duration) -> Self {
        Self {
            interval,
            trial,
            standing: Mutex::new(Standing::Unproven),
            turn: tokio::sync::Mutex::default(),
            others: AtomicBool::new(false),
            first: OnceLock::new(),
        }
    }

    /// Waits for permission to send a request. While what it returns is held, nobody else tries an unproven credential.
    pub(crate) async fn enter(&self, group: Option<&GroupId>) -> Result<Option<Turn<'_, ()>>, ErrorKind> {
        if let Some(group) = group
            && self.first.get_or_init(|| group.clone()) != group
        {
            self.others.store(true, Ordering::Relaxed);
        }
        if self.is_open(group)? {
            return Ok(None);
        }
        let turn = timeout(self.trial, self.turn.lock()).await.ok();
        // Whoever was before us may have learned more.
        Ok(if self.is_open(group)? { None } else { turn })
    }

    /// Learns from the outcome of a request.
    pub(crate) fn judge<T>(&self, group: Option<&GroupId>, outcome: &Result<T, ErrorKind>) -> Verdict {
        match outcome {
            // A token that could not be minted has a brake of its own.
            Err(ErrorKind::Token(_)) => Verdict::Nothing,
            Err(error) if error.reason() == Reason::Unauthorized => self.refused(group, error),
            // Whoever answered so may not have looked at the credential.
            Err(ErrorKind::ErrorResponse(answer))
                if [Reason::Server, Reason::RateLimited].contains(&answer.reason()) =>
            {
                Verdict::Nothing
            }
            Ok(_) => self.accepted(),
            // Something in between has no such words.
            Err(ErrorKind::ErrorResponse(answer)) if answer.code.is_some() => self.accepted(),
            Err(_) => Verdict::Nothing,
        }
    }

    /// The credential is another one now, and worth a try.
    pub(crate) fn reopen(&self) {
        let mut standing = self.standing();
        if matches!(*standing, Standing::Refused { .. }) {
            *standing = Standing::Unproven;
        }
    }

    fn refused(&self, group: Option<&GroupId>, error: &ErrorKind) -> Verdict {
        let (now, about) = (Instant::now(), group.cloned());
        let mut standing = self.standing();
        match &mut *standing {
            Standing::Refused { until, .. } if *until > now => return Verdict::Nothing,
            Standing::Refused { until, about: last, said } => {
                (*until, *last, *said) = (now + self.pause(), about, error.to_string());
                return Verdict::Nothing;
            }
            // Others are accepted all the time where it is the group's fault.
            Standing::Accepted { last, refused } if *last + self.interval > now => match refused {
                Some(before) if *before != about => {}
                _ => {
                    *refused = Some(about);
                    return Verdict::Nothing;
                }
            },
            Standing::Accepted { .. } | Standing::Unproven => {}
        }
        *standing = Standing::Refused { until: now + self.pause(), about, said: error.to_string() };
        Verdict::Refused
    }

    /// A little less than an interval: the next poll of a target begins an interval after the last one began.
    fn pause(&self) -> Duration {
        self.interval * 9 / 10
    }

    fn accepted(&self) -> Verdict {
        let accepted = Standing::Accepted { last: Instant::now(), refused: None };
        match std::mem::replace(&mut *self.standing(), accepted) {
            Standing::Accepted { .. } => Verdict::Nothing,
            Standing::Unproven | Standing::Refused { .. } => Verdict::Accepted,
        }
    }

    /// Whether everybody may pass; an error if nobody may.
    fn is_open(&self, group: Option<&GroupId>) -> Result<bool, ErrorKind> {
        match &*self.standing() {
            Standing::Accepted { refused, .. } => Ok(refused.is_none()),
            Standing::Unproven => Ok(false),
            Standing::Refused { until, about, said } => {
                // Another group gets the next trial, if there is one: what was refused may be this one alone.
                let is_own = about.as_ref() == group && self.others.load(Ordering::Relaxed);
                let own = if is_own { self.interval / 2 } else { Duration::ZERO };
                let left = (*until + own).saturating_duration_since(Instant::now());
                if left.is_zero() { Ok(false) } else { Err(ErrorKind::Refused { left, said: said.clone() }) }
            }
        }
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        // Nothing panics while it holds the lock.
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::ErrorResponse;

    const INTERVAL: Duration = Duration::from_secs(60);
    const TRIAL: Duration = Duration::from_secs(1);

    fn gate() -> Gate {
        Gate::new(INTERVAL, TRIAL)
    }

    fn group(n: u8) -> GroupId {
        format!("5e57d85c854180642f7844{n:02}").parse().unwrap()
    }

    fn answer(status: u16, code: &str) -> Result<(), ErrorKind> {
        let body = format!(r#"{{"errorCode":"{code}"}}"#);
        Err(ErrorKind::ErrorResponse(ErrorResponse::new(status, body.as_bytes(), None)))
    }

    fn refusal() -> Result<(), ErrorKind> {
        answer(401, "UNEXPECTED_ERROR")
    }

    #[tokio::test(start_paused = true)]
    async fn a_credential_that_was_never_good_is_tried_once_an_interval() {
        let gate = gate();
        for n in 0..4 {
            let (group, other) = (group(n), group(n + 1));
            assert!(gate.enter(Some(&group)).await.unwrap().is_some(), "a trial");
            assert_eq!(gate.judge(Some(&group), &refusal()), if n == 0 { Verdict::Refused } else { Verdict::Nothing });
            gate.judge(Some(&group), &refusal());
            let error = gate.enter(Some(&other)).await.unwrap_err();
            assert_eq!(error.reason(), Reason::Unauthorized);
            assert!(error.to_string().starts_with("not asked for another 54s"), "{error}");
            advance(INTERVAL).await;
        }
        assert!(gate.enter(None).await.is_ok());
        assert_eq!(gate.judge(None, &Ok(())), Verdict::Accepted);
        assert!(gate.enter(None).await.unwrap().is_none(), "everybody may pass");
    }

    #[tokio::test(start_paused = true)]
    async fn one_odd_group_does_not_condemn_the_credential_however_often_it_is_refused() {
        let gate = gate();
        gate.judge(Some(&group(1)), &Ok(()));
        for _ in 0..9 {
            assert_eq!(gate.judge(Some(&group(2)), &refusal()), Verdict::Nothing);
            assert!(gate.enter(Some(&group(1))).await.is_ok());
        }
        advance(INTERVAL / 2).await;
        assert_eq!(gate.judge(Some(&group(1)), &answer(401, "NOT_IN_GROUP")), Verdict::Nothing, "an acceptance");
        assert_eq!(gate.judge(Some(&group(2)), &refusal()), Verdict::Nothing);
    }

    #[tokio::test(start_paused = true)]
    async fn two_groups_that_are_refused_in_a_row_condemn_it() {
        let gate = gate();
        gate.judge(None, &Ok(()));
        assert_eq!(gate.judge(Some(&group(1)), &refusal()), Verdict::Nothing);
        assert_eq!(gate.judge(Some(&group(2)), &refusal()), Verdict::Refused);
        assert!(gate.enter(Some(&group(3))).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn the_only_group_condemns_it_when_nothing_was_accepted_for_an_interval() {
        let gate = gate();
        gate.judge(Some(&group(1)), &Ok(()));
        assert_eq!(gate.judge(Some(&group(1)), &refusal()), Verdict::Nothing);
        advance(INTERVAL).await;
        assert_eq!(gate.judge(Some(&group(1)), &refusal()), Verdict::Refused);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_refusal_another_group_gets_the_next_trial() {
        let gate = gate();
        gate.judge(Some(&group(1)), &refusal());
        assert!(gate.enter(Some(&group(1))).await.is_err());
        assert!(gate.enter(Some(&group(2))).await.is_err());
        advance(INTERVAL).await;
        assert!(gate.enter(Some(&group(1))).await.is_err());
        assert!(gate.enter(Some(&group(2))).await.is_ok());
        advance(INTERVAL / 2).await;
        assert!(gate.enter(Some(&group(1))).await.is_ok(), "there seems to be no other");
    }

    #[tokio::test(start_paused = true)]
    async fn the_only_group_is_tried_again_after_an_interval() {
        let gate = gate();
        gate.judge(Some(&group(1)), &refusal());
        assert!(gate.enter(Some(&group(1))).await.is_err());
        advance(INTERVAL).await;
        assert!(gate.enter(Some(&group(1))).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_tries_first_goes_alone_but_not_for_ever() {
        let gate = gate();
        let first = gate.enter(None).await.unwrap();
        let begun = Instant::now();
        assert!(gate.enter(None).await.unwrap().is_none(), "the first is slow");
        assert_eq!(begun.elapsed(), TRIAL);
        drop(first);
        assert!(gate.enter(None).await.unwrap().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_come_from_the_credential_proves_nothing() {
        let gate = gate();
        for outcome in [answer(503, ""), answer(429, "RATE_LIMITED"), Err(ErrorKind::Pagination("x"))] {
            assert_eq!(gate.judge(None, &outcome), Verdict::Nothing);
            assert!(gate.enter(None).await.unwrap().is_some(), "still a trial");
        }
        assert_eq!(gate.judge(None, &answer(403, "IP_ADDRESS_NOT_ON_ACCESS_LIST")), Verdict::Accepted);
    }

    #[tokio::test(start_paused = true)]
    async fn another_credential_is_tried_at_once() {
        let gate = gate();
        gate.judge(None, &refusal());
        assert!(gate.enter(None).await.is_err());
        gate.reopen();
        assert!(gate.enter(None).await.is_ok());
    }
}
