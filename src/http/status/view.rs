//! The state as rows: what a person looks for first comes first.

use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;

use super::{search::Search, time::Time};
use crate::state::{self, AccountState, DiscoveryState, ListingState, State};
use atlas::{self, Provider};

/// AWS ends a request for a peering that nobody accepted (`CreateVpcPeeringConnection` in its reference).
const ACCEPT_WITHIN: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Everything that is shown.
pub(super) struct View<'a> {
    pub(super) made: Time,
    /// Why the exporter does not go on, if so.
    pub(super) stuck: Option<String>,
    /// Which of several exporters this is, and how many there are.
    pub(super) shard: (u32, u32),
    pub(super) config_is_good: bool,
    pub(super) peerings: Vec<Peering<'a>>,
    pub(super) targets: Vec<ListingRow<'a>>,
    pub(super) accounts: Vec<Account<'a>>,
}

/// A peering. The names are those of the labels; what Atlas does not tell is the empty text.
#[derive(Serialize)]
pub(super) struct Peering<'a> {
    #[serde(flatten)]
    pub(super) of: Of<'a>,
    #[serde(rename = "vpcId")]
    pub(super) vpc_id: &'a str,
    #[serde(rename = "peering_id")]
    pub(super) id: &'a str,
    pub(super) status: &'a str,
    pub(super) created: Option<Time>,
    /// When AWS ends the request, where one waits.
    pub(super) accept_by: Option<Time>,
    /// As Atlas wrote it.
    pub(super) error: Option<&'a str>,
    pub(super) container_id: &'a str,
    pub(super) connection_id: &'a str,
    pub(super) cloud_account: &'a str,
    pub(super) resource_group: &'a str,
    pub(super) accepter_region: &'a str,
    pub(super) cidr_block: &'a str,
    pub(super) atlas_region: &'a str,
    pub(super) atlas_cidr_block: &'a str,
    /// When a poll last brought it.
    pub(super) last_success: Option<Time>,
    /// Whether a later poll failed.
    pub(super) stale: bool,
    #[serde(skip)]
    pub(super) kind: Kind,
}

/// What a row belongs to.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Of<'a> {
    pub(super) account: &'a str,
    pub(super) group_id: &'a str,
    pub(super) group_name: &'a str,
    pub(super) provider: &'static str,
    /// Atlas's page about the peerings of the group, where its address is known.
    #[serde(skip)]
    pub(super) console: Option<&'a str>,
}

/// A group and a provider.
#[derive(Serialize)]
pub(super) struct ListingRow<'a> {
    #[serde(flatten)]
    pub(super) of: Of<'a>,
    /// Whether the last poll brought everything.
    pub(super) success: bool,
    /// Whether the peerings of an earlier poll are shown.
    pub(super) stale: bool,
    /// How many are shown; nothing where no listing is.
    pub(super) peerings: Option<usize>,
    pub(super) polls: u64,
    pub(super) last_success: Option<Time>,
    pub(super) due: Option<Time>,
    /// The last one; it is over if the last poll succeeded.
    pub(super) failure: Option<Failure<'a>>,
}

/// Why one failed.
#[derive(Serialize)]
pub(super) struct Failure<'a> {
    pub(super) reason: &'static str,
    pub(super) error: &'a str,
    pub(super) advice: &'static str,
    /// When; nothing where only the last one is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) time: Option<Time>,
}

/// A credential and the groups it finds.
pub(super) struct Account<'a> {
    pub(super) name: &'a str,
    pub(super) groups: usize,
    pub(super) refused: bool,
    pub(super) unreadable: bool,
    pub(super) expires: Option<Time>,
    pub(super) discovery: Option<Discovery<'a>>,
}

/// What asking for the groups brought.
pub(super) struct Discovery<'a> {
    pub(super) discoveries: u64,
    pub(super) success: bool,
    pub(super) last_success: Option<Time>,
    pub(super) due: Option<Time>,
    pub(super) failure: Option<Failure<'a>>,
}

/// How bad a status is, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Failed,
    Unknown,
    /// Somebody has to do something in the cloud.
    Waiting,
    /// On its way.
    Changing,
    Available,
}

impl Kind {
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
    /// The state at `now`, which `wall` is on the clock.
    pub(super) fn of(state: &'a State, stuck: Option<String>, now: Instant, wall: SystemTime) -> Self {
        // Due times are told by a clock that nobody can read.
        let on_the_clock = |at: Instant| match at.checked_duration_since(now) {
            Some(ahead) => Time(wall + ahead),
            None => Time(wall - now.duration_since(at)),
        };
        let (mut peerings, mut targets) = (Vec::new(), Vec::new());
        for (target, known) in &state.listings {
            let of = Of::new(state, target);
            let row = ListingRow::new(of, known, state, now, known.due.map(on_the_clock));
            if let Some(listing) = known.served(now, state.max_staleness) {
                peerings.extend(listing.peerings.iter().map(|peering| Peering::new(&row, peering, state, target)));
            }
            targets.push(row);
        }
        peerings.sort_by_key(|row| (row.kind, row.of.group_name, row.of.group_id, row.of.provider));
        targets.sort_by_key(|row| (row.success, row.of.group_name, row.of.group_id, row.of.provider));
        let accounts = state.accounts.iter();
        let accounts = accounts.map(|(name, known)| Account::new(name, known, state, on_the_clock)).collect();
        let shard = (state.shard_index, state.shard_count);
        Self { made: Time(wall), stuck, shard, config_is_good: state.last_reload_ok, peerings, targets, accounts }
    }
}

impl<'a> Of<'a> {
    fn new(state: &'a State, target: &'a state::ListingKey) -> Self {
        let group = state.groups.get(&target.group);
        let account = group.map_or("", |group| &group.account);
        Self {
            account,
            group_id: target.group.as_str(),
            group_name: group.map_or("", |group| &group.name),
            provider: target.provider.as_str(),
            console: state.accounts.get(account).and_then(|account| account.console.as_deref()),
        }
    }
}

impl<'a> ListingRow<'a> {
    fn new(of: Of<'a>, known: &'a ListingState, state: &State, now: Instant, due: Option<Time>) -> Self {
        let served = known.served(now, state.max_staleness);
        Self {
            of,
            success: known.succeeded() && served.is_some(),
            stale: !known.succeeded() && served.is_some(),
            peerings: served.map(|listing| listing.peerings.len()),
            polls: known.polls,
            last_success: known.last_success.map(Time),
            due,
            failure: known.last_failure.as_ref().map(|(failure, at)| Failure::new(failure, Some(Time(*at)))),
        }
    }

    pub(super) fn is_found(&self, search: &Search) -> bool {
        let Of { account, group_id, group_name, provider, .. } = self.of;
        let failure = self.failure.as_ref().map_or(["", ""], |failure| [failure.reason, failure.error]);
        search.finds(&[account, group_id, group_name, provider, failure[0], failure[1]])
    }
}

impl<'a> Peering<'a> {
    fn new(row: &ListingRow<'a>, peering: &'a atlas::Peering, state: &'a State, target: &state::ListingKey) -> Self {
        let group = state.groups.get(&target.group);
        let container = group.and_then(|group| group.containers.get(&peering.container_id));
        let waits = target.provider == Provider::Aws && peering.status == "PENDING_ACCEPTANCE";
        let created = peering.created();
        Self {
            of: row.of,
            vpc_id: &peering.vpc_id,
            id: &peering.id,
            status: &peering.status,
            created: created.map(Time),
            accept_by: created.filter(|_| waits).map(|created| Time(created + ACCEPT_WITHIN)),
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
            kind: Kind::of(&peering.status),
        }
    }

    pub(super) fn is_found(&self, search: &Search) -> bool {
        let Of { account, group_id, group_name, provider, .. } = self.of;
        search.finds(&[
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

impl<'a> Failure<'a> {
    fn new(failure: &'a state::Failure, time: Option<Time>) -> Self {
        Self { reason: failure.reason.as_str(), error: &failure.message, advice: failure.advice, time }
    }
}

impl<'a> Account<'a> {
    fn new(name: &'a str, known: &'a AccountState, state: &State, on_the_clock: impl Fn(Instant) -> Time) -> Self {
        let discovery = |known: &'a DiscoveryState| Discovery {
            discoveries: known.discoveries,
            success: known.succeeded(),
            last_success: known.last_success.map(Time),
            due: known.due.map(&on_the_clock),
            failure: known.failure.as_ref().map(|failure| Failure::new(failure, None)),
        };
        Self {
            name,
            groups: state.groups.values().filter(|group| group.account == name).count(),
            refused: known.refused,
            unreadable: known.unreadable,
            expires: known.expires.map(Time),
            discovery: known.discovery.as_ref().map(discovery),
        }
    }
}
