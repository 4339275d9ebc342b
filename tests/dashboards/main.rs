//! The Grafana dashboards: their form, and every one of their queries against a real Prometheus.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod asking;
mod dashboard;
mod form;
mod installations;
mod links;
mod programs;
mod promql;
mod promtool;
mod queries;
mod replicas;
mod trouble;
