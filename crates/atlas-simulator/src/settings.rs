//! The habits of the simulated API that a scenario can set.

use std::{fmt, time::Duration};

use serde::Deserialize;

use super::{Algorithm, period};

/// A programmatic API key.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The user name.
    pub public_key: String,
    /// The password.
    pub private_key: String,
}

/// A service account, and how its tokens behave.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServiceAccount {
    /// The user name of the token endpoint.
    pub client_id: String,
    /// Its password.
    pub client_secret: String,
    /// A token is no longer accepted at this age.
    #[serde(with = "period")]
    pub token_lifetime: Duration,
    /// How many tokens can be asked for each minute.
    pub mints_per_minute: u32,
    /// How many tokens can be alive at once.
    pub max_tokens: u32,
}

/// How digest authentication behaves.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DigestSettings {
    /// The hash function; Atlas uses MD5.
    pub algorithm: Algorithm,
    /// Without it clients answer as in RFC 2069.
    pub qop: bool,
    /// A nonce older than this is stale.
    #[serde(with = "period")]
    pub nonce_lifetime: Duration,
    /// A nonce that was accepted this often is stale.
    pub nonce_uses: Option<u32>,
}

/// A token bucket.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimit {
    /// How many requests a full bucket allows at once.
    pub capacity: u32,
    /// How many more each minute.
    pub refill_per_minute: u32,
}

/// Whether the client's address is on the access list of the key and of the service account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessList {
    /// It is.
    #[default]
    Allow,
    /// It is not: every authenticated request for a resource is forbidden.
    Deny,
}

impl Default for Credentials {
    fn default() -> Credentials {
        Credentials { public_key: "demo".to_owned(), private_key: "demo".to_owned() }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut credentials = formatter.debug_struct("Credentials");
        credentials.field("public_key", &self.public_key).finish_non_exhaustive()
    }
}

impl Default for ServiceAccount {
    fn default() -> ServiceAccount {
        ServiceAccount {
            client_id: "mdb_sa_id_5f0000000000000000000002".to_owned(),
            client_secret: "mdb_sa_sk_demo".to_owned(),
            token_lifetime: Duration::from_secs(60 * 60),
            mints_per_minute: 10,
            max_tokens: 100,
        }
    }
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ServiceAccount")
            .field("client_id", &self.client_id)
            .field("token_lifetime", &self.token_lifetime)
            .field("mints_per_minute", &self.mints_per_minute)
            .field("max_tokens", &self.max_tokens)
            .finish_non_exhaustive()
    }
}

impl Default for DigestSettings {
    fn default() -> DigestSettings {
        DigestSettings {
            algorithm: Algorithm::Md5,
            qop: true,
            nonce_lifetime: Duration::from_secs(5 * 60),
            nonce_uses: None,
        }
    }
}

impl Default for RateLimit {
    fn default() -> RateLimit {
        RateLimit { capacity: 2000, refill_per_minute: 1000 }
    }
}
