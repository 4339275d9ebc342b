//! The families of accounts: their groups, discoveries and credentials.

use std::collections::BTreeMap;

use super::{
    family,
    text::{TextBuilder, unix_seconds},
};
use crate::state::State;
use atlas::Reason;

pub(super) fn write_groups(text: &mut TextBuilder, state: &State) {
    let info = state.groups.iter().map(|(id, group)| ([id.as_str(), &group.name, &group.org_id, &group.account], 1));
    text.family(&family::GROUP_INFO, info);
    let mut counts: BTreeMap<&str, u64> = state.accounts.keys().map(|account| (account.as_str(), 0)).collect();
    for group in state.groups.values() {
        *counts.entry(&group.account).or_default() += 1;
    }
    text.family(&family::ACCOUNT_GROUPS, counts.into_iter().map(|(account, count)| ([account], count)));
    write_discoveries(text, state);
}

fn write_discoveries(text: &mut TextBuilder, state: &State) {
    let all =
        || state.accounts.iter().filter_map(|(account, known)| Some((account.as_str(), known.discovery.as_ref()?)));
    let success = all().map(|(account, discovery)| ([account], u8::from(discovery.succeeded())));
    text.family(&family::DISCOVERY_SUCCESS, success);
    let last_success = all().map(|(account, discovery)| ([account], discovery.last_success.map_or(0.0, unix_seconds)));
    text.family(&family::DISCOVERY_LAST_SUCCESS, last_success);
    let interval = all().map(|(account, discovery)| ([account], discovery.interval.as_secs_f64()));
    text.family(&family::DISCOVERY_INTERVAL, interval);
    text.family(&family::DISCOVERIES, all().map(|(account, discovery)| ([account], discovery.discoveries)));
    let failures = all().flat_map(|(account, discovery)| {
        let count = |reason| discovery.failures.get(&reason).copied().unwrap_or_default();
        Reason::ALL.iter().map(move |reason| ([account, reason.as_str()], count((*reason).into())))
    });
    text.family(&family::DISCOVERY_FAILURES, failures);
    let failure =
        all().filter_map(|(account, discovery)| Some(([account, discovery.failure.as_ref()?.reason.as_str()], 1)));
    text.family(&family::DISCOVERY_FAILURE, failure);
}

pub(super) fn write_credentials(text: &mut TextBuilder, state: &State) {
    let accounts = || state.accounts.iter().map(|(account, known)| (account.as_str(), known));
    text.family(&family::CREDENTIAL_REFUSED, accounts().map(|(account, known)| ([account], u8::from(known.refused))));
    let unreadable = accounts().map(|(account, known)| ([account], u8::from(known.unreadable)));
    text.family(&family::CREDENTIAL_UNREADABLE, unreadable);
    let expiry = accounts().filter_map(|(account, known)| Some(([account], unix_seconds(known.expires?))));
    text.family(&family::CREDENTIAL_EXPIRY, expiry);
    let tokens = || accounts().filter_map(|(account, known)| Some((account, known.token.as_ref()?)));
    let expiry = tokens().map(|(account, token)| ([account], token.valid_until().map_or(0.0, unix_seconds)));
    text.family(&family::TOKEN_EXPIRY, expiry);
    text.family(&family::TOKEN_MINTS, tokens().map(|(account, token)| ([account], token.mints)));
    text.family(&family::TOKEN_MINT_FAILURES, tokens().map(|(account, token)| ([account], token.mint_failures)));
}
