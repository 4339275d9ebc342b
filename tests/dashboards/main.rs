//! Tests of the Grafana dashboards: static checks, and all queries against Prometheus.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod dashboard;
mod failures;
mod form;
mod installations;
mod links;
mod programs;
mod prometheus;
mod promql;
mod promtool;
mod queries;
mod replicas;
