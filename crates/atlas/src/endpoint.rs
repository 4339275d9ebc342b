//! What Atlas can be asked for.

use std::fmt;

use crate::{ApiVersion, GroupId, OrgId, Provider};

/// Something to ask for with GET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// The peerings of a group with one provider.
    Peers {
        /// Whose.
        group: GroupId,
        /// With whom; without it Atlas lists AWS only.
        provider: Provider,
    },
    /// The network containers of a group, of every provider.
    Containers {
        /// Whose.
        group: GroupId,
    },
    /// Every group that the credential may see.
    Groups,
    /// Every group of an organization that the credential may see.
    OrgGroups {
        /// The organization.
        org: OrgId,
    },
    /// Who the credential belongs to. The cheapest thing to ask for.
    Root,
}

impl Resource {
    /// The word for it in the label `endpoint`.
    #[must_use]
    pub fn endpoint(&self) -> &'static str {
        match self {
            Self::Peers { .. } => "peers",
            Self::Containers { .. } => "containers",
            Self::Groups => "groups",
            Self::OrgGroups { .. } => "org_groups",
            Self::Root => "root",
        }
    }

    /// The group it is about.
    #[must_use]
    pub fn group(&self) -> Option<&GroupId> {
        match self {
            Self::Peers { group, .. } | Self::Containers { group } => Some(group),
            Self::Groups | Self::OrgGroups { .. } | Self::Root => None,
        }
    }

    /// Below the base URL.
    pub(crate) fn path(&self, version: ApiVersion) -> String {
        let rest = match self {
            Self::Peers { group, .. } => format!("/groups/{group}/peers"),
            Self::Containers { group } => format!("/groups/{group}/containers/all"),
            Self::Groups => "/groups".to_owned(),
            Self::OrgGroups { org } => format!("/orgs/{org}/groups"),
            Self::Root => String::new(),
        };
        format!("/api/atlas/{}{rest}", version.in_path())
    }

    pub(crate) fn provider(&self) -> Option<Provider> {
        match self {
            Self::Peers { provider, .. } => Some(*provider),
            _ => None,
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peers { group, provider } => write!(f, "{provider} peerings of group {group}"),
            Self::Containers { group } => write!(f, "containers of group {group}"),
            Self::Groups => write!(f, "groups"),
            Self::OrgGroups { org } => write!(f, "groups of organization {org}"),
            Self::Root => write!(f, "root of the API"),
        }
    }
}
