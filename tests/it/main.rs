//! The exporter against the simulator, over real sockets.

#![allow(clippy::unwrap_used, clippy::float_cmp, missing_docs, unreachable_pub, reason = "a test fails by panicking")]

mod access_token;
mod containers;
mod digest;
mod discovery;
mod doctor;
mod layering;
mod lifetimes;
mod limits;
mod listing;
mod organization;
mod page;
mod reasons;
mod reload;
mod rig;
mod rotation;
mod scheduling;
mod shards;
