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
//! Knows nothing of the rest of the exporter, and tells what happens as a `Report`.

mod answer;
mod authorities;
mod brake;
mod client;
mod container;
mod credential;
mod digest;
mod error;
mod exchange;
mod gate;
mod group;
mod header;
mod id;
mod listing;
mod page;
mod pages;
mod peering;
mod provider;
mod proxy;
mod reason;
mod resource;
mod root;
mod secret;
mod token;

pub use answer::Answer;
pub use authorities::{Authorities, InvalidAuthorities};
pub use client::{ApiVersion, Client, Settings};
pub use container::Container;
pub use credential::{Credential, CredentialKind, Pair};
pub use error::{ErrorKind, ListError, Passing, Place};
pub use exchange::{Exchange, RateLimit, Report, VersionEnds};
pub use group::Group;
pub use id::{GroupId, InvalidId, OrgId};
pub use listing::Listing;
pub use peering::Peering;
pub use provider::{Provider, UnknownProvider};
pub use proxy::{InvalidProxy, ProxyUrl};
pub use reason::Reason;
pub use resource::Resource;
pub use root::Root;
pub use secret::{Secret, SecretError};
