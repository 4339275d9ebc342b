//! A simulated Atlas Administration API over real sockets: for demos, alert drills and tests.
//!
//! It shares nothing with the rest of the crate, so that it cannot share its mistakes: it verifies digest
//! answers, cuts pages and limits rates by itself, and keeps a log of everything it was asked.
//!
//! ```text
//! scenario.yaml -> Scenario -> Simulator <- faults, changes (Rust, timeline or HTTP under /simulator/)
//! a request -> asked -> digest -> fault -> route -> rate limit -> answer -> delivery
//! ```

mod algorithm;
mod answer;
mod api;
mod api_error;
mod asked;
mod authorization;
mod bucket;
mod change;
mod control;
mod delivery;
mod digest;
mod effect;
mod fault;
mod groups;
mod handle;
mod log;
mod nonces;
mod object_id;
mod page;
mod peering;
mod period;
mod place;
mod provider;
mod query;
mod resource;
mod scenario;
mod serve;
mod settings;
mod timeline;

#[cfg(test)]
mod socket_tests;

pub use {
    algorithm::Algorithm,
    change::{Change, ChangeError},
    effect::{Effect, StatusFault},
    fault::Fault,
    handle::Simulator,
    log::Request,
    peering::Peering,
    provider::Provider,
    scenario::{Group, Scenario, ScenarioError},
    settings::{AccessList, Credentials, DigestSettings, RateLimit},
    timeline::TimelineEntry,
};
