//! The state as Prometheus's text: a function of the state and the time, with no memory and no I/O.

mod accounts;
mod api;
mod exporter;
pub mod family;
mod groups;
mod peerings;
mod polls;
pub mod process;
mod text;

use std::time::{Instant, SystemTime};

use self::{family::Family, text::Page};
use crate::state::State;

/// The media type of what [`render`] returns.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Every series there is at `now`, in the text format 0.0.4.
#[must_use]
pub fn render(state: &State, now: Instant) -> String {
    let mut page = Page::default();
    peerings::write(&mut page, state, now);
    groups::write(&mut page, state);
    accounts::write_groups(&mut page, state);
    polls::write(&mut page, state, now);
    api::write(&mut page, state);
    accounts::write_credentials(&mut page, state);
    exporter::write(&mut page, state);
    page.into_text()
}

/// Seconds since 1970, as Prometheus has its timestamps.
fn unix_seconds(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests;
