//! The places of the control API, and what can be done at each.

use super::percent::decode;

/// What a path leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    Page,
    Groups,
    Group { group: String },
    Peers { group: String },
    Peering { group: String, peering: String },
    Requests,
    Faults,
    Credentials,
    Client,
    Tokens,
    AccessList,
    Sunset,
}

impl Place {
    /// Reads a path; what is between its slashes may be percent-encoded.
    pub(super) fn of(path: &str) -> Option<Place> {
        let segments: Vec<_> = path.trim_matches('/').split('/').map(decode).collect();
        let segments: Vec<_> = segments.iter().map(String::as_str).collect();
        let place = match segments.as_slice() {
            ["simulator"] => Place::Page,
            ["simulator", "groups"] => Place::Groups,
            ["simulator", "groups", group] => Place::Group { group: (*group).to_owned() },
            ["simulator", "groups", group, "peers"] => Place::Peers { group: (*group).to_owned() },
            ["simulator", "groups", group, "peers", peering] => {
                Place::Peering { group: (*group).to_owned(), peering: (*peering).to_owned() }
            }
            ["simulator", "requests"] => Place::Requests,
            ["simulator", "faults"] => Place::Faults,
            ["simulator", "credentials"] => Place::Credentials,
            ["simulator", "client"] => Place::Client,
            ["simulator", "tokens"] => Place::Tokens,
            ["simulator", "access-list"] => Place::AccessList,
            ["simulator", "sunset"] => Place::Sunset,
            _ => return None,
        };
        Some(place)
    }

    /// The value of `Allow`.
    pub(super) fn methods(&self) -> &'static str {
        match self {
            Place::Page => "GET, HEAD",
            Place::Groups => "GET, HEAD, POST",
            Place::Group { .. } => "DELETE",
            Place::Peers { .. } | Place::Credentials | Place::Client | Place::AccessList => "POST",
            Place::Peering { .. } | Place::Sunset => "POST, DELETE",
            Place::Requests | Place::Tokens => "GET, HEAD, DELETE",
            Place::Faults => "GET, HEAD, POST, DELETE",
        }
    }

    /// Whether what is said here must not be logged.
    pub(super) fn has_secret(&self) -> bool {
        matches!(self, Place::Credentials | Place::Client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_percent_decoded_after_the_path_is_taken_apart() {
        let peering = |text| match Place::of(&format!("/simulator/groups/g%67/peers/{text}")) {
            Some(Place::Peering { group, peering }) if group == "gg" => peering,
            other => panic!("{text}: {other:?}"),
        };
        for (text, expected) in [("a%20b", "a b"), ("a%2Fb", "a/b"), ("a+b", "a+b"), ("100%", "100%")] {
            assert_eq!(peering(text), expected, "{text}");
        }
    }

    #[test]
    fn only_known_paths_lead_somewhere() {
        assert_eq!(Place::of("/simulator/"), Some(Place::Page));
        assert_eq!(Place::of("/simulator/groups/"), Some(Place::Groups));
        for path in ["/", "", "/simulatorx", "/simulator//faults", "/simulator/nothing", "/simulator/groups/g/nothing"]
        {
            assert_eq!(Place::of(path), None, "{path}");
        }
    }
}
