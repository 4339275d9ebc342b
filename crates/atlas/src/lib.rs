//! The MongoDB Atlas Administration API, as far as network peerings need it.
//!
//! ```text
//! Client::list, groups, containers     listing.rs, group.rs, container.rs   what the exporter asks for
//!   Client::all(resource)              pages.rs       every page, or an error
//!     Client::page(resource, number)   client.rs      one page
//!       Asker::ask(request)            credential.rs  whatever the credential is, and while it changes
//!         Gate                         gate.rs        one that is refused is not hammered
//!         Sessions::ask                digest.rs      an API key: answers the challenge, keeps the nonce
//!         Tokens::ask                  token.rs       a service account: mints, renews and revokes its token
//!           Brake                      brake.rs       never too often
//! ```
//! Knows nothing of the rest of the exporter, and tells what happens as a `ClientEvent`.

mod auth;
mod authorities;
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

pub use auth::authenticator::{Credential, CredentialKind, KeyPair};
pub use auth::secret::{Secret, SecretError};
pub use authorities::{Authorities, InvalidAuthorities};
pub use client::{ApiVersion, Client, Settings};
pub use endpoint::Resource;
pub use error::{ErrorKind, JsonPosition, ListError, TransientError};
pub use error_response::ErrorResponse;
pub use model::container::Container;
pub use model::credential_info::CredentialInfo;
pub use model::group::Group;
pub use model::id::{GroupId, InvalidId, OrgId};
pub use model::listing::Listing;
pub use model::peering::Peering;
pub use model::provider::{Provider, UnknownProvider};
pub use proxy::{InvalidProxy, ProxyUrl};
pub use reason::Reason;
pub use request::{ClientEvent, RateLimit, RequestRecord, VersionEnds};
