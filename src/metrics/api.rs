//! The families of requests to Atlas.

use std::collections::BTreeMap;

use super::{
    family,
    text::{TextBuilder, unix_seconds},
};
use crate::state::State;

pub(super) fn write(text: &mut TextBuilder, state: &State) {
    let endpoints = || state.api.iter().map(|((account, endpoint), api)| ([account.as_str(), endpoint.as_str()], api));
    let requests: Vec<_> = endpoints()
        .flat_map(|(labels, api)| {
            let mut codes: Vec<_> = api.requests.iter().map(|(outcome, count)| (outcome.to_string(), count)).collect();
            codes.sort();
            codes.into_iter().map(move |(code, count)| (labels, code, count))
        })
        .collect();
    let requests = requests.iter().map(|([account, endpoint], code, count)| ([*account, *endpoint, code], *count));
    text.family(&family::API_REQUESTS, requests);
    text.histograms(&family::API_DURATION, endpoints().map(|(labels, api)| (labels, &api.durations)));
    let rate_limits = || {
        state.rate_limits.iter().map(|((account, endpoint, group), rate_limit)| {
            ([account.as_str(), endpoint.as_str(), group.as_ref().map_or("", |group| group.as_str())], rate_limit)
        })
    };
    let remaining = rate_limits().map(|(labels, rate_limit)| (labels, rate_limit.remaining));
    text.family(&family::RATE_LIMIT_REMAINING, remaining);
    // Atlas gives every project the same capacity.
    let limits: BTreeMap<[&str; 2], u64> =
        rate_limits().map(|([account, endpoint, _], rate_limit)| ([account, endpoint], rate_limit.limit)).collect();
    text.family(&family::RATE_LIMIT, limits);
    let ends = || {
        state.version_ends.iter().map(|((account, endpoint), ends)| {
            let version = state.accounts.get(account).map_or("", |account| account.api_version);
            ([account.as_str(), endpoint.as_str(), version], ends)
        })
    };
    let deprecation = ends().filter_map(|(labels, ends)| Some((labels, unix_seconds(ends.deprecation?))));
    text.family(&family::API_DEPRECATION, deprecation);
    let sunset = ends().filter_map(|(labels, ends)| Some((labels, unix_seconds(ends.sunset?))));
    text.family(&family::API_SUNSET, sunset);
}
