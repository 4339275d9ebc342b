//! End-to-end tests: the exporter's own program, beside Debian's Prometheus and a simulated Atlas.

#![allow(clippy::unwrap_used, reason = "whatever is not as expected fails the test, in helpers too")]

mod browser;
mod command_line;
mod demo;
mod exposition;
mod hostile_values;
mod http;
mod http_pages;
mod logs;
mod once;
mod process;
mod prometheus;
mod reach;
mod scraping;
mod secrets;
mod setup;
mod shutdown;
mod status_page;
mod systemd;
mod tls;
mod tls_atlas;
mod web;
mod web_clients;
mod web_limits;
mod web_requests;
mod web_tls;
