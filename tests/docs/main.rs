//! Checks the documentation against the code.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]

mod architecture;
mod configuration;
mod examples;
mod links;
mod logs;
mod markdown;
mod metrics;
mod simulator;
mod status;
mod supply_chain;
mod web;
mod words;
