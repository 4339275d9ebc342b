//! Exports the state of every network peering in MongoDB Atlas to Prometheus.
//!
//! ```text
//! cli        commands and flags
//! commands   what each command does: serve, check-config, once, doctor, simulate, demo, healthcheck
//! config     YAML text -> Config, or every fault in it
//! exporter   runs everything below until shutdown
//! reload     replaces the config of a running exporter
//! collector  schedules polls, discoveries and container requests
//! state      what is known now, changed by the collector
//! metrics    the state -> exposition text
//! http       serves the exposition, the status page, JSON and probes
//! shard      which groups belong to this exporter, where several share an organization
//! logging    the log on standard error
//! core_dumps disables core dumps
//! systemd    socket activation, readiness and watchdog
//! ```
//!
//! The API client, the simulated Atlas and the web config are crates of their own.

pub mod cli;
pub mod collector;
pub mod commands;
pub mod config;
pub mod core_dumps;
pub mod exporter;
pub mod http;
pub mod logging;
pub mod metrics;
pub mod reload;
pub mod shard;
pub mod state;
pub mod systemd;
