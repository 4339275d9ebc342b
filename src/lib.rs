//! Reads every network peering of every group and provider from MongoDB Atlas and serves them to Prometheus.
//!
//! ```text
//! config     YAML text -> Config, or everything that is wrong with it
//! section    one mapping of a YAML file, with its faults
//! scheduler  when to poll which listing
//! atlas      one poll: every page of a group and provider, or an error
//! state      what we know now
//! status     the state -> a page for people, and JSON
//! metrics    the state -> exposition text
//! systemd    what systemd hands over and wants to be told
//! telemetry  renders that text when the state changes
//! roster     the accounts that are watched, and how another config changes them
//! process    the families about this process
//! server     HTTP: routes, limits, the end
//! shard      which groups are this exporter's, where several share an organization
//! simulator  a simulated Atlas API for demo, drills and tests
//! journal    what a client of Atlas tells, into the state and the log
//! healthcheck asks a running exporter whether it is healthy
//! doctor     checks every account and group of a config against Atlas
//! web        the web config: TLS, passwords, headers, a rate limit
//! demo       the exporter on top of the simulator
//! cli        commands and flags
//! logging    what is logged, and how a line looks
//! ```

pub mod cli;
pub mod collector;
pub mod commands;
pub mod config;
mod exporter;
pub mod http;
pub mod logging;
pub mod metrics;
mod reload;
pub mod shard;
pub mod state;
pub mod systemd;

pub use self::{
    collector::once,
    exporter::run,
    reload::{Configs, ReadConfigs, ReloadRequest, Reloads},
};

/// The metrics of a state as text.
#[must_use]
pub fn render(state: &state::State) -> String {
    metrics::render(state, std::time::Instant::now())
}
