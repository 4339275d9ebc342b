//! The token buckets of the resources: which there are, how big, and whose.

use std::{collections::HashMap, time::Instant};

use super::{
    RateLimit, Scenario,
    bucket::{Bucket, Exceeded},
    caller::Caller,
    route::Resource,
};

/// What the reference says of `GET /groups/{id}`, which no scenario changes.
const GROUP_LIMIT: RateLimit = RateLimit { capacity: 1200, refill_per_minute: 500 };

/// What the reference says of `GET /api/atlas/v2`, which no scenario changes.
const ROOT_LIMIT: RateLimit = RateLimit { capacity: 300, refill_per_minute: 100 };

/// Resources that share a bucket, and whom it belongs to.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) enum Scope {
    /// Peerings and containers of a group.
    Peering(String),
    Group(String),
    Groups(Caller),
    OrgGroups(String),
    Root(Caller),
}

/// Every bucket that was used.
#[derive(Debug, Default)]
pub(super) struct Buckets(HashMap<Scope, Bucket>);

impl Scope {
    pub(super) fn of(resource: &Resource, caller: &Caller) -> Scope {
        match resource {
            Resource::Peers { group } | Resource::Containers { group } => Scope::Peering(group.clone()),
            Resource::Group { group } => Scope::Group(group.clone()),
            Resource::Groups => Scope::Groups(caller.clone()),
            Resource::OrgGroups { org } => Scope::OrgGroups(org.clone()),
            Resource::Root => Scope::Root(caller.clone()),
        }
    }
}

impl Buckets {
    /// Takes a token and says how many are left; a new bucket is full.
    pub(super) fn take(&mut self, scope: Scope, limit: RateLimit, now: Instant) -> Result<u64, Exceeded> {
        self.0.entry(scope).or_insert_with(|| Bucket::full(limit, now)).take(now)
    }
}

/// The size of the bucket that a request for this takes its token from.
pub(super) fn limit(settings: &Scenario, resource: &Resource) -> RateLimit {
    match resource {
        Resource::Peers { .. } | Resource::Containers { .. } => settings.rate_limit,
        Resource::Group { .. } => GROUP_LIMIT,
        Resource::Groups => settings.group_list_rate_limit,
        Resource::OrgGroups { .. } => settings.org_rate_limit,
        Resource::Root => ROOT_LIMIT,
    }
}
