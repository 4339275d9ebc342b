//! Who makes a request, or why that is not believed.

use std::time::Instant;

use super::{asked::Asked, proof::Proof, state::State};

/// Whose credentials were accepted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Caller {
    /// With its public half.
    ApiKey(String),
    /// With its client id.
    ServiceAccount(String),
}

/// Why credentials were not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denial {
    Missing,
    Stale,
    BadCredentials,
    ReplayedCount,
    BadToken,
}

impl Denial {
    /// The word for it in the log.
    pub(super) fn outcome(self) -> &'static str {
        match self {
            Denial::Missing => "challenge",
            Denial::Stale => "stale",
            Denial::BadCredentials => "bad_credentials",
            Denial::ReplayedCount => "replayed_nc",
            Denial::BadToken => "bad_token",
        }
    }
}

/// Judges the credentials of a request. One for a token has no others than those of the service account.
pub(super) fn judge(state: &mut State, asked: &Asked, now: Instant) -> Result<Caller, Denial> {
    match &asked.proof {
        Proof::Basic(Some(client)) if asked.route.is_oauth() && state.tokens.knows(client) => {
            Ok(Caller::ServiceAccount(client.id.clone()))
        }
        _ if asked.route.is_oauth() => Err(Denial::BadCredentials),
        Proof::Missing => Err(Denial::Missing),
        Proof::Digest(Some(answer)) => {
            state.digest.judge(&asked.method, &asked.uri, answer, now)?;
            Ok(Caller::ApiKey(state.digest.public_key().to_owned()))
        }
        Proof::Bearer(token) => {
            let client = state.tokens.client_of(token, now).ok_or(Denial::BadToken)?;
            Ok(Caller::ServiceAccount(client.to_owned()))
        }
        Proof::Digest(None) | Proof::Basic(_) | Proof::Other => Err(Denial::BadCredentials),
    }
}
