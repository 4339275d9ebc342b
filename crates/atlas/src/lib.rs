//! A client for the network peerings of the MongoDB Atlas Administration API.
//!
//! ```text
//! Client               client.rs         the public methods, and one page of a listing
//!   read_all           paging/           every page of a listing, or an error
//!   Authenticator      auth/             sends a request with a credential that may change
//!     CredentialBreaker  breaker.rs        limits attempts with a rejected credential
//!     DigestAuth         digest.rs         API key: responds to the challenge, reuses the nonce
//!       choose             challenge.rs      which challenge of a 401 to respond to
//!     TokenSource        token.rs          service account: mints, renews and revokes the access token
//!       MintLimiter        mint_limiter.rs   limits how often tokens are minted
//!   InFlight           request.rs        reports each HTTP request once, as a `ClientEvent`
//! ```
//! `model` has the types that Atlas returns, `endpoint.rs` what to request, and `error.rs`, `error_response.rs` and
//! `reason.rs` what can fail and what to do about it.

mod auth;
mod backoff;
mod client;
mod endpoint;
mod error;
mod error_response;
mod header;
mod model;
mod paging;
mod proxy;
mod reason;
mod request;
mod trust;

pub use auth::breaker::MAX_CREDENTIAL_PAUSE;
pub use auth::credential::{Credential, CredentialKind, KeyPair};
pub use auth::secret::{Secret, SecretError};
pub use backoff::{Backoff, Retries};
pub use client::{Client, ClientSettings};
pub use endpoint::{ApiVersion, Endpoint, Resource};
pub use error::{ErrorKind, ListError};
pub use error_response::ErrorResponse;
pub use header::{RateLimit, VersionEnds};
pub use model::container::Container;
pub use model::credential_info::CredentialInfo;
pub use model::group::Group;
pub use model::id::{GroupId, InvalidId, OrgId};
pub use model::peering::{Listing, Peering};
pub use model::provider::{Provider, UnknownProvider};
pub use model::wire::InvalidContent;
pub use proxy::{EnvironmentProxies, InvalidProxy, InvalidProxyVariable, ProxyUrl, is_loopback};
pub use reason::Reason;
pub use request::{ClientEvent, Outcome, RequestRecord};
pub use trust::{Authorities, InvalidAuthorities};
