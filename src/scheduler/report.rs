//! What a poll changed, as lines of the log.

use tracing::{error, info, warn};

use crate::{
    atlas::Peering,
    state::{Cause, Event, Target},
};

/// What the config calls the things that a line is about.
pub(super) struct Names {
    pub(super) account: String,
    pub(super) group: String,
}

/// Logs a change with the names of what it is about. A failure is told when it begins and when it ends.
pub(super) fn log(target: &Target, names: &Names, event: Event) {
    let (account, group, group_name) = (names.account.as_str(), target.group.as_str(), names.group.as_str());
    let provider = target.provider.as_str();
    macro_rules! log {
        ($level:ident, $($rest:tt)+) => { $level!(account, group, group_name, provider, $($rest)+) };
    }
    match event {
        Event::Failing(failure) => {
            let reason = failure.reason.as_str();
            log!(warn, reason, "polls fail: {}; {}", failure.message, failure.reason.advice());
        }
        Event::Recovered { failed } => log!(info, "polls succeed again after {failed} that failed"),
        Event::Dropped { peerings, cause } => {
            let cause = match cause {
                Cause::Gone => "Atlas says that the group does not exist",
                Cause::TooOld => "no poll succeeded for longer than `poll.max_staleness`",
            };
            log!(error, "{peerings} peerings are off the page: {cause}");
        }
        Event::Emptied { peerings } => log!(warn, "Atlas lists no peering any more; there were {peerings}"),
        Event::Duplicates(count) => log!(warn, "Atlas sent {count} peerings twice; each is counted once"),
        Event::Unavailable(Peering { vpc_id, id, status, error, .. }) => {
            log!(info, vpc_id, peering_id = id, to = status, error, "a peering is not available");
        }
        Event::Appeared(Peering { vpc_id, id, status, error, .. }) => {
            log!(info, vpc_id, peering_id = id, to = status, error, "a peering appeared");
        }
        Event::Vanished(peering) => {
            log!(warn, vpc_id = peering.vpc_id, peering_id = peering.id, from = peering.status, "a peering is gone");
        }
        Event::Changed { from, to } => {
            let Peering { vpc_id, id, status, error, .. } = to;
            log!(info, vpc_id, peering_id = id, from, to = status, error, "a peering changed");
        }
    }
}
