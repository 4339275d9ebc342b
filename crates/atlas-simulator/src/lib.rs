//! A simulated Atlas Administration API over real sockets: for demos, alert drills and tests.
//!
//! It shares nothing with the rest of the crate, so that it cannot share its mistakes: it verifies digest
//! answers and tokens, cuts pages and limits rates by itself, and keeps a log of everything it was asked.
//!
//! ```text
//! scenario.yaml -> Scenario -> Simulator <- faults, changes (Rust, timeline or HTTP under /simulator/)
//! a request -> asked (route, query, proof) -> caller -> fault, or
//!   token and revoke -> oauth    -> answer -> delivery
//!   a resource       -> resource -> bucket -> content -> answer -> delivery
//! ```

mod algorithm;
mod answer;
mod api;
mod api_error;
mod asked;
mod authorization;
mod bucket;
mod buckets;
mod caller;
mod change;
mod container;
mod content;
mod control;
mod delivery;
mod digest;
mod effect;
mod endpoint;
mod fault;
mod forced;
mod group;
mod groups;
mod handle;
mod inhabited;
mod log;
mod nonces;
mod oauth;
mod object_id;
mod page;
mod peering;
mod percent;
mod period;
mod place;
mod proof;
mod provider;
mod query;
mod resource;
mod route;
mod scenario;
mod serve;
mod settings;
mod state;
mod timeline;
mod tokens;

#[cfg(test)]
mod socket_tests;

pub use {
    algorithm::Algorithm,
    change::{Change, ChangeError},
    container::Container,
    effect::{Effect, StatusFault},
    endpoint::Endpoint,
    fault::Fault,
    group::Group,
    handle::Simulator,
    log::Request,
    peering::Peering,
    provider::Provider,
    scenario::{Scenario, ScenarioError},
    settings::{AccessList, Credentials, DigestSettings, RateLimit, ServiceAccount},
    timeline::TimelineEntry,
};
