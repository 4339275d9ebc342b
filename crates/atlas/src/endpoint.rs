//! What the client can request.

use std::fmt;

use strum::IntoStaticStr;

use crate::model::{
    id::{GroupId, OrgId},
    provider::Provider,
};

/// A version of the Administration API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiVersion {
    /// v1.0, which Atlas has deprecated.
    V1,
    /// v2 with the resource version 2023-01-01, the only one that has peerings.
    V2,
}

impl ApiVersion {
    /// The version that Atlas announces an end for: the label `version`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1.0",
            Self::V2 => "2023-01-01",
        }
    }

    /// The media type to request.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::V1 => "application/json",
            Self::V2 => "application/vnd.atlas.2023-01-01+json",
        }
    }
}

/// An endpoint of Atlas, ordered by label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Endpoint {
    /// The network containers of a group.
    Containers,
    /// Every group that the credential can see.
    Groups,
    /// Every group of an organization that the credential can see.
    OrgGroups,
    /// The peerings of a group.
    Peers,
    /// Revokes an access token.
    Revoke,
    /// The root of the API, which describes the credential.
    Root,
    /// Mints an access token.
    Token,
}

impl Endpoint {
    /// The value of the label `endpoint`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A resource of the API, to be read with GET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// The peerings of a group with one provider. Without a provider, Atlas would list AWS only.
    Peers(GroupId, Provider),
    /// The network containers of a group, of every provider.
    Containers(GroupId),
    /// Every group that the credential can see.
    Groups,
    /// Every group of an organization that the credential can see.
    OrgGroups(OrgId),
    /// A description of the credential. The cheapest resource.
    Root,
}

impl Resource {
    /// The endpoint that serves it.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        match self {
            Self::Peers(..) => Endpoint::Peers,
            Self::Containers(_) => Endpoint::Containers,
            Self::Groups => Endpoint::Groups,
            Self::OrgGroups(_) => Endpoint::OrgGroups,
            Self::Root => Endpoint::Root,
        }
    }

    /// The group that it belongs to, if any.
    #[must_use]
    pub fn group(&self) -> Option<&GroupId> {
        match self {
            Self::Peers(group, _) | Self::Containers(group) => Some(group),
            Self::Groups | Self::OrgGroups(_) | Self::Root => None,
        }
    }

    /// The query for a page, numbered from 1.
    ///
    /// Counting all results costs Atlas a query of its own, and only a listing without links needs the count. Whether
    /// Atlas sends links is not known before the first page, and that page has the count for the others. Containers
    /// never need it: they only add labels, and a group has few.
    pub(crate) fn query(&self, page: u32, items_per_page: u16) -> Vec<(&'static str, String)> {
        let mut query = Vec::new();
        if let Self::Peers(_, provider) = self {
            query.push(("providerName", provider.to_string()));
        }
        query.extend([("itemsPerPage", items_per_page.to_string()), ("pageNum", page.to_string())]);
        if page > 1 || matches!(self, Self::Containers(_)) {
            query.push(("includeCount", false.to_string()));
        }
        query
    }

    /// The path below the base URL.
    pub(crate) fn path(&self, version: ApiVersion) -> String {
        let version = match version {
            ApiVersion::V1 => "v1.0",
            ApiVersion::V2 => "v2",
        };
        let rest = match self {
            Self::Peers(group, _) => format!("/groups/{group}/peers"),
            Self::Containers(group) => format!("/groups/{group}/containers/all"),
            Self::Groups => "/groups".to_owned(),
            Self::OrgGroups(org) => format!("/orgs/{org}/groups"),
            Self::Root => String::new(),
        };
        format!("/api/atlas/{version}{rest}")
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peers(group, provider) => write!(f, "{provider} peerings of project {group}"),
            Self::Containers(group) => write!(f, "network containers of project {group}"),
            Self::Groups => write!(f, "projects"),
            Self::OrgGroups(org) => write!(f, "projects of organization {org}"),
            Self::Root => write!(f, "root of the API"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_requested_only_with_the_first_page_of_a_listing_that_may_need_it() {
        let group: GroupId = "5e57d85c854180642f784401".parse().unwrap();
        let org: OrgId = "5e57d85c854180642f784402".parse().unwrap();
        for (resource, is_counted) in [
            (Resource::Peers(group.clone(), Provider::Gcp), true),
            (Resource::Groups, true),
            (Resource::OrgGroups(org), true),
            (Resource::Containers(group), false),
        ] {
            let is_uncounted = |page| resource.query(page, 500).contains(&("includeCount", "false".to_owned()));
            assert_eq!([1, 2, 100].map(is_uncounted), [!is_counted, true, true], "{resource}");
        }
    }
}
