//! The exporter against the simulator, over real sockets.

#![allow(clippy::unwrap_used, clippy::float_cmp, missing_docs, unreachable_pub, reason = "a test fails by panicking")]

mod access_token;
mod attacks;
mod containers;
mod digest;
mod discovery;
mod doctor;
mod exposition;
mod isolation;
mod layering;
mod lifetimes;
mod limits;
mod listing;
mod odd_groups;
mod organization;
mod reasons;
mod reload;
mod rotation;
mod scheduling;
mod setup;
mod shards;
