//! A group of a scenario.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{container::ScenarioContainer, peering::ScenarioPeering};

/// An Atlas project, which the API calls a group.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScenarioGroup {
    /// 24 hexadecimal digits.
    pub id: String,
    /// Its display name.
    pub name: String,
    /// False if the caller has no role in the group.
    #[serde(default = "enabled")]
    pub access: bool,
    /// Its organization; that of the scenario by default.
    pub org_id: Option<String>,
    /// The value of each tag.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Its containers, of every provider.
    #[serde(default)]
    pub containers: Vec<ScenarioContainer>,
    /// Its peerings, of every provider.
    #[serde(default)]
    pub peerings: Vec<ScenarioPeering>,
}

impl ScenarioGroup {
    /// A group in which the caller has a role.
    #[must_use]
    pub fn new(id: &str, name: &str, peerings: Vec<ScenarioPeering>) -> ScenarioGroup {
        ScenarioGroup {
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

fn enabled() -> bool {
    true
}
