//! The family about groups.

use super::{
    family,
    text::{Labels, Page},
};
use crate::state::State;

pub(super) fn write(page: &mut Page, state: &State) {
    let mut info = page.family(&family::GROUP_INFO);
    for (id, group) in &state.groups {
        let labels = [
            ("group_id", id.as_str()),
            ("group_name", &group.name),
            ("org_id", &group.org_id),
            ("account", &group.account),
        ];
        info.add(&Labels::new(&labels), &[], 1);
    }
}
