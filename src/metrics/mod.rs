//! The state in Prometheus's text format: a function of the state and the time, without memory and I/O.

mod accounts;
mod api;
mod exporter;
pub mod family;
mod peerings;
mod polls;
mod text;

use std::time::Instant;

pub use self::exporter::process_text;
use self::text::TextBuilder;
use crate::state::State;

/// The media type of what [`render`] returns.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All series of a state at `now`, in the text format 0.0.4.
#[must_use]
pub fn render(state: &State, now: Instant) -> String {
    let mut text = TextBuilder::default();
    peerings::write(&mut text, state, now);
    accounts::write_groups(&mut text, state);
    polls::write(&mut text, state, now);
    api::write(&mut text, state);
    accounts::write_credentials(&mut text, state);
    exporter::write(&mut text, state);
    text.into_text()
}

#[cfg(test)]
mod tests;
