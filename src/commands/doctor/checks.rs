//! One account: its credential, its groups, their peerings.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures_util::{StreamExt, future::join_all, stream};

use super::{
    report::{self, Check, Finding},
    trouble::{Trouble, of},
};
use crate::config::{AccountConfig, PollConfig};
use atlas::{
    Client, ClientEvent, CredentialInfo, CredentialKind, Endpoint, ErrorKind, GroupId, Provider, RateLimit, Reason,
    Resource,
};

/// After a passing failure; somebody waits for the table.
const RETRIES: usize = 1;

/// What the client told meanwhile: how full the buckets are, by endpoint and group.
#[derive(Default)]
pub(super) struct Heard(Mutex<HashMap<(Endpoint, Option<GroupId>), RateLimit>>);

impl Heard {
    pub(super) fn listen(&self, report: ClientEvent) {
        if let ClientEvent::Request(exchange) = report
            && let Some(rate_limit) = exchange.rate_limit
        {
            // Answers do not come in the order in which Atlas counted their requests.
            let mut limits = self.limits();
            let known = limits.entry((exchange.endpoint, exchange.group)).or_insert(rate_limit);
            known.remaining = known.remaining.min(rate_limit.remaining);
        }
    }

    fn limit(&self, resource: &Resource) -> Option<RateLimit> {
        self.limits().get(&(resource.endpoint(), resource.group().cloned())).copied()
    }

    fn limits(&self) -> MutexGuard<'_, HashMap<(Endpoint, Option<GroupId>), RateLimit>> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A group to look at.
struct Patient {
    name: String,
    providers: Vec<Provider>,
}

pub(super) async fn examine(
    account: &AccountConfig,
    poll: &PollConfig,
    client: &Client,
    heard: &Heard,
) -> report::Account {
    let mut found = report::Account::new(&account.name, account.base_url.as_str());
    let root = client.credential_info().await;
    let may_go_on = examine_credential(account, &root, &mut found);
    let mut patients = listed(account);
    if account.discover.is_some() {
        let check = if may_go_on {
            discover(account, poll, client, heard, &mut patients).await
        } else {
            Check::not_made("groups")
        };
        found.checks.push(check);
    }
    if may_go_on {
        let groups = patients.into_iter().map(|(id, patient)| group(id, patient, poll, client, heard));
        found.groups = stream::iter(groups).buffered(poll.concurrency).collect().await;
    } else {
        let groups = patients.into_iter().map(|(id, patient)| report::Group::unseen(&id, &patient.name));
        found.groups = groups.collect();
    }
    found
}

/// Adds the checks of the credential and the access list; says whether it makes sense to ask for more.
fn examine_credential(
    account: &AccountConfig,
    root: &Result<CredentialInfo, ErrorKind>,
    found: &mut report::Account,
) -> bool {
    let id = account.credential.pair.id.expose();
    let kind = match account.credential.kind {
        CredentialKind::ApiKey => "API key",
        CredentialKind::ServiceAccount => "service account",
    };
    let accepted = |roles: &str| Check::ok("credential", format!("{kind} `{id}` is accepted{roles}"));
    let listed = Check::ok("access list", "this address may call".to_owned());
    let (credential, access_list, may_go_on) = match root {
        Ok(root) if root.roles.is_empty() => (accepted(""), listed, true),
        Ok(root) => (accepted(&format!("; its roles are {}", root.roles.join(", "))), listed, true),
        Err(error) => match error.reason() {
            Reason::IpAccessList => (accepted(""), Check::trouble("access list", of(error)), false),
            Reason::NotFound => {
                (Check::trouble("credential", Trouble::no_atlas(error)), Check::not_made("access list"), false)
            }
            // Whatever this is, it comes after the credential and the access list.
            Reason::Forbidden | Reason::RateLimited if matches!(error, ErrorKind::ErrorResponse(_)) => {
                (Check::trouble("credential", of(error)), Check::not_made("access list"), true)
            }
            _ => (Check::trouble("credential", of(error)), Check::not_made("access list"), false),
        },
    };
    found.checks.extend([credential, access_list]);
    may_go_on
}

fn listed(account: &AccountConfig) -> BTreeMap<GroupId, Patient> {
    let patient =
        |group: &crate::config::GroupConfig| Patient { name: group.name.clone(), providers: group.providers.clone() };
    account.groups.iter().map(|group| (group.id.clone(), patient(group))).collect()
}

/// Adds the groups that are found and selected.
async fn discover(
    account: &AccountConfig,
    poll: &PollConfig,
    client: &Client,
    heard: &Heard,
    patients: &mut BTreeMap<GroupId, Patient>,
) -> Check {
    let Some(discover) = &account.discover else { return Check::not_made("groups") };
    let groups = match client.list_groups(discover.organization.as_ref(), poll.deadline, RETRIES).await {
        Ok(groups) => groups,
        Err(error) => return Check::trouble("groups", of(&error.kind)),
    };
    let resource = discover.organization.clone().map_or(Resource::Groups, Resource::OrgGroups);
    let count = groups.len();
    let selected: Vec<_> = groups.into_iter().filter(|group| discover.selects(group)).collect();
    let (watched, left) = (selected.len(), left(heard.limit(&resource)));
    for group in selected {
        let patient = Patient { name: group.name, providers: discover.providers.clone() };
        patients.entry(group.id).or_insert(patient);
    }
    let message = format!("{watched} of {count} are watched; requests left: {left}");
    if patients.is_empty() { Check::trouble("groups", Trouble::no_group(count)) } else { Check::ok("groups", message) }
}

async fn group(id: GroupId, patient: Patient, poll: &PollConfig, client: &Client, heard: &Heard) -> report::Group {
    let asked = patient.providers.iter().map(|provider| client.list_peerings(&id, *provider, poll.deadline, RETRIES));
    let outcomes = join_all(asked).await;
    let mut group = report::Group::unseen(&id, &patient.name);
    for (provider, outcome) in patient.providers.iter().zip(outcomes) {
        let finding = match outcome {
            Ok(listing) => Finding::Peerings(listing.peerings.len()),
            Err(error) => Finding::Trouble(of(&error.kind)),
        };
        group.findings.insert(*provider, finding);
    }
    group.left = left(heard.limit(&Resource::Peers(id, Provider::Aws)));
    group
}

fn left(limit: Option<RateLimit>) -> String {
    limit.map_or_else(|| "-".to_owned(), |limit| format!("{} of {}", limit.remaining, limit.limit))
}
