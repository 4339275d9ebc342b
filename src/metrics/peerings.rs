//! The families about peerings.

use std::{collections::BTreeMap, time::Instant};

use super::{
    exposition::{Labels, Page},
    family, unix_seconds,
};
use crate::{
    atlas::{Listing, Peering},
    state::{State, Target},
};

pub(super) fn write(page: &mut Page, state: &State, now: Instant) {
    let listings: Vec<(&Target, &Listing)> = state
        .targets
        .iter()
        .filter_map(|(target, known)| Some((target, known.served(now, state.max_staleness)?)))
        .collect();
    let peerings: Vec<(Labels, &Peering)> = listings
        .iter()
        .flat_map(|(target, listing)| listing.peerings.iter().map(|peering| (identity(target, peering), peering)))
        .collect();
    write_status(page, &peerings);
    write_created(page, &peerings);
    write_info(page, &peerings);
    write_errors(page, &peerings);
    write_counts(page, &listings);
}

/// The labels that tell every peering from every other; `vpcId` alone does not.
fn identity(target: &Target, peering: &Peering) -> Labels {
    Labels::new(&[
        ("provider", target.provider.as_str()),
        ("vpcId", &peering.vpc_id),
        ("group_id", target.group.as_str()),
        ("peering_id", &peering.id),
    ])
}

fn write_status(page: &mut Page, peerings: &[(Labels, &Peering)]) {
    let mut status = page.family(&family::STATUS);
    for (identity, peering) in peerings {
        status.add(identity, &[("status", &peering.status)], 1);
    }
    let mut available = page.family(&family::AVAILABLE);
    for (identity, peering) in peerings {
        available.add(identity, &[], u8::from(peering.is_available()));
    }
}

fn write_created(page: &mut Page, peerings: &[(Labels, &Peering)]) {
    let mut created = page.family(&family::CREATED);
    for (identity, peering) in peerings {
        if let Some(time) = peering.created() {
            created.add(identity, &[], unix_seconds(time));
        }
    }
}

fn write_info(page: &mut Page, peerings: &[(Labels, &Peering)]) {
    let mut info = page.family(&family::INFO);
    for (identity, peering) in peerings {
        let more = [
            ("container_id", peering.container_id.as_str()),
            ("connection_id", &peering.connection_id),
            ("cloud_account", &peering.cloud_account),
            ("resource_group", &peering.resource_group),
            ("accepter_region", &peering.accepter_region),
            ("cidr_block", &peering.cidr_block),
        ];
        info.add(identity, &more, 1);
    }
}

fn write_errors(page: &mut Page, peerings: &[(Labels, &Peering)]) {
    let mut errors = page.family(&family::ERROR_INFO);
    for (identity, peering) in peerings {
        if let Some(reason) = peering.error_word() {
            errors.add(identity, &[("reason", reason)], 1);
        }
    }
}

fn write_counts(page: &mut Page, listings: &[(&Target, &Listing)]) {
    let mut counts = page.family(&family::PEERINGS);
    for (target, listing) in listings {
        let documented = target.provider.documented_statuses();
        let mut by_status: BTreeMap<&str, u32> = documented.iter().map(|status| (*status, 0)).collect();
        for peering in &listing.peerings {
            *by_status.entry(&peering.status).or_default() += 1;
        }
        let labels = Labels::new(&[("group_id", target.group.as_str()), ("provider", target.provider.as_str())]);
        for (status, count) in by_status {
            counts.add(&labels, &[("status", status)], count);
        }
    }
}
