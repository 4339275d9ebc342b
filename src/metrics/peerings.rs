//! The families about peerings.

use std::{collections::BTreeMap, time::Instant};

use super::{
    family,
    text::{Labels, Page},
    unix_seconds,
};
use crate::state::{ListingKey, State};
use atlas::{Container, Listing, Peering};

/// A peering on the page.
struct Shown<'a> {
    /// The labels that tell every peering from every other; `vpcId` alone does not.
    identity: Labels,
    peering: &'a Peering,
    /// Atlas's side of it, once known.
    container: Option<&'a Container>,
}

pub(super) fn write(page: &mut Page, state: &State, now: Instant) {
    let listings: Vec<(&ListingKey, &Listing)> =
        state.listings.iter().filter_map(|(key, known)| Some((key, known.served(now, state.max_staleness)?))).collect();
    let peerings: Vec<Shown<'_>> = listings.iter().flat_map(|(key, listing)| shown(state, key, listing)).collect();
    write_status(page, &peerings);
    write_created(page, &peerings);
    write_info(page, &peerings);
    write_errors(page, &peerings);
    write_counts(page, &listings);
}

fn shown<'a>(state: &'a State, key: &ListingKey, listing: &'a Listing) -> impl Iterator<Item = Shown<'a>> {
    let containers = state.groups.get(&key.group).map(|group| &group.containers);
    listing.peerings.iter().map(move |peering| Shown {
        identity: Labels::new(&[
            ("provider", key.provider.as_str()),
            ("vpcId", &peering.vpc_id),
            ("group_id", key.group.as_str()),
            ("peering_id", &peering.id),
        ]),
        peering,
        container: containers.and_then(|containers| containers.get(&peering.container_id)),
    })
}

fn write_status(page: &mut Page, peerings: &[Shown<'_>]) {
    let mut status = page.family(&family::STATUS);
    for Shown { identity, peering, .. } in peerings {
        status.add(identity, &[("status", &peering.status)], 1);
    }
    let mut available = page.family(&family::AVAILABLE);
    for Shown { identity, peering, .. } in peerings {
        available.add(identity, &[], u8::from(peering.is_available()));
    }
}

fn write_created(page: &mut Page, peerings: &[Shown<'_>]) {
    let mut created = page.family(&family::CREATED);
    for Shown { identity, peering, .. } in peerings {
        if let Some(time) = peering.created() {
            created.add(identity, &[], unix_seconds(time));
        }
    }
}

fn write_info(page: &mut Page, peerings: &[Shown<'_>]) {
    let mut info = page.family(&family::INFO);
    for Shown { identity, peering, container } in peerings {
        let more = [
            ("container_id", peering.container_id.as_str()),
            ("connection_id", &peering.connection_id),
            ("cloud_account", &peering.cloud_account),
            ("resource_group", &peering.resource_group),
            ("accepter_region", &peering.accepter_region),
            ("cidr_block", &peering.cidr_block),
            ("atlas_region", container.map_or("", |container| &container.region)),
            ("atlas_cidr_block", container.map_or("", |container| &container.cidr_block)),
        ];
        info.add(identity, &more, 1);
    }
}

fn write_errors(page: &mut Page, peerings: &[Shown<'_>]) {
    let mut errors = page.family(&family::ERROR_INFO);
    for Shown { identity, peering, .. } in peerings {
        if let Some(reason) = peering.error_code() {
            errors.add(identity, &[("reason", reason)], 1);
        }
    }
}

fn write_counts(page: &mut Page, listings: &[(&ListingKey, &Listing)]) {
    let mut counts = page.family(&family::PEERINGS);
    for (key, listing) in listings {
        let documented = key.provider.documented_statuses();
        let mut by_status: BTreeMap<&str, u32> = documented.iter().map(|status| (*status, 0)).collect();
        for peering in &listing.peerings {
            *by_status.entry(&peering.status).or_default() += 1;
        }
        let labels = Labels::new(&[("group_id", key.group.as_str()), ("provider", key.provider.as_str())]);
        for (status, count) in by_status {
            counts.add(&labels, &[("status", status)], count);
        }
    }
}
