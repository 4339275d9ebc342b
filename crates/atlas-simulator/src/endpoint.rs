//! The endpoints that are simulated, by the words that faults and the log have for them.

use serde::{Deserialize, Serialize};

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// The peerings of a group.
    Peers,
    /// One group.
    Group,
    /// Every group that the caller sees.
    Groups,
    /// The groups of an organization.
    OrgGroups,
    /// The containers of a group.
    Containers,
    /// What the API says of itself and of the caller.
    Root,
    /// A token for a service account.
    Token,
    /// The end of a token.
    Revoke,
}

impl Endpoint {
    /// Whether it answers page by page.
    pub(super) fn is_list(self) -> bool {
        matches!(self, Endpoint::Peers | Endpoint::Groups | Endpoint::OrgGroups | Endpoint::Containers)
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Endpoint::Peers => "peers",
            Endpoint::Group => "group",
            Endpoint::Groups => "groups",
            Endpoint::OrgGroups => "org_groups",
            Endpoint::Containers => "containers",
            Endpoint::Root => "root",
            Endpoint::Token => "token",
            Endpoint::Revoke => "revoke",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_has_one_word_in_the_log_and_in_a_fault() {
        use Endpoint::{Containers, Group, Groups, OrgGroups, Peers, Revoke, Root, Token};
        for endpoint in [Peers, Group, Groups, OrgGroups, Containers, Root, Token, Revoke] {
            assert_eq!(serde_json::to_value(endpoint).unwrap(), endpoint.word());
        }
    }
}
