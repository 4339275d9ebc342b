//! What a path leads to.

use super::Endpoint;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// A resource of the API, in one of its two versions.
    Resource {
        v2: bool,
        resource: Resource,
    },
    Token,
    Revoke,
    Unknown,
}

/// A resource, with the id in its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    Root,
    Groups,
    OrgGroups { org: String },
    Group { group: String },
    Peers { group: String },
    Containers { group: String },
}

impl Route {
    pub(super) fn of(path: &str) -> Route {
        let segments: Vec<_> = path.split('/').skip(1).collect();
        match segments.as_slice() {
            ["api", "oauth", "token"] => Route::Token,
            ["api", "oauth", "revoke"] => Route::Revoke,
            ["api", "atlas", version @ ("v2" | "v1.0"), rest @ ..] => match Resource::of(rest) {
                Some(resource) => Route::Resource { v2: *version == "v2", resource },
                None => Route::Unknown,
            },
            _ => Route::Unknown,
        }
    }

    pub(super) fn endpoint(&self) -> Option<Endpoint> {
        match self {
            Route::Resource { resource, .. } => Some(resource.endpoint()),
            Route::Token => Some(Endpoint::Token),
            Route::Revoke => Some(Endpoint::Revoke),
            Route::Unknown => None,
        }
    }

    pub(super) fn resource(&self) -> Option<&Resource> {
        match self {
            Route::Resource { resource, .. } => Some(resource),
            Route::Token | Route::Revoke | Route::Unknown => None,
        }
    }

    pub(super) fn is_v2(&self) -> bool {
        matches!(self, Route::Resource { v2: true, .. })
    }

    /// Whether it takes the credentials of a service account rather than what these buy.
    pub(super) fn is_oauth(&self) -> bool {
        matches!(self, Route::Token | Route::Revoke)
    }
}

impl Resource {
    /// Reads what comes after the version.
    fn of(segments: &[&str]) -> Option<Resource> {
        let owned = |id: &str| id.to_owned();
        let resource = match segments {
            [] => Resource::Root,
            ["groups"] => Resource::Groups,
            ["orgs", org, "groups"] => Resource::OrgGroups { org: owned(org) },
            ["groups", group] => Resource::Group { group: owned(group) },
            ["groups", group, "peers"] => Resource::Peers { group: owned(group) },
            ["groups", group, "containers", "all"] => Resource::Containers { group: owned(group) },
            _ => return None,
        };
        Some(resource)
    }

    fn endpoint(&self) -> Endpoint {
        match self {
            Resource::Root => Endpoint::Root,
            Resource::Groups => Endpoint::Groups,
            Resource::OrgGroups { .. } => Endpoint::OrgGroups,
            Resource::Group { .. } => Endpoint::Group,
            Resource::Peers { .. } => Endpoint::Peers,
            Resource::Containers { .. } => Endpoint::Containers,
        }
    }

    /// The group in its path.
    pub(super) fn group(&self) -> Option<&str> {
        match self {
            Resource::Group { group } | Resource::Peers { group } | Resource::Containers { group } => Some(group),
            Resource::Root | Resource::Groups | Resource::OrgGroups { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_both_versions_lead_to_the_same_resources() {
        let id = || "i".to_owned();
        for (path, resource) in [
            ("", Resource::Root),
            ("/groups", Resource::Groups),
            ("/orgs/i/groups", Resource::OrgGroups { org: id() }),
            ("/groups/i", Resource::Group { group: id() }),
            ("/groups/i/peers", Resource::Peers { group: id() }),
            ("/groups/i/containers/all", Resource::Containers { group: id() }),
        ] {
            for (version, v2) in [("v2", true), ("v1.0", false)] {
                let route = Route::of(&format!("/api/atlas/{version}{path}"));
                assert_eq!(route, Route::Resource { v2, resource: resource.clone() });
            }
        }
    }

    #[test]
    fn tokens_have_no_version_and_other_paths_lead_nowhere() {
        assert_eq!(Route::of("/api/oauth/token"), Route::Token);
        assert_eq!(Route::of("/api/oauth/revoke"), Route::Revoke);
        for path in ["/", "/api/atlas", "/api/atlas/v3", "/api/atlas/v2/oauth/token", "/api/atlas/v2/groups/g/peers/p"]
        {
            assert_eq!(Route::of(path), Route::Unknown, "{path}");
        }
    }
}
