//! What Atlas reports about a credential that it accepts.

use serde::Deserialize;

/// More roles than any real credential has; the rest is omitted.
const MAX_ROLES: usize = 20;

/// Longer role names are truncated.
const MAX_ROLE: usize = 100;

/// What Atlas reports about a credential that it accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "WireRoot")]
pub struct CredentialInfo {
    /// The roles of an API key, such as `ORG_READ_ONLY`, each once. Atlas reports none for a service account.
    pub roles: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireRoot {
    api_key: Option<WireApiKey>,
}

#[derive(Deserialize)]
struct WireApiKey {
    roles: Option<Vec<WireRole>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireRole {
    role_name: Option<String>,
}

impl From<WireRoot> for CredentialInfo {
    fn from(wire: WireRoot) -> Self {
        let roles = wire.api_key.and_then(|key| key.roles).unwrap_or_default();
        let names = roles.into_iter().filter_map(|role| role.role_name).take(MAX_ROLES);
        let mut roles: Vec<String> = names.map(|name| name.chars().take(MAX_ROLE).collect()).collect();
        roles.sort_unstable();
        roles.dedup();
        Self { roles }
    }
}
