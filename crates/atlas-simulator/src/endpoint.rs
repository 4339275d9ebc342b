//! The simulated endpoints, by the names that faults and the request log use.

use serde::{Deserialize, Serialize};

/// An endpoint of the simulated API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SimulatedEndpoint {
    /// The peerings of a group.
    Peers,
    /// One group.
    Group,
    /// Every group that the caller can see.
    Groups,
    /// The groups of an organization.
    OrgGroups,
    /// The containers of a group.
    Containers,
    /// The description of the API and of the caller.
    Root,
    /// An access token for a service account.
    Token,
    /// The revocation of an access token.
    Revoke,
}

impl SimulatedEndpoint {
    /// Whether its responses have pages.
    pub(crate) fn is_list(self) -> bool {
        use SimulatedEndpoint::{Containers, Groups, OrgGroups, Peers};
        matches!(self, Peers | Groups | OrgGroups | Containers)
    }

    /// Whether it takes the credentials of a service account instead of an access token.
    pub(crate) fn is_oauth(self) -> bool {
        matches!(self, SimulatedEndpoint::Token | SimulatedEndpoint::Revoke)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            SimulatedEndpoint::Peers => "peers",
            SimulatedEndpoint::Group => "group",
            SimulatedEndpoint::Groups => "groups",
            SimulatedEndpoint::OrgGroups => "org_groups",
            SimulatedEndpoint::Containers => "containers",
            SimulatedEndpoint::Root => "root",
            SimulatedEndpoint::Token => "token",
            SimulatedEndpoint::Revoke => "revoke",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_has_the_same_name_in_the_log_and_in_a_fault() {
        use SimulatedEndpoint::{Containers, Group, Groups, OrgGroups, Peers, Revoke, Root, Token};
        for endpoint in [Peers, Group, Groups, OrgGroups, Containers, Root, Token, Revoke] {
            assert_eq!(serde_json::to_value(endpoint).unwrap(), endpoint.name());
        }
    }
}
