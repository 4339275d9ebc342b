//! The checks of one account: its credential, its groups and their peerings.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use anyhow::Context;
use atlas::{
    Client, ClientEvent, CredentialKind, Endpoint, ErrorKind, GroupId, ListError, Listing, Provider, RateLimit, Reason,
    RequestRecord, Resource,
};
use futures_util::{StreamExt, future::join_all, stream};
use parking_lot::Mutex;

use super::report::{AccountReport, Check, GroupReport, Problem};
use crate::config::{AccountConfig, GroupConfig, PollConfig};

/// After a transient failure; few, because somebody waits for the report.
const RETRIES: u32 = 1;

/// The rate limits seen in responses, by endpoint and group.
type RateLimits = Mutex<HashMap<(Endpoint, Option<GroupId>), RateLimit>>;

pub(super) struct AccountCheck<'a> {
    account: &'a AccountConfig,
    poll: &'a PollConfig,
    client: Client,
    limits: Arc<RateLimits>,
}

impl<'a> AccountCheck<'a> {
    pub(super) fn new(account: &'a AccountConfig, poll: &'a PollConfig) -> anyhow::Result<Self> {
        let limits = Arc::<RateLimits>::default();
        let seen = limits.clone();
        let client = Client::new(account.settings(poll), move |event| {
            if let ClientEvent::Request(RequestRecord { endpoint, group, rate_limit: Some(limit), .. }) = event {
                let mut limits = seen.lock();
                let known = limits.entry((endpoint, group)).or_insert(limit);
                // Responses may arrive in another order than Atlas counted the requests.
                known.remaining = known.remaining.min(limit.remaining);
            }
        });
        let client = client.context("create the HTTP client; are CA certificates installed?")?;
        Ok(Self { account, poll, client, limits })
    }

    pub(super) async fn run(self) -> AccountReport {
        let (credential, access_list, may_continue) = self.check_credential().await;
        let mut checks = vec![credential, access_list];
        let listed = self.account.groups.iter().map(|group| (group.id.clone(), group.clone()));
        let mut groups: BTreeMap<GroupId, GroupConfig> = listed.collect();
        if self.account.discover.is_some() {
            let result = if may_continue { Some(self.check_discovery(&mut groups).await) } else { None };
            checks.push(Check { subject: "projects", result });
        }
        let groups = if may_continue {
            let checks = groups.into_values().map(|group| self.check_group(group));
            stream::iter(checks).buffered(self.poll.concurrency).collect().await
        } else {
            groups.into_values().map(GroupReport::new).collect()
        };
        self.client.close().await;
        AccountReport { name: self.account.name.clone(), base_url: self.account.base_url.to_string(), checks, groups }
    }

    /// The checks of the credential and the access list, and whether further requests make sense.
    async fn check_credential(&self) -> (Check, Check, bool) {
        let id = self.account.credential.pair.id.expose();
        let kind = match self.account.credential.kind {
            CredentialKind::ApiKey => "API key",
            CredentialKind::ServiceAccount => "service account",
        };
        let accepted = |roles: &str| Ok(format!("{kind} `{id}` is accepted{roles}"));
        let listed = Ok("allows this address".to_owned());
        let (credential, access_list, may_continue) = match self.client.credential_info().await {
            Ok(root) if root.roles.is_empty() => (accepted(""), Some(listed), true),
            Ok(root) => (accepted(&format!(", with the roles {}", root.roles.join(", "))), Some(listed), true),
            Err(error) => match error.reason() {
                Reason::IpAccessList => (accepted(""), Some(Err(Problem::of(&error))), false),
                // Atlas checks both after the credential and the access list.
                Reason::Forbidden | Reason::RateLimited if matches!(error, ErrorKind::ErrorResponse(_)) => {
                    (Err(Problem::of(&error)), None, true)
                }
                _ => (Err(Problem::of(&error)), None, false),
            },
        };
        let credential = Check { subject: "credential", result: Some(credential) };
        (credential, Check { subject: "access list", result: access_list }, may_continue)
    }

    /// Adds the groups that discovery selects.
    async fn check_discovery(&self, groups: &mut BTreeMap<GroupId, GroupConfig>) -> Result<String, Problem> {
        let Some(discover) = &self.account.discover else { return Ok(String::new()) };
        let found = self.client.list_groups(discover.organization.as_ref(), self.poll.deadline, RETRIES).await;
        let found = found.map_err(|error| Problem::of(&error.kind))?;
        let visible = found.len();
        let selected: Vec<_> = found.into_iter().filter(|group| discover.selects(group)).collect();
        let resource = discover.organization.clone().map_or(Resource::Groups, Resource::OrgGroups);
        let (count, left) = (selected.len(), self.requests_left(&resource));
        for group in selected {
            let providers = discover.providers.clone();
            let group = GroupConfig { id: group.id, name: group.name, providers };
            groups.entry(group.id.clone()).or_insert(group);
        }
        if groups.is_empty() {
            return Err(Problem::no_group(visible));
        }
        Ok(format!("{count} of {visible} are selected; requests left: {left}"))
    }

    async fn check_group(&self, group: GroupConfig) -> GroupReport {
        let list = |provider| self.client.list_peerings(&group.id, provider, self.poll.deadline, RETRIES);
        let results = join_all(group.providers.iter().copied().map(list)).await;
        let count = |result: Result<Listing, ListError>| {
            result.map(|listing| listing.peerings.len()).map_err(|error| Problem::of(&error.kind))
        };
        let peerings = group.providers.iter().copied().zip(results.into_iter().map(count)).collect();
        let requests_left = self.requests_left(&Resource::Peers(group.id.clone(), Provider::Aws));
        GroupReport { group, peerings, requests_left }
    }

    fn requests_left(&self, resource: &Resource) -> String {
        let limits = self.limits.lock();
        let limit = limits.get(&(resource.endpoint(), resource.group().cloned()));
        limit.map_or_else(|| "-".to_owned(), |limit| format!("{} of {}", limit.remaining, limit.limit))
    }
}
