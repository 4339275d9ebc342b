//! What we know now: plain data, changed by polls and API exchanges, read by the metrics.

mod api;
mod poll;
mod target;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant, SystemTime},
};

pub use self::{
    api::{ApiState, Histogram},
    poll::{Cause, Event, Failure, Poll},
    target::TargetState,
};
use crate::atlas::{Exchange, GroupId, Provider, RateLimit};

/// The unit that is polled: one group and one provider.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The Atlas project.
    pub group: GroupId,
    /// The cloud.
    pub provider: Provider,
}

/// What is known of a group beside its peerings.
#[derive(Clone, Debug)]
pub struct Group {
    /// The account that polls it, as the config names it.
    pub account: String,
    /// The name that the config gives it; may be empty.
    pub name: String,
}

/// Everything that is known.
#[derive(Debug)]
pub struct State {
    /// How often each target is polled.
    pub interval: Duration,
    /// A listing older than this is served no more.
    pub max_staleness: Duration,
    /// When the config was read.
    pub config_read: SystemTime,
    /// Every group that is watched.
    pub groups: BTreeMap<GroupId, Group>,
    /// Every target, polled or not.
    pub targets: BTreeMap<Target, TargetState>,
    /// Exchanges with Atlas by account and endpoint.
    pub api: BTreeMap<(String, &'static str), ApiState>,
    /// The last word on each rate limit, by endpoint and group.
    pub rate_limits: BTreeMap<(&'static str, GroupId), RateLimit>,
}

impl State {
    /// Knows the targets, and nothing of them yet.
    #[must_use]
    pub fn new(
        interval: Duration,
        max_staleness: Duration,
        config_read: SystemTime,
        groups: BTreeMap<GroupId, Group>,
        targets: impl IntoIterator<Item = Target>,
    ) -> Self {
        let targets = targets.into_iter().map(|target| (target, TargetState::default())).collect();
        Self {
            interval,
            max_staleness,
            config_read,
            groups,
            targets,
            api: BTreeMap::new(),
            rate_limits: BTreeMap::new(),
        }
    }

    /// Whether every target was polled once, whatever came of it.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.targets.values().all(|target| target.polls > 0)
    }

    /// Whether the last poll of every target succeeded.
    #[must_use]
    pub fn all_succeeded(&self) -> bool {
        self.targets.values().all(TargetState::succeeded)
    }

    /// When the next listing will become too old to be shown.
    #[must_use]
    pub fn next_expiry(&self, now: Instant) -> Option<Instant> {
        let ends = self.targets.values().filter_map(|target| Some(target.since()? + self.max_staleness));
        ends.filter(|end| *end >= now).min()
    }

    /// Takes in an exchange with Atlas.
    pub fn record_exchange(&mut self, account: &str, exchange: Exchange) {
        let api = self.api.entry((account.to_owned(), exchange.endpoint)).or_default();
        *api.requests.entry(exchange.code).or_default() += 1;
        api.durations.observe(exchange.duration);
        if let Some(rate_limit) = exchange.rate_limit {
            self.rate_limits.insert((exchange.endpoint, exchange.group), rate_limit);
        }
    }

    /// Takes in a poll and tells what it changed. A target that is watched no more stays unknown.
    pub fn record(&mut self, target: &Target, poll: Poll) -> Vec<Event> {
        let Some(state) = self.targets.get_mut(target) else { return Vec::new() };
        state.polls += 1;
        state.duration = poll.duration;
        match poll.outcome {
            Ok(listing) => state.succeed(listing, poll.ended, poll.ended_at),
            Err(failure) => state.fail(failure, poll.ended, self.max_staleness),
        }
    }
}

#[cfg(test)]
mod tests;
