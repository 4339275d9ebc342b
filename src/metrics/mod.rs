//! The state in Prometheus's text format: a function of the state and the time, without memory and I/O.

mod accounts;
mod api;
pub mod family;
mod peerings;
mod polls;
mod text;

use std::time::Instant;

use self::text::{TextBuilder, unix_seconds};
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
    text.family(&family::BUILD_INFO, [([env!("CARGO_PKG_VERSION")], 1)]);
    text.family(&family::SHARD_INDEX, [([], state.shard.index)]);
    text.family(&family::SHARD_COUNT, [([], state.shard.count)]);
    text.family(&family::CONFIG_SUCCESS, [([], u8::from(state.last_reload_ok))]);
    text.family(&family::CONFIG_SUCCESS_TIME, [([], unix_seconds(state.config_read))]);
    text.text
}

/// The current families of the process in the text format 0.0.4: processor time, memory, file descriptors, start;
/// about 1 kB.
#[must_use]
pub fn process_text() -> String {
    // The library's default registry has only the process collector, which exists on Linux only.
    prometheus::TextEncoder::new().encode_to_string(&prometheus::gather()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
