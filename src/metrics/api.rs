//! The families about requests to Atlas.

use std::collections::BTreeMap;

use atlas::Endpoint;

use super::{
    family,
    text::{Labels, Page},
    unix_seconds,
};
use crate::state::{Histogram, State};

pub(super) fn write(page: &mut Page, state: &State) {
    let mut requests = page.family(&family::API_REQUESTS);
    for ((account, endpoint), api) in &state.api {
        let codes: BTreeMap<_, _> = api.requests.iter().map(|(outcome, count)| (outcome.to_string(), count)).collect();
        for (code, count) in codes {
            requests.add(&labels(account, *endpoint), &[("code", &code)], count);
        }
    }
    let mut durations = page.family(&family::API_DURATION);
    for ((account, endpoint), api) in &state.api {
        let labels = labels(account, *endpoint);
        let mut below = 0;
        for (bound, count) in Histogram::BOUNDS.iter().zip(api.durations.counts) {
            below += count;
            durations.add_suffixed("_bucket", &labels, &[("le", &bound.to_string())], below);
        }
        durations.add_suffixed("_bucket", &labels, &[("le", "+Inf")], api.durations.count);
        durations.add_suffixed("_sum", &labels, &[], api.durations.sum);
        durations.add_suffixed("_count", &labels, &[], api.durations.count);
    }
    write_rate_limits(page, state);
    write_version_ends(page, state);
}

fn labels(account: &str, endpoint: Endpoint) -> Labels {
    Labels::new(&[("account", account), ("endpoint", endpoint.as_str())])
}

fn write_rate_limits(page: &mut Page, state: &State) {
    let buckets: Vec<_> = state
        .rate_limits
        .iter()
        .map(|((account, endpoint, group), rate_limit)| {
            let group = group.as_ref().map_or("", |group| group.as_str());
            (Labels::new(&[("account", account), ("endpoint", endpoint.as_str()), ("group_id", group)]), rate_limit)
        })
        .collect();
    let mut remaining = page.family(&family::RATE_LIMIT_REMAINING);
    for (labels, rate_limit) in &buckets {
        remaining.add(labels, &[], rate_limit.remaining);
    }
    let mut limit = page.family(&family::RATE_LIMIT);
    for (labels, rate_limit) in &buckets {
        limit.add(labels, &[], rate_limit.limit);
    }
}

/// Only what Atlas announces to end has series.
fn write_version_ends(page: &mut Page, state: &State) {
    let ends: Vec<_> = state
        .version_ends
        .iter()
        .map(|((account, endpoint), ends)| {
            let version = state.accounts.get(account).map_or("", |account| account.api_version);
            (Labels::new(&[("account", account), ("endpoint", endpoint.as_str()), ("version", version)]), ends)
        })
        .collect();
    let mut deprecation = page.family(&family::API_DEPRECATION);
    for (labels, time) in ends.iter().filter_map(|(labels, ends)| Some((labels, ends.deprecation?))) {
        deprecation.add(labels, &[], unix_seconds(time));
    }
    let mut sunset = page.family(&family::API_SUNSET);
    for (labels, time) in ends.iter().filter_map(|(labels, ends)| Some((labels, ends.sunset?))) {
        sunset.add(labels, &[], unix_seconds(time));
    }
}
