//! Whether the credential may be tried: one that Atlas refuses is not hammered.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::MutexGuard as Turn,
    time::{Instant, timeout},
};

use super::{ErrorKind, Reason};

/// The three providers of one group may be refused for a reason of that group's own; one more refusal in a row, with
/// no other answer in between, condemns the credential.
const PATIENCE: u32 = 3;

/// Lets requests pass while the credential is good, one at a time while nobody knows, and one in an interval while it
/// is refused.
pub(super) struct Gate {
    /// For how long a refused credential is left alone.
    interval: Duration,
    /// Whoever tries a credential that is not proven goes first, but not for longer than this: it may be slow for a
    /// reason of its own.
    trial: Duration,
    standing: Mutex<Standing>,
    turn: tokio::sync::Mutex<()>,
}

enum Standing {
    /// Nobody knows yet.
    Unproven,
    /// It was accepted, then refused so many times in a row.
    Accepted { refused: u32 },
    /// It was refused.
    Refused { until: Instant, said: String },
}

/// What an outcome changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Nothing,
    Accepted,
    Refused,
}

impl Gate {
    pub(super) fn new(interval: Duration, trial: Duration) -> Self {
        Self { interval, trial, standing: Mutex::new(Standing::Unproven), turn: tokio::sync::Mutex::default() }
    }

    /// Waits for permission to send a request. While what it returns is held, nobody else tries an unproven credential.
    pub(super) async fn enter(&self) -> Result<Option<Turn<'_, ()>>, ErrorKind> {
        if self.is_open()? {
            return Ok(None);
        }
        let turn = timeout(self.trial, self.turn.lock()).await.ok();
        // Whoever was before us may have learned more.
        Ok(if self.is_open()? { None } else { turn })
    }

    /// Learns from the outcome of a request.
    pub(super) fn judge<T>(&self, outcome: &Result<T, ErrorKind>) -> Verdict {
        let mut standing = self.standing();
        match outcome {
            // A token that could not be minted has a brake of its own.
            Err(ErrorKind::Token(_)) => Verdict::Nothing,
            Err(error) if error.reason() == Reason::Unauthorized => match &mut *standing {
                Standing::Accepted { refused } if *refused < PATIENCE => {
                    *refused += 1;
                    Verdict::Nothing
                }
                Standing::Refused { .. } => Verdict::Nothing,
                _ => {
                    let until = Instant::now() + self.interval;
                    *standing = Standing::Refused { until, said: error.to_string() };
                    Verdict::Refused
                }
            },
            Err(ErrorKind::Answer(answer)) if [Reason::Server, Reason::RateLimited].contains(&answer.reason()) => {
                // Whoever answered so may not have looked at the credential.
                Verdict::Nothing
            }
            Ok(_) | Err(ErrorKind::Answer(_)) => {
                match std::mem::replace(&mut *standing, Standing::Accepted { refused: 0 }) {
                    Standing::Accepted { .. } => Verdict::Nothing,
                    Standing::Unproven | Standing::Refused { .. } => Verdict::Accepted,
                }
            }
            Err(_) => Verdict::Nothing,
        }
    }

    /// The credential is another one now.
    pub(super) fn reopen(&self) {
        *self.standing() = Standing::Unproven;
    }

    fn is_open(&self) -> Result<bool, ErrorKind> {
        let mut standing = self.standing();
        match &*standing {
            Standing::Accepted { refused: 0 } => Ok(true),
            Standing::Accepted { .. } | Standing::Unproven => Ok(false),
            Standing::Refused { until, said } => {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    *standing = Standing::Unproven;
                    return Ok(false);
                }
                Err(ErrorKind::Refused { left, said: said.clone() })
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
    use super::{super::Answer, *};

    const INTERVAL: Duration = Duration::from_secs(60);
    const TRIAL: Duration = Duration::from_secs(1);

    fn answer(status: u16, code: &str) -> Result<(), ErrorKind> {
        let body = format!(r#"{{"errorCode":"{code}"}}"#);
        Err(ErrorKind::Answer(Answer::new(status, body.as_bytes(), None)))
    }

    fn refusal() -> Result<(), ErrorKind> {
        answer(401, "UNEXPECTED_ERROR")
    }

    #[tokio::test(start_paused = true)]
    async fn a_credential_that_was_never_good_is_tried_once_an_interval() {
        let gate = Gate::new(INTERVAL, TRIAL);
        for _ in 0..3 {
            assert!(gate.enter().await.unwrap().is_some(), "a trial");
            assert_eq!(gate.judge(&refusal()), Verdict::Refused);
            let error = gate.enter().await.unwrap_err();
            assert_eq!(error.reason(), Reason::Unauthorized);
            assert!(error.to_string().starts_with("not asked for another 1m"), "{error}");
            tokio::time::sleep(INTERVAL).await;
        }
        assert!(gate.enter().await.is_ok());
        assert_eq!(gate.judge(&Ok(())), Verdict::Accepted);
        assert!(gate.enter().await.unwrap().is_none(), "everybody may pass");
    }

    #[tokio::test(start_paused = true)]
    async fn one_odd_group_does_not_condemn_the_credential() {
        let gate = Gate::new(INTERVAL, TRIAL);
        gate.judge(&Ok(()));
        for _ in 0..5 {
            assert!((0..PATIENCE).all(|_| gate.judge(&refusal()) == Verdict::Nothing));
            assert!(gate.enter().await.is_ok());
            assert_eq!(gate.judge(&answer(401, "NOT_IN_GROUP")), Verdict::Nothing, "this is an acceptance");
        }
        let verdicts: Vec<Verdict> = (0..=PATIENCE).map(|_| gate.judge(&refusal())).collect();
        assert_eq!(verdicts[PATIENCE as usize], Verdict::Refused);
        assert!(gate.enter().await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn who_tries_first_goes_alone_but_not_for_ever() {
        let gate = Gate::new(INTERVAL, TRIAL);
        let first = gate.enter().await.unwrap();
        let begun = Instant::now();
        assert!(gate.enter().await.unwrap().is_none(), "the first is slow");
        assert_eq!(begun.elapsed(), TRIAL);
        drop(first);
        assert!(gate.enter().await.unwrap().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_come_from_the_credential_proves_nothing() {
        let gate = Gate::new(INTERVAL, TRIAL);
        for outcome in [answer(503, ""), answer(429, "RATE_LIMITED"), Err(ErrorKind::Pagination("x"))] {
            assert_eq!(gate.judge(&outcome), Verdict::Nothing);
            assert!(gate.enter().await.unwrap().is_some(), "still a trial");
        }
        assert_eq!(gate.judge(&answer(403, "IP_ADDRESS_NOT_ON_ACCESS_LIST")), Verdict::Accepted);
    }

    #[tokio::test(start_paused = true)]
    async fn another_credential_is_tried_at_once() {
        let gate = Gate::new(INTERVAL, TRIAL);
        gate.judge(&refusal());
        assert!(gate.enter().await.is_err());
        gate.reopen();
        assert!(gate.enter().await.is_ok());
    }
}
