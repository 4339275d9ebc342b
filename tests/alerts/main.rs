//! The way of an alert: from a simulated Atlas to a receiver of notifications, by the real exporter, Prometheus and
//! Alertmanager with the shipped files, made faster by `prometheus/faster.sed`. A binary of its own, so that nothing
//! else takes the processor meanwhile.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

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
