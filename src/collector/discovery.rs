//! Discovers the groups of one account.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_util::FutureExt;
use tokio::time::{Instant, sleep_until};

use super::{context::AccountContext, events, rate_limit::Bucket};
use crate::{
    config::Discover,
    state::{Failure, SelectedGroups},
};
use atlas::{Backoff, MAX_CREDENTIAL_PAUSE, Reason};

/// Retries of a page after a transient failure.
const PAGE_RETRIES: u32 = 3;

/// Jitter of the interval, as a fraction in either direction, so that exporters do not synchronize.
const JITTER: f64 = 0.1;

/// When the next discovery is due.
struct DiscoverySchedule {
    interval: Duration,
    /// At the pace of polls.
    urgent: Duration,
    backoff: Backoff,
}

impl DiscoverySchedule {
    fn new(interval: Duration, poll_interval: Duration) -> Self {
        let urgent = interval.min(poll_interval);
        // With its jitter, it is no longer than the interval.
        let longest = interval.div_f64(1.0 + JITTER);
        Self { interval, urgent, backoff: Backoff::new(urgent.min(longest), longest) }
    }

    /// How long after the start of a discovery the next one is due, without jitter.
    fn next_delay(&mut self, has_failed: bool, is_settled: bool, has_groups: bool) -> Duration {
        if !has_failed {
            self.backoff.reset();
            return if is_settled { self.interval } else { self.urgent };
        }
        // An account that polls nothing recovers within a poll interval.
        if has_groups { self.backoff.next_delay() } else { self.urgent }
    }
}

/// Discovers each interval, earlier when a group may be missing, and with a back-off after failures.
pub(super) async fn run(context: Arc<AccountContext>, discover: Discover) {
    let AccountContext { account, poll, backoffs, rediscover, discovered, state, .. } = &*context;
    let mut schedule = DiscoverySchedule::new(discover.interval, poll.interval);
    loop {
        // This discovery answers every request until now.
        rediscover.notified().now_or_never();
        let started = Instant::now();
        set_due(&context, started);
        let failure = discover_once(&context, &discover).await;
        discovered.notify_one();
        let delay = {
            let state = state.read();
            schedule.next_delay(failure.is_some(), state.is_settled(&account.name), state.has_groups(&account.name))
        };
        let due = started + delay.mul_f64(1.0 - JITTER + 2.0 * JITTER * fastrand::f64());
        let is_rate_limited = failure.as_ref().is_some_and(|failure| failure.reason == Reason::RateLimited.into());
        let remaining = backoffs.remaining(&Bucket::Groups).filter(|_| is_rate_limited);
        let due = remaining.map_or(due, |remaining| due.min(Instant::now() + remaining));
        let is_account_wide = failure.as_ref().is_some_and(|failure| failure.is_account_wide);
        let due = if is_account_wide { due.min(Instant::now() + MAX_CREDENTIAL_PAUSE) } else { due };
        set_due(&context, due);
        tokio::select! {
            () = sleep_until(due) => {}
            () = rediscover.notified(), if failure.is_none() => sleep_until(due.min(started + poll.interval)).await,
        }
    }
}

/// Lets the stall detection see a discovery that does not happen.
fn set_due(context: &AccountContext, due: Instant) {
    context.state.update_quietly(|state| {
        if let Some(discovery) = state.discovery_mut(&context.account.name) {
            discovery.due = Some(due.into_std());
        }
    });
}

/// Discovers once. Returns why that failed, if it did.
pub(super) async fn discover_once(context: &AccountContext, discover: &Discover) -> Option<Failure> {
    let AccountContext { account, poll, shard, client, backoffs, state, .. } = context;
    let outcome = match backoffs.remaining(&Bucket::Groups) {
        None => {
            let found = client.list_groups(discover.organization.as_ref(), poll.deadline, PAGE_RETRIES).await;
            found.map_err(|error| Failure::from(&error))
        }
        Some(remaining) => {
            let seconds = remaining.as_secs();
            let message = format!("no request sent: the list of projects is rate limited for another {seconds} s");
            Err(Failure::without_request(Reason::RateLimited, message))
        }
    };
    let failure = outcome.as_ref().err().cloned();
    let selected = outcome.map(|mut groups| {
        groups.retain(|group| discover.selects(group));
        let selected = groups.len();
        groups.retain(|group| shard.owns(group.id.as_str()));
        SelectedGroups { elsewhere: selected - groups.len(), owned: groups }
    });
    let (now, wall) = (Instant::now().into_std(), SystemTime::now());
    let changes = state.update(|state| state.record_discovery(&account.name, selected, &discover.providers, now, wall));
    events::log_discovery(&account.name, changes);
    failure
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tokio::time::sleep;

    use super::*;
    use crate::{collector::initial_state::initial_state, config::Config, shard::Shard, state::SharedState};

    const MINUTE: Duration = Duration::from_secs(60);

    fn schedule(interval: Duration) -> DiscoverySchedule {
        DiscoverySchedule::new(interval, MINUTE)
    }

    #[test]
    fn failures_back_off_up_to_the_interval_and_a_success_resets_that() {
        let mut schedule = schedule(MINUTE * 10);
        let failed = |schedule: &mut DiscoverySchedule| schedule.next_delay(true, true, true).as_secs();
        let delays: Vec<_> = (0..6).map(|_| failed(&mut schedule)).collect();
        assert_eq!(delays, [60, 120, 240, 480, 545, 545]);
        assert_eq!(schedule.next_delay(false, true, true), MINUTE * 10);
        assert_eq!(failed(&mut schedule), 60);
        assert_eq!(schedule.next_delay(false, false, true), MINUTE, "a group may be missing");
    }

    #[test]
    fn an_account_that_polls_nothing_does_not_back_off() {
        let mut schedule = schedule(MINUTE * 10);
        assert!((0..9).all(|_| schedule.next_delay(true, false, false) == MINUTE));
        assert_eq!(schedule.next_delay(true, true, true), MINUTE, "nor did these count");
    }

    #[test]
    fn an_interval_below_that_of_polls_bounds_the_delay_of_failures() {
        let mut schedule = schedule(MINUTE / 2);
        let longest = (MINUTE / 2).mul_f64(1.0 / 1.1);
        assert!((0..9).all(|_| schedule.next_delay(true, true, true).abs_diff(longest) < MINUTE / 1000));
    }

    /// The delays between discoveries that all fail, while others request discoveries all the time.
    async fn delays_of_failures(groups: &str) -> Vec<Duration> {
        // Nothing listens there.
        let text = format!(
            "accounts: [{{base_url: 'http://127.0.0.1:1', allow_http: true, public_key: a, private_key_env: KEY,
              discover: {{interval: 10m}}{groups}}}]"
        );
        let config = Config::parse(&text, Path::new(""), &|_| Some("key".to_owned())).unwrap();
        let state = SharedState::new(initial_state(&config, Shard::WHOLE));
        let account = &config.accounts[0];
        let context = Arc::new(AccountContext::new(account, &config.poll, Shard::WHOLE, &state).unwrap());
        let task = tokio::spawn(run(context.clone(), account.discover.clone().unwrap()));
        let mut due = Vec::new();
        while due.len() < 6 {
            sleep(Duration::from_secs(1)).await;
            context.rediscover.notify_one();
            let state = state.read();
            let discovery = state.accounts[&account.name].discovery.as_ref().unwrap();
            let next = Instant::from_std(discovery.due.unwrap());
            if usize::try_from(discovery.discoveries).unwrap() > due.len() && next > Instant::now() {
                due.push(next);
            }
        }
        task.abort();
        due.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    fn assert_delays(delays: &[Duration], expected: [u32; 5]) {
        for (delay, expected) in delays.iter().zip(expected) {
            // Timers have a resolution of a millisecond.
            let bounds = [0.89, 1.11].map(|factor| Duration::from_secs(expected.into()).mul_f64(factor));
            assert!((bounds[0]..bounds[1]).contains(delay), "{delays:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_does_not_shorten_a_back_off() {
        let delays = delays_of_failures(", groups: [{id: 5e57d85c854180642f784401}]").await;
        assert_delays(&delays, [120, 240, 480, 545, 545]);
        let delays = delays_of_failures("").await;
        assert_delays(&delays, [60; 5]);
    }
}
