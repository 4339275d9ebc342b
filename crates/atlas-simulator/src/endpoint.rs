//! The simulated endpoints, by the names that faults and the request log use.

use serde::{Deserialize, Serialize};

/// An endpoint of the simulated API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
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
    /// Every other path, to which no fault can be limited.
    #[serde(skip_deserializing)]
    Unknown,
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
}
