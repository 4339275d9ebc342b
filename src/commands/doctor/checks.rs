//! The checks of one account: its credential, its groups and their peerings.

use std::collections::{BTreeMap, HashMap};

use atlas::{
    Client, ClientEvent, CredentialInfo, CredentialKind, Endpoint, ErrorKind, GroupId, Provider, RateLimit, Reason,
    Resource,
};
use futures_util::{StreamExt, future::join_all, stream};
use parking_lot::Mutex;

use super::report::{AccountReport, Check, Finding, GroupReport, Problem};
use crate::config::{AccountConfig, PollConfig};

/// After a transient failure; few, because somebody waits for the report.
const RETRIES: usize = 1;

/// The rate limits seen in responses, by endpoint and group.
#[derive(Default)]
pub(super) struct RateLimits(Mutex<HashMap<(Endpoint, Option<GroupId>), RateLimit>>);

impl RateLimits {
    pub(super) fn observe(&self, event: ClientEvent) {
        if let ClientEvent::Request(record) = event
            && let Some(rate_limit) = record.rate_limit
        {
            let mut limits = self.0.lock();
            let known = limits.entry((record.endpoint, record.group)).or_insert(rate_limit);
            // Responses may arrive in another order than Atlas counted the requests.
            known.remaining = known.remaining.min(rate_limit.remaining);
        }
    }

    /// The requests left, as the report shows them.
    fn remaining(&self, resource: &Resource) -> String {
        let limits = self.0.lock();
        let limit = limits.get(&(resource.endpoint(), resource.group().cloned()));
        limit.map_or_else(|| "-".to_owned(), |limit| format!("{} of {}", limit.remaining, limit.limit))
    }
}

/// A group to check.
struct GroupCheck {
    name: String,
    providers: Vec<Provider>,
}

pub(super) async fn run(
    account: &AccountConfig,
    poll: &PollConfig,
    client: &Client,
    limits: &RateLimits,
) -> AccountReport {
    let mut report = AccountReport::new(&account.name, account.base_url.as_str());
    let may_continue = check_credential(account, &client.credential_info().await, &mut report);
    let mut groups: BTreeMap<GroupId, GroupCheck> = account
        .groups
        .iter()
        .map(|group| (group.id.clone(), GroupCheck { name: group.name.clone(), providers: group.providers.clone() }))
        .collect();
    if account.discover.is_some() {
        let check = if may_continue {
            check_discovery(account, poll, client, limits, &mut groups).await
        } else {
            Check::skipped("projects")
        };
        report.checks.push(check);
    }
    report.groups = if may_continue {
        let checks = groups.into_iter().map(|(id, group)| check_group(id, group, poll, client, limits));
        stream::iter(checks).buffered(poll.concurrency).collect().await
    } else {
        groups.into_iter().map(|(id, group)| GroupReport::new(&id, &group.name)).collect()
    };
    report
}

/// Adds the checks of the credential and the access list. Returns whether further requests make sense.
fn check_credential(
    account: &AccountConfig,
    root: &Result<CredentialInfo, ErrorKind>,
    report: &mut AccountReport,
) -> bool {
    let id = account.credential.pair.id.expose();
    let kind = match account.credential.kind {
        CredentialKind::ApiKey => "API key",
        CredentialKind::ServiceAccount => "service account",
    };
    let accepted = |roles: &str| Check::ok("credential", format!("{kind} `{id}` is accepted{roles}"));
    let refused = |problem| (Check::problem("credential", problem), Check::skipped("access list"));
    let listed = || Check::ok("access list", "allows this address".to_owned());
    let ((credential, access_list), may_continue) = match root {
        Ok(root) if root.roles.is_empty() => ((accepted(""), listed()), true),
        Ok(root) => ((accepted(&format!(", with the roles {}", root.roles.join(", "))), listed()), true),
        Err(error) => match error.reason() {
            Reason::IpAccessList => ((accepted(""), Check::problem("access list", Problem::of(error))), false),
            Reason::NotFound => (refused(Problem::not_atlas(error)), false),
            // Atlas checks both after the credential and the access list.
            Reason::Forbidden | Reason::RateLimited if matches!(error, ErrorKind::ErrorResponse(_)) => {
                (refused(Problem::of(error)), true)
            }
            _ => (refused(Problem::of(error)), false),
        },
    };
    report.checks.extend([credential, access_list]);
    may_continue
}

/// Adds the groups that discovery selects.
async fn check_discovery(
    account: &AccountConfig,
    poll: &PollConfig,
    client: &Client,
    limits: &RateLimits,
    groups: &mut BTreeMap<GroupId, GroupCheck>,
) -> Check {
    let Some(discover) = &account.discover else { return Check::skipped("projects") };
    let found = match client.list_groups(discover.organization.as_ref(), poll.deadline, RETRIES).await {
        Ok(found) => found,
        Err(error) => return Check::problem("projects", Problem::of(&error.kind)),
    };
    let resource = discover.organization.clone().map_or(Resource::Groups, |org| Resource::OrgGroups { org });
    let visible = found.len();
    let selected: Vec<_> = found.into_iter().filter(|group| discover.selects(group)).collect();
    let message =
        format!("{} of {visible} are selected; requests left: {}", selected.len(), limits.remaining(&resource));
    for group in selected {
        let check = GroupCheck { name: group.name, providers: discover.providers.clone() };
        groups.entry(group.id).or_insert(check);
    }
    if groups.is_empty() {
        Check::problem("projects", Problem::no_group(visible))
    } else {
        Check::ok("projects", message)
    }
}

async fn check_group(
    id: GroupId,
    group: GroupCheck,
    poll: &PollConfig,
    client: &Client,
    limits: &RateLimits,
) -> GroupReport {
    let requests = group.providers.iter().map(|provider| client.list_peerings(&id, *provider, poll.deadline, RETRIES));
    let results = join_all(requests).await;
    let mut report = GroupReport::new(&id, &group.name);
    for (provider, result) in group.providers.iter().zip(results) {
        let finding = match result {
            Ok(listing) => Finding::Peerings(listing.peerings.len()),
            Err(error) => Finding::Problem(Problem::of(&error.kind)),
        };
        report.findings.insert(*provider, finding);
    }
    report.requests_left = limits.remaining(&Resource::Peers { group: id, provider: Provider::Aws });
    report
}
