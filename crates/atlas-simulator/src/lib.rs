//! A simulated Atlas Administration API over real sockets, for demos, alert drills and tests.
//!
//! It shares no code with the client, so it cannot share the client's mistakes: it verifies digest responses and
//! tokens, divides lists into pages and limits rates on its own, and logs every request.
//!
//! ```text
//! scenario.yaml -> Scenario -> Simulator <- faults, changes (Rust, timeline or HTTP under /simulator/)
//! request -> http::request (route, query, credentials) -> authenticate -> fault, or
//!   token, revoke -> http::oauth                    -> http::body
//!   resource      -> rate limit -> http::resources  -> http::body
//! ```

mod endpoint;
mod fault;
mod http;
mod scenario;
mod simulator;
mod state;

#[cfg(test)]
mod socket_tests;

pub use endpoint::SimulatedEndpoint;
pub use fault::{Effect, Endless, Fault, StatusFault};
pub use scenario::{
    Scenario, ScenarioError,
    container::ScenarioContainer,
    group::ScenarioGroup,
    peering::ScenarioPeering,
    provider::ScenarioProvider,
    settings::{AccessList, Algorithm, Credentials, DigestSettings, RateLimitSettings, ServiceAccount},
    timeline::TimelineEntry,
};
pub use simulator::Simulator;
pub use state::{change::ChangeError, request_log::LoggedRequest};
