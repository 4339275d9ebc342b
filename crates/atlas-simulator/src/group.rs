//! One group as a scenario writes it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Container, Peering};

/// An Atlas group.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// 24 hexadecimal digits.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// False for a group on which the caller has no role.
    #[serde(default = "yes")]
    pub access: bool,
    /// The organization it belongs to; the scenario's unless told otherwise.
    #[serde(default)]
    pub org_id: Option<String>,
    /// Its tags: the value of each key.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Its containers, of every provider.
    #[serde(default)]
    pub containers: Vec<Container>,
    /// Its peerings, of every provider.
    #[serde(default)]
    pub peerings: Vec<Peering>,
}

impl Group {
    /// A group on which the caller has a role.
    #[must_use]
    pub fn new(id: &str, name: &str, peerings: Vec<Peering>) -> Group {
        Group {
            id: id.to_owned(),
            name: name.to_owned(),
            access: true,
            org_id: None,
            tags: BTreeMap::new(),
            containers: Vec::new(),
            peerings,
        }
    }
}

fn yes() -> bool {
    true
}
