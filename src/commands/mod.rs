//! What the program can be asked to do.

pub mod demo;
pub mod doctor;
pub mod healthcheck;
