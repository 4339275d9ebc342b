//! The settings of the simulated API in a scenario.

use std::{fmt, time::Duration};

use serde::Deserialize;

use super::duration_serde;

/// An API key. Its `Debug` hides the private half.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The public half, which is the user name.
    pub public_key: String,
    /// The private half, which is the password.
    pub private_key: String,
}

/// A service account, and the limits of its tokens. Its `Debug` hides the secret.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServiceAccount {
    /// The client ID.
    pub client_id: String,
    /// The client secret.
    pub client_secret: String,
    /// The age at which a token expires.
    #[serde(with = "duration_serde")]
    pub token_lifetime: Duration,
    /// The number of requests for a token each minute.
    pub mints_per_minute: u32,
    /// The number of tokens that can be valid at once.
    pub max_tokens: u32,
}

/// How digest authentication works.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DigestSettings {
    /// The hash function; Atlas uses MD5.
    pub algorithm: Algorithm,
    /// Without it clients respond as in RFC 2069.
    pub qop: bool,
    /// The age at which a nonce is stale.
    #[serde(with = "duration_serde")]
    pub nonce_lifetime: Duration,
    /// The number of uses after which a nonce is stale.
    pub nonce_uses: Option<u32>,
}

/// The hash function of digest authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, strum::IntoStaticStr)]
pub enum Algorithm {
    /// RFC 2617 and Atlas
    #[serde(rename = "MD5")]
    #[strum(serialize = "MD5")]
    Md5,
    /// RFC 7616
    #[serde(rename = "SHA-256")]
    #[strum(serialize = "SHA-256")]
    Sha256,
}

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimitSettings {
    /// The number of requests that a full bucket allows at once.
    pub capacity: u32,
    /// The number of requests that are added each minute.
    pub refill_per_minute: u32,
}

/// Whether the client's address is on the access list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessList {
    /// It is.
    #[default]
    Allow,
    /// It is not, and every authenticated request for a resource is forbidden.
    Deny,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("public_key", &self.public_key).finish_non_exhaustive()
    }
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceAccount").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

impl Default for Credentials {
    fn default() -> Credentials {
        Credentials { public_key: "demo".to_owned(), private_key: "demo".to_owned() }
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

impl Default for RateLimitSettings {
    fn default() -> RateLimitSettings {
        RateLimitSettings { capacity: 2000, refill_per_minute: 1000 }
    }
}
