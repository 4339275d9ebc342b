//! Who makes a request, or why its credentials are rejected.

/// Whose credentials were accepted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Caller {
    /// The owner of this public key.
    ApiKey(String),
    /// The service account with this client ID.
    ServiceAccount(String),
}

/// Why credentials were rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthError {
    Missing,
    Stale,
    BadCredentials,
    ReplayedCount,
    BadToken,
}

impl AuthError {
    /// The outcome in the request log.
    pub(crate) fn outcome(self) -> &'static str {
        match self {
            AuthError::Missing => "challenge",
            AuthError::Stale => "stale",
            AuthError::BadCredentials => "bad_credentials",
            AuthError::ReplayedCount => "replayed_nc",
            AuthError::BadToken => "bad_token",
        }
    }
}
