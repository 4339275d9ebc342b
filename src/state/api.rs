//! Counts and durations of requests to Atlas.

use std::{collections::BTreeMap, time::Duration};

use atlas::Outcome;

/// The requests of one account to one endpoint.
#[derive(Debug, Default)]
pub struct ApiState {
    /// HTTP requests sent, by status or by reason of failure.
    pub requests: BTreeMap<Outcome, u64>,
    /// How long they took.
    pub durations: Histogram,
}

/// Durations, counted by upper bound.
#[derive(Debug, Default)]
pub struct Histogram {
    /// Observations in each bucket of [`Histogram::BOUNDS`]; not cumulative.
    pub counts: [u64; Histogram::BOUNDS.len()],
    /// All observations, those above the last bound included.
    pub count: u64,
    /// Their sum, in seconds.
    pub sum: f64,
}

impl Histogram {
    /// Upper bounds in seconds. Atlas responds in tenths of a second; the request timeout is some seconds.
    pub const BOUNDS: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

    pub(super) fn observe(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        self.count += 1;
        self.sum += seconds;
        if let Some(bucket) = Self::BOUNDS.iter().position(|bound| seconds <= *bound) {
            self.counts[bucket] += 1;
        }
    }
}
