//! HTTP: the API, the control API, and the server for both.

mod api;
pub(crate) mod auth;
mod body;
mod control;
mod error;
mod oauth;
mod paging;
pub(crate) mod request;
mod resources;
mod server;
