//! Reads every network peering of every group and provider from MongoDB Atlas and serves them to Prometheus.

pub mod atlas;
pub mod simulator;
