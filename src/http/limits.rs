//! The limits on what a client may do.

use std::time::Duration;

/// The limits of the server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections. Beyond this limit, each new one evicts another.
    pub connections: usize,
    /// How many of them are reserved for clients on this machine, such as health checks.
    pub loopback_connections: usize,
    /// The time from accepting a connection to its first request, including the TLS handshake.
    pub first_request: Duration,
    /// The time between two requests.
    pub idle: Duration,
    /// The time from the header of a request to the last byte of its response.
    pub response: Duration,
    /// The time that in-flight requests have to finish on shutdown.
    pub drain: Duration,
}

impl Default for Limits {
    /// A scraper needs one connection, and keeps it if it scrapes once a minute. It gives up after its timeout, which
    /// is rarely as long as its interval. Container engines send SIGKILL ten seconds after SIGTERM.
    fn default() -> Self {
        Self {
            connections: 256,
            loopback_connections: 16,
            first_request: Duration::from_secs(20),
            idle: Duration::from_secs(120),
            response: Duration::from_secs(60),
            drain: Duration::from_secs(8),
        }
    }
}
