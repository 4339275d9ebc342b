//! The state as rows, the worst first.

use std::time::{Duration, Instant, SystemTime};

use atlas::{Peering, Provider};
use serde::Serialize;

use super::{search::Search, time::Timestamp};
use crate::state::{AccountState, ListingKey, ListingState, State};

/// AWS expires a peering request that is not accepted in time (`CreateVpcPeeringConnection` in its reference).
const ACCEPT_WITHIN: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Everything that the status page shows.
pub(super) struct View<'a> {
    pub(super) rendered_at: Timestamp,
    /// Why the exporter is stuck, if it is.
    pub(super) stall_reason: Option<String>,
    /// The index of the shard, and the number of shards.
    pub(super) shard: (u32, u32),
    pub(super) last_reload_ok: bool,
    pub(super) peerings: Vec<PeeringRow<'a>>,
    pub(super) listings: Vec<ListingRow<'a>>,
    pub(super) accounts: Vec<AccountRow<'a>>,
}

/// A peering. The names in JSON are those of the labels; a value that Atlas does not send is an empty string.
#[derive(Serialize)]
pub(super) struct PeeringRow<'a> {
    #[serde(flatten)]
    pub(super) key: RowKey<'a>,
    #[serde(rename = "vpcId")]
    pub(super) vpc_id: &'a str,
    #[serde(rename = "peering_id")]
    pub(super) id: &'a str,
    pub(super) status: &'a str,
    pub(super) created: Option<Timestamp>,
    /// When AWS expires the request, if it awaits acceptance.
    pub(super) accept_by: Option<Timestamp>,
    /// As Atlas reports it.
    pub(super) error: Option<&'a str>,
    pub(super) container_id: &'a str,
    pub(super) connection_id: &'a str,
    pub(super) cloud_account: &'a str,
    pub(super) resource_group: &'a str,
    pub(super) accepter_region: &'a str,
    pub(super) cidr_block: &'a str,
    pub(super) atlas_region: &'a str,
    pub(super) atlas_cidr_block: &'a str,
    /// When a poll last read it.
    pub(super) last_success: Option<Timestamp>,
    /// Whether later polls failed.
    pub(super) stale: bool,
    #[serde(skip)]
    pub(super) severity: Severity,
}

/// The account, group and provider of a row.
#[derive(Clone, Copy, Serialize)]
pub(super) struct RowKey<'a> {
    pub(super) account: &'a str,
    pub(super) group_id: &'a str,
    pub(super) group_name: &'a str,
    pub(super) provider: &'static str,
    /// The address of the Atlas UI, if it is known.
    #[serde(skip)]
    pub(super) console: Option<&'a str>,
}

/// A listing: the peerings of a group and a provider.
#[derive(Serialize)]
pub(super) struct ListingRow<'a> {
    #[serde(flatten)]
    pub(super) key: RowKey<'a>,
    /// Whether the last poll succeeded and its listing is not stale.
    pub(super) success: bool,
    /// Whether the peerings of an earlier poll are exported.
    pub(super) stale: bool,
    /// How many are exported; `None` if the listing is not.
    pub(super) peerings: Option<usize>,
    pub(super) polls: u64,
    pub(super) last_success: Option<Timestamp>,
    pub(super) due: Option<Timestamp>,
    /// The last failure. It is resolved if the last poll succeeded.
    pub(super) failure: Option<FailureCell<'a>>,
}

/// Why and when a poll failed.
#[derive(Serialize)]
pub(super) struct FailureCell<'a> {
    pub(super) reason: &'static str,
    pub(super) error: &'a str,
    pub(super) advice: &'static str,
    pub(super) time: Timestamp,
}

/// An account with its credential and its discovery.
pub(super) struct AccountRow<'a> {
    pub(super) name: &'a str,
    pub(super) account: &'a AccountState,
    pub(super) groups: usize,
    /// When the next discovery is due.
    pub(super) due: Option<Timestamp>,
}

/// How bad a status is, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    Failed,
    Unknown,
    /// Someone has to act in the cloud.
    Waiting,
    /// In progress.
    Changing,
    Available,
}

impl Severity {
    fn of(status: &str) -> Self {
        match status {
            "AVAILABLE" => Self::Available,
            "FAILED" | "DELETION_FAILED" => Self::Failed,
            "PENDING_ACCEPTANCE" | "WAITING_FOR_USER" => Self::Waiting,
            "INITIATING" | "FINALIZING" | "ADDING_PEER" | "TERMINATING" | "DELETING" => Self::Changing,
            _ => Self::Unknown,
        }
    }

    /// The class in the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Waiting => "waiting",
            Self::Changing => "changing",
            Self::Available => "available",
        }
    }
}

impl<'a> View<'a> {
    /// The view at `now`, which is `wall` on the system clock.
    pub(super) fn new(state: &'a State, stall_reason: Option<String>, now: Instant, wall: SystemTime) -> Self {
        let to_wall = |at: Instant| match at.checked_duration_since(now) {
            Some(ahead) => Timestamp(wall + ahead),
            None => Timestamp(wall - now.duration_since(at)),
        };
        let (mut peerings, mut listings) = (Vec::new(), Vec::new());
        for (key, known) in &state.listings {
            let row = ListingRow::new(RowKey::new(state, key), known, state, now, known.due.map(to_wall));
            if let Some(listing) = known.served(now, state.max_staleness) {
                peerings.extend(listing.peerings.iter().map(|peering| PeeringRow::new(&row, peering, state, key)));
            }
            listings.push(row);
        }
        peerings.sort_by_key(|row| (row.severity, row.key.group_name, row.key.group_id, row.key.provider));
        listings.sort_by_key(|row| (row.success, row.key.group_name, row.key.group_id, row.key.provider));
        let accounts = state.accounts.iter().map(|(name, account)| AccountRow {
            name,
            account,
            groups: state.groups.values().filter(|group| group.account == *name).count(),
            due: account.discovery.as_ref().and_then(|discovery| discovery.due).map(to_wall),
        });
        let accounts = accounts.collect();
        let shard = (state.shard.index, state.shard.count);
        Self {
            rendered_at: Timestamp(wall),
            stall_reason,
            shard,
            last_reload_ok: state.last_reload_ok,
            peerings,
            listings,
            accounts,
        }
    }
}

impl<'a> RowKey<'a> {
    fn new(state: &'a State, key: &'a ListingKey) -> Self {
        let group = state.groups.get(&key.group);
        let account = group.map_or("", |group| &group.account);
        Self {
            account,
            group_id: key.group.as_str(),
            group_name: group.map_or("", |group| &group.name),
            provider: key.provider.as_str(),
            console: state.accounts.get(account).and_then(|account| account.console.as_deref()),
        }
    }
}

impl<'a> ListingRow<'a> {
    fn new(key: RowKey<'a>, known: &'a ListingState, state: &State, now: Instant, due: Option<Timestamp>) -> Self {
        let served = known.served(now, state.max_staleness);
        Self {
            key,
            success: known.succeeded() && served.is_some(),
            stale: !known.succeeded() && served.is_some(),
            peerings: served.map(|listing| listing.peerings.len()),
            polls: known.polls,
            last_success: known.last_success.map(Timestamp),
            due,
            failure: known.last_failure.as_ref().map(|(failure, at)| FailureCell {
                reason: failure.reason.as_str(),
                error: &failure.message,
                advice: failure.advice,
                time: Timestamp(*at),
            }),
        }
    }

    pub(super) fn matches(&self, search: &Search) -> bool {
        let RowKey { account, group_id, group_name, provider, .. } = self.key;
        let failure = self.failure.as_ref().map_or(["", ""], |failure| [failure.reason, failure.error]);
        search.matches(&[account, group_id, group_name, provider, failure[0], failure[1]])
    }
}

impl<'a> PeeringRow<'a> {
    fn new(row: &ListingRow<'a>, peering: &'a Peering, state: &'a State, key: &ListingKey) -> Self {
        let group = state.groups.get(&key.group);
        let container = group.and_then(|group| group.containers.get(&peering.container_id));
        let awaits_acceptance = key.provider == Provider::Aws && peering.status == "PENDING_ACCEPTANCE";
        let created = peering.created();
        Self {
            key: row.key,
            vpc_id: &peering.vpc_id,
            id: &peering.id,
            status: &peering.status,
            created: created.map(Timestamp),
            accept_by: created.filter(|_| awaits_acceptance).map(|created| Timestamp(created + ACCEPT_WITHIN)),
            error: peering.error.as_deref(),
            container_id: &peering.container_id,
            connection_id: &peering.connection_id,
            cloud_account: &peering.cloud_account,
            resource_group: &peering.resource_group,
            accepter_region: &peering.accepter_region,
            cidr_block: &peering.cidr_block,
            atlas_region: container.map_or("", |container| &container.region),
            atlas_cidr_block: container.map_or("", |container| &container.cidr_block),
            last_success: row.last_success,
            stale: row.stale,
            severity: Severity::of(&peering.status),
        }
    }

    pub(super) fn matches(&self, search: &Search) -> bool {
        let RowKey { account, group_id, group_name, provider, .. } = self.key;
        search.matches(&[
            account,
            group_id,
            group_name,
            provider,
            self.vpc_id,
            self.id,
            self.status,
            self.error.unwrap_or_default(),
            self.connection_id,
            self.cloud_account,
            self.resource_group,
            self.accepter_region,
            self.cidr_block,
            self.atlas_region,
            self.atlas_cidr_block,
        ])
    }
}
