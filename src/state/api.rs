//! What is known of the exchanges with Atlas.

use std::{collections::BTreeMap, time::Duration};

use atlas::Outcome;

/// Exchanges with one endpoint of one account.
#[derive(Debug, Default)]
pub struct ApiState {
    /// HTTP requests that left, by status or reason of the failure.
    pub requests: BTreeMap<Outcome, u64>,
    /// How long they took.
    pub durations: Histogram,
}

/// Durations, counted by upper bound.
#[derive(Debug, Default)]
pub struct Histogram {
    /// How many were not above the bound at the same place, but above the one before.
    pub counts: [u64; Histogram::BOUNDS.len()],
    /// How many in all.
    pub count: u64,
    /// All together, in seconds.
    pub sum: f64,
}

impl Histogram {
    /// In seconds. Atlas answers in tenths of seconds; the timeout is some seconds.
    pub const BOUNDS: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

    pub(super) fn observe(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        self.count += 1;
        self.sum += seconds;
        if let Some(place) = Self::BOUNDS.iter().position(|bound| seconds <= *bound) {
            self.counts[place] += 1;
        }
    }
}
