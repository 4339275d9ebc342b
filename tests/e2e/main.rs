//! End-to-end tests: the real binary with a simulated Atlas, Debian's Prometheus and Chromium.

#![allow(clippy::unwrap_used, reason = "a surprise fails the test, in helpers too")]

mod bounds;
mod browser;
mod command_line;
mod connections;
mod demo;
mod exposition;
mod files_that_hang;
mod hostile_values;
mod http;
mod http_pages;
mod logs;
mod once;
mod password_flood;
mod process;
mod prometheus;
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
