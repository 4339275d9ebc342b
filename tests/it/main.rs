//! The exporter against the simulator, over real sockets.

#![allow(clippy::unwrap_used, clippy::float_cmp, missing_docs, unreachable_pub, reason = "a test fails by panicking")]

mod digest;
mod lifetimes;
mod listing;
mod page;
mod reasons;
mod rig;
mod scheduling;
mod tidy;
