//! Tests of the Prometheus rules and the Alertmanager example: validation, static checks, and mutation tests.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod check;
mod form;
mod mutants;
mod mutation;
mod promql;
mod shipped;
