//! The MongoDB Atlas Administration API, as far as network peerings need it.
//!
//! ```text
//! Client::list(group, provider, deadline)   listing.rs   every page, or an error
//!   Client::page(group, provider, number)   client.rs    one page, one HTTP exchange
//!     digest::Sessions::send                digest.rs    answers the challenge, keeps the nonce
//! ```
//! Knows nothing of the rest of the exporter.

mod answer;
mod client;
mod digest;
mod error;
mod exchange;
mod group;
mod listing;
mod page;
mod peering;
mod provider;
mod reason;

pub use answer::Answer;
pub use client::{ApiVersion, Client, Settings};
pub use error::{ErrorKind, ListError, Passing, Place};
pub use exchange::{Exchange, RateLimit};
pub use group::{GroupId, InvalidGroupId};
pub use listing::Listing;
pub use peering::Peering;
pub use provider::{Provider, UnknownProvider};
pub use reason::Reason;
