//! How requests are authenticated.

pub(crate) mod authenticator;
pub(crate) mod breaker;
mod challenge;
pub(crate) mod credential;
pub(crate) mod digest;
pub(crate) mod mint_limiter;
pub(crate) mod secret;
pub(crate) mod token;
