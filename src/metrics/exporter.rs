//! The families about this exporter itself; those of its process follow the page.

use super::{
    family,
    text::{Labels, Page},
    unix_seconds,
};
use crate::state::State;

pub(super) fn write(page: &mut Page, state: &State) {
    let version = Labels::new(&[("version", env!("CARGO_PKG_VERSION"))]);
    page.family(&family::BUILD_INFO).add(&version, &[], 1);
    page.family(&family::SHARD_INDEX).add(&Labels::default(), &[], state.shard_index);
    page.family(&family::SHARD_COUNT).add(&Labels::default(), &[], state.shard_count);
    page.family(&family::CONFIG_SUCCESS).add(&Labels::default(), &[], u8::from(state.last_reload_ok));
    page.family(&family::CONFIG_SUCCESS_TIME).add(&Labels::default(), &[], unix_seconds(state.config_read));
}
