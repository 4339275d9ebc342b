//! How a request proves who sends it.

pub(crate) mod authenticator;
pub(crate) mod breaker;
pub(crate) mod digest;
pub(crate) mod mint_limiter;
pub(crate) mod secret;
pub(crate) mod token;
