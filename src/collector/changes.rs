//! What polls and discoveries changed, as lines of the log.

use tokio::sync::watch;
use tracing::{debug, error, info, warn};

use super::log_limiter::{Kind, LogLimiter};
use crate::state::{Cause, DiscoveryEvent, ListingEvent, ListingKey, State};
use atlas::Peering;

/// More groups than this that appear at once get one line together.
const MANY: usize = 10;

/// Logs a change with the names of what it is about. A failure is told when it begins and when it ends.
pub(super) fn log(key: &ListingKey, account: &str, group_name: &str, lines: &LogLimiter, event: ListingEvent) {
    let (group, provider) = (key.group.as_str(), key.provider.as_str());
    macro_rules! log {
        ($level:ident, $($rest:tt)+) => { $level!(account, group, group_name, provider, $($rest)+) };
    }
    match event {
        ListingEvent::Failing(failure) => {
            let (reason, advice) = (failure.reason.as_str(), failure.advice);
            // Where the account has a line of its own, or many listings have the same to say.
            if failure.is_account_wide || !lines.may(Kind::Failing(reason)) {
                log!(debug, reason, "polls fail: {}; {advice}", failure.message);
            } else {
                log!(warn, reason, "polls fail: {}; {advice}", failure.message);
            }
        }
        ListingEvent::Recovered { failed, is_account_wide } if is_account_wide || !lines.may(Kind::Recovered) => {
            log!(debug, "polls succeed again after {failed} that failed");
        }
        ListingEvent::Recovered { failed, .. } => log!(info, "polls succeed again after {failed} that failed"),
        ListingEvent::Dropped { peerings, cause } => {
            let cause = match cause {
                Cause::Gone => "Atlas says that the group does not exist",
                Cause::TooOld => "no poll succeeded for longer than `poll.max_staleness`",
            };
            if lines.may(Kind::Dropped) {
                log!(error, "{peerings} peerings are off the page: {cause}");
            } else {
                log!(debug, "{peerings} peerings are off the page: {cause}");
            }
        }
        ListingEvent::Emptied { peerings } => log!(warn, "Atlas lists no peering any more; there were {peerings}"),
        ListingEvent::Duplicates(count) => log!(warn, "Atlas sent {count} peerings twice; each is counted once"),
        ListingEvent::Unavailable(Peering { vpc_id, id, status, error, .. }) => {
            log!(info, vpc_id, peering_id = id, to = status, error, "a peering is not available");
        }
        ListingEvent::Appeared(Peering { vpc_id, id, status, error, .. }) => {
            log!(info, vpc_id, peering_id = id, to = status, error, "a peering appeared");
        }
        ListingEvent::Vanished(peering) => {
            log!(warn, vpc_id = peering.vpc_id, peering_id = peering.id, from = peering.status, "a peering is gone");
        }
        ListingEvent::Changed { from, to } => {
            let Peering { vpc_id, id, status, error, .. } = to;
            log!(info, vpc_id, peering_id = id, from, to = status, error, "a peering changed");
        }
    }
}

/// Logs how much more of the same there was in the last interval.
pub(super) fn log_rest(account: &str, lines: &LogLimiter) {
    for (kind, listings) in lines.rest() {
        match kind {
            Kind::Failing(reason) => {
                warn!(account, reason, listings, "polls of more listings fail for the same reason")
            }
            Kind::Recovered => info!(account, listings, "polls of more listings succeed again"),
            Kind::Dropped => error!(account, listings, "peerings of more listings are off the page"),
        }
    }
}

/// Logs what a discovery changed.
pub(super) fn log_discovery(account: &str, state: &watch::Sender<State>, events: Vec<DiscoveryEvent>) {
    let appeared = events.iter().filter(|event| matches!(event, DiscoveryEvent::Appeared(_))).count();
    if appeared > MANY {
        info!(account, groups = appeared, "groups appeared, and are watched");
    }
    for event in events {
        match event {
            DiscoveryEvent::Failing(failure) => {
                let (reason, advice) = (failure.reason.as_str(), failure.advice);
                warn!(account, reason, "discovery fails, the groups stay as they are: {}; {advice}", failure.message);
            }
            DiscoveryEvent::Recovered { failed } => {
                info!(account, "discovery succeeds again after {failed} that failed");
            }
            DiscoveryEvent::Appeared(_) if appeared > MANY => {}
            DiscoveryEvent::Appeared(group) => {
                let name = state.borrow().groups.get(&group).map(|group| group.name.clone());
                info!(account, group = group.as_str(), group_name = name, "a group appeared, and is watched");
            }
            DiscoveryEvent::GroupRemoved { group, name } => {
                let group = group.as_str();
                warn!(account, group, group_name = name, "a group is gone from Atlas's list, and is watched no more");
            }
            DiscoveryEvent::GroupUnlisted { group, name } => warn!(
                account,
                group = group.as_str(),
                group_name = name,
                "a group that the config lists no more is not discovered either, and is watched no more"
            ),
            DiscoveryEvent::HeldBack { missing, known } => warn!(
                account,
                missing,
                known,
                "Atlas's list lacks more than half of the groups; they stay until the next discovery says the same"
            ),
            DiscoveryEvent::NoGroups => error!(
                account,
                "there is no group to watch: the credential sees none, `discover` selects none, or another account \
                 watches them"
            ),
        }
    }
}
