//! The rules for Prometheus and the example for Alertmanager: their form, what each clause is for, and the way of an
//! alert from a simulated Atlas to a receiver, by the real programs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod check;
mod form;
mod mutants;
mod mutation;
mod promql;
mod shipped;
