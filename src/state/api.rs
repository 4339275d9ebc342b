//! Counts and durations of requests to Atlas.

use std::{collections::BTreeMap, time::Duration};

use atlas::Outcome;

/// Upper bounds in seconds. Atlas responds in tenths of a second; the request timeout is some seconds.
const REQUEST_BOUNDS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// The requests of one account to one endpoint.
#[derive(Debug)]
pub struct ApiState {
    /// HTTP requests sent, by status or by reason of failure.
    pub requests: BTreeMap<Outcome, u64>,
    /// How long they took.
    pub durations: Histogram,
}

impl Default for ApiState {
    fn default() -> Self {
        Self { requests: BTreeMap::new(), durations: Histogram::new(REQUEST_BOUNDS) }
    }
}

/// Durations, counted by upper bound.
#[derive(Clone, Debug)]
pub struct Histogram {
    /// The upper bounds of the buckets, in seconds, ascending.
    bounds: &'static [f64],
    /// Observations in each bucket; not cumulative.
    counts: Vec<u64>,
    /// All observations, those above the last bound included.
    pub count: u64,
    /// Their sum, in seconds.
    pub sum: f64,
}

impl Histogram {
    pub(super) fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len()], count: 0, sum: 0.0 }
    }

    /// Each upper bound, in seconds, with the number of observations in its bucket; not cumulative.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        self.bounds.iter().copied().zip(self.counts.iter().copied())
    }

    pub(super) fn observe(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        self.count += 1;
        self.sum += seconds;
        if let Some(bucket) = self.bounds.iter().position(|bound| seconds <= *bound) {
            self.counts[bucket] += 1;
        }
    }
}
