//! The families of peerings.

use std::{collections::BTreeMap, time::Instant};

use atlas::{Container, Listing, Peering};

use super::{
    family,
    text::{TextBuilder, unix_seconds},
};
use crate::state::{ListingKey, State};

/// A peering that is exported.
struct Exported<'a> {
    /// The values of `provider`, `vpcId`, `group_id` and `peering_id`. All but `vpcId`, which may change, identify the
    /// peering.
    identity: [&'a str; 4],
    peering: &'a Peering,
    /// The network on the Atlas side, once known.
    container: Option<&'a Container>,
}

pub(super) fn write(text: &mut TextBuilder, state: &State, now: Instant) {
    let listings: Vec<(&ListingKey, &Listing)> =
        state.listings.iter().filter_map(|(key, known)| Some((key, known.served(now, state.max_staleness)?))).collect();
    let peerings: Vec<Exported<'_>> =
        listings.iter().flat_map(|(key, listing)| exported(state, key, listing)).collect();
    write_peerings(text, &peerings);
    write_counts(text, &listings);
}

fn exported<'a>(state: &'a State, key: &'a ListingKey, listing: &'a Listing) -> impl Iterator<Item = Exported<'a>> {
    let containers = state.groups.get(&key.group).map(|group| &group.containers);
    listing.peerings.iter().map(move |peering| Exported {
        identity: [key.provider.as_str(), &peering.vpc_id, key.group.as_str(), &peering.id],
        peering,
        container: containers.and_then(|containers| containers.get(&peering.container_id)),
    })
}

fn write_peerings(text: &mut TextBuilder, peerings: &[Exported<'_>]) {
    let status = peerings.iter().map(|Exported { identity, peering, .. }| {
        let [provider, vpc_id, group, id] = *identity;
        ([provider, vpc_id, group, id, &peering.status], 1)
    });
    text.family(&family::STATUS, status);
    let available = peerings.iter().map(|row| (row.identity, u8::from(row.peering.is_available())));
    text.family(&family::AVAILABLE, available);
    let created = peerings.iter().filter_map(|row| Some((row.identity, unix_seconds(row.peering.created()?))));
    text.family(&family::CREATED, created);
    let info = peerings.iter().map(|Exported { identity, peering, container }| {
        let [provider, vpc_id, group, id] = *identity;
        let labels = [
            provider,
            vpc_id,
            group,
            id,
            &peering.container_id,
            &peering.connection_id,
            &peering.cloud_account,
            &peering.resource_group,
            &peering.accepter_region,
            &peering.cidr_block,
            container.map_or("", |container| &container.region),
            container.map_or("", |container| &container.cidr_block),
        ];
        (labels, 1)
    });
    text.family(&family::INFO, info);
    let errors = peerings.iter().filter_map(|Exported { identity, peering, .. }| {
        let [provider, vpc_id, group, id] = *identity;
        Some(([provider, vpc_id, group, id, peering.error_code()?], 1))
    });
    text.family(&family::ERROR_INFO, errors);
}

fn write_counts(text: &mut TextBuilder, listings: &[(&ListingKey, &Listing)]) {
    let counts = listings.iter().flat_map(|(key, listing)| {
        // Most listings have no peerings: one series says so.
        let documented: &[&str] =
            if listing.peerings.is_empty() { &["AVAILABLE"] } else { key.provider.documented_statuses() };
        let mut by_status: BTreeMap<&str, u32> = documented.iter().map(|status| (*status, 0)).collect();
        for peering in &listing.peerings {
            *by_status.entry(&peering.status).or_default() += 1;
        }
        by_status.into_iter().map(|(status, count)| ([key.group.as_str(), key.provider.as_str(), status], count))
    });
    text.family(&family::PEERINGS, counts);
}
