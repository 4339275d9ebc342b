//! The families of the exporter itself and of its process.

use super::{
    family,
    text::{TextBuilder, unix_seconds},
};
use crate::state::State;

pub(super) fn write(text: &mut TextBuilder, state: &State) {
    text.family(&family::BUILD_INFO, [([env!("CARGO_PKG_VERSION")], 1)]);
    text.family(&family::SHARD_INDEX, [([], state.shard.index)]);
    text.family(&family::SHARD_COUNT, [([], state.shard.count)]);
    text.family(&family::CONFIG_SUCCESS, [([], u8::from(state.last_reload_ok))]);
    text.family(&family::CONFIG_SUCCESS_TIME, [([], unix_seconds(state.config_read))]);
}

/// The current families of the process in the text format 0.0.4: processor time, memory, file descriptors, start;
/// about 1 kB.
#[must_use]
pub fn process_text() -> String {
    // The library's default registry has only the process collector, which exists on Linux only.
    prometheus::TextEncoder::new().encode_to_string(&prometheus::gather()).unwrap_or_default()
}
