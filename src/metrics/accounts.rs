//! The families about accounts: their groups and their credentials.

use std::collections::BTreeMap;

use super::{
    family,
    text::{Labels, Page},
    unix_seconds,
};
use crate::state::{AccountState, DiscoveryState, State};

pub(super) fn write_groups(page: &mut Page, state: &State) {
    let mut watched: BTreeMap<&str, u64> = state.accounts.keys().map(|account| (account.as_str(), 0)).collect();
    for group in state.groups.values() {
        *watched.entry(&group.account).or_default() += 1;
    }
    let mut groups = page.family(&family::ACCOUNT_GROUPS);
    for (account, count) in watched {
        groups.add(&labels(account), &[], count);
    }
    write_discoveries(page, state);
}

fn write_discoveries(page: &mut Page, state: &State) {
    let discovers = |(account, known): (&String, _)| Some((labels(account), discovery(known)?));
    let discoveries: Vec<(Labels, &DiscoveryState)> = state.accounts.iter().filter_map(discovers).collect();
    let mut success = page.family(&family::DISCOVERY_SUCCESS);
    for (labels, discovery) in &discoveries {
        success.add(labels, &[], u8::from(discovery.succeeded()));
    }
    let mut last_success = page.family(&family::DISCOVERY_LAST_SUCCESS);
    for (labels, discovery) in &discoveries {
        last_success.add(labels, &[], discovery.last_success.map_or(0.0, unix_seconds));
    }
    let mut interval = page.family(&family::DISCOVERY_INTERVAL);
    for (labels, discovery) in &discoveries {
        interval.add(labels, &[], discovery.interval.as_secs_f64());
    }
    let mut count = page.family(&family::DISCOVERIES);
    for (labels, discovery) in &discoveries {
        count.add(labels, &[], discovery.discoveries);
    }
    let mut failures = page.family(&family::DISCOVERY_FAILURES);
    for (labels, discovery) in &discoveries {
        for (reason, count) in &discovery.failures {
            failures.add(labels, &[("reason", reason.as_str())], count);
        }
    }
    let mut failure = page.family(&family::DISCOVERY_FAILURE);
    for (labels, discovery) in &discoveries {
        if let Some(why) = &discovery.failure {
            failure.add(labels, &[("reason", why.reason.as_str())], 1);
        }
    }
}

pub(super) fn write_credentials(page: &mut Page, state: &State) {
    let mut refused = page.family(&family::CREDENTIAL_REFUSED);
    for (account, known) in &state.accounts {
        refused.add(&labels(account), &[], u8::from(known.refused));
    }
    let mut unreadable = page.family(&family::CREDENTIAL_UNREADABLE);
    for (account, known) in &state.accounts {
        unreadable.add(&labels(account), &[], u8::from(known.unreadable));
    }
    let mut expiry = page.family(&family::CREDENTIAL_EXPIRY);
    for (account, ends) in state.accounts.iter().filter_map(|(account, known)| Some((account, known.expires?))) {
        expiry.add(&labels(account), &[], unix_seconds(ends));
    }
    let tokens: Vec<_> =
        state.accounts.iter().filter_map(|(account, known)| Some((labels(account), known.token.as_ref()?))).collect();
    let mut expiry = page.family(&family::TOKEN_EXPIRY);
    for (labels, token) in &tokens {
        expiry.add(labels, &[], token.expires.map_or(0.0, unix_seconds));
    }
    let mut mints = page.family(&family::TOKEN_MINTS);
    for (labels, token) in &tokens {
        mints.add(labels, &[], token.mints);
    }
    let mut failures = page.family(&family::TOKEN_MINT_FAILURES);
    for (labels, token) in &tokens {
        failures.add(labels, &[], token.mint_failures);
    }
}

fn discovery(account: &AccountState) -> Option<&DiscoveryState> {
    account.discovery.as_ref()
}

fn labels(account: &str) -> Labels {
    Labels::new(&[("account", account)])
}
