//! Whether Atlas accepts the credential, and what it may do.

use serde::Deserialize;

use crate::{Client, ErrorKind, Resource};

/// More roles than anybody has; the rest is left out.
const MAX_ROLES: usize = 20;

/// A longer word is no role.
const MAX_WORD: usize = 100;

/// What Atlas says to a credential that it accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CredentialInfo {
    /// The roles of an API key, such as `ORG_READ_ONLY`, each once. Atlas tells none of a service account.
    pub roles: Vec<String>,
}

impl Client {
    /// Asks who the credential belongs to: the cheapest way to learn whether Atlas accepts it.
    ///
    /// # Errors
    /// It is not accepted, or Atlas cannot be asked.
    pub async fn root(&self) -> Result<CredentialInfo, ErrorKind> {
        let wire: WireRoot = self.whole(&Resource::Root).await?;
        let roles = wire.api_key.and_then(|key| key.roles).unwrap_or_default();
        let words = roles.into_iter().filter_map(|role| role.role_name);
        let mut roles: Vec<String> = words.take(MAX_ROLES).map(|word| word.chars().take(MAX_WORD).collect()).collect();
        roles.sort_unstable();
        roles.dedup();
        Ok(CredentialInfo { roles })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireRoot {
    api_key: Option<ApiKey>,
}

#[derive(Deserialize)]
struct ApiKey {
    roles: Option<Vec<Role>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Role {
    role_name: Option<String>,
}
