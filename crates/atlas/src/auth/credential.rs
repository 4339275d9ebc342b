//! The credential of an account.

use super::secret::{Secret, SecretError};

/// What authenticates an account.
#[derive(Clone, Debug, PartialEq)]
pub struct Credential {
    /// How it is used.
    pub kind: CredentialKind,
    /// Its ID and its secret.
    pub pair: KeyPair,
}

/// How a credential is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// An API key, with HTTP digest authentication.
    ApiKey,
    /// A service account, which mints access tokens (OAuth 2.0 client credentials).
    ServiceAccount,
}

/// The two halves of a credential.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyPair {
    /// The public key, or the client ID.
    pub id: Secret,
    /// The private key, or the client secret.
    pub secret: Secret,
}

impl KeyPair {
    pub(crate) fn is_from_files(&self) -> bool {
        self.id.is_from_file() || self.secret.is_from_file()
    }

    /// Reads its files again.
    pub(crate) fn reload(&self) -> Result<Self, SecretError> {
        Ok(Self { id: self.id.reload()?, secret: self.secret.reload()? })
    }
}
