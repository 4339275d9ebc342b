//! Alerts from end to end: a simulated Atlas, the exporter, Prometheus, Alertmanager, and a receiver of notifications. The
//! tests use the shipped files, made faster by `prometheus/faster.sed`. They are a separate binary, so that no other test
//! competes for the processor.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod alertmanager;
mod blindness;
mod drill;
mod failure;
#[path = "../e2e/http.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod http;
mod inhibitions;
#[path = "../e2e/process.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod process;
mod receiver;
mod system;
