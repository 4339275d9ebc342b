//! The planned changes of a scenario.

use std::time::Duration;

use serde::Deserialize;

use super::{duration_serde, peering::ScenarioPeering};
use crate::state::change::Change;

/// The shortest interval of a repeated change, so that it cannot flood the log.
const MIN_EVERY: Duration = Duration::from_millis(100);

/// One planned change. Both durations are at most a year, so times do not overflow.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "RawEntry")]
pub struct TimelineEntry {
    /// The time after the start.
    pub(crate) after: Duration,
    /// The interval at which it is repeated.
    pub(crate) every: Option<Duration>,
    /// The ID of the group.
    pub group: String,
    pub(crate) change: Change,
}

/// An entry as written in YAML.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    #[serde(with = "duration_serde")]
    after: Duration,
    #[serde(default, deserialize_with = "duration_serde::deserialize_optional")]
    every: Option<Duration>,
    group: String,
    peering: Option<String>,
    status: Option<String>,
    error: Option<String>,
    #[serde(default)]
    remove: bool,
    add: Option<ScenarioPeering>,
}

impl TimelineEntry {
    /// The group and the ID or name of the peering; none for a new one without either.
    pub(crate) fn peering(&self) -> Option<(&str, &str)> {
        let peering = match &self.change {
            Change::Status { peering, .. } | Change::Remove { peering } => Some(peering),
            Change::Add(peering) => peering.id.as_ref().or(peering.name.as_ref()),
        };
        peering.map(|peering| (self.group.as_str(), peering.as_str()))
    }
}

impl TryFrom<RawEntry> for TimelineEntry {
    type Error = &'static str;

    fn try_from(raw: RawEntry) -> Result<TimelineEntry, &'static str> {
        if raw.every.is_some_and(|every| every < MIN_EVERY) {
            return Err("`every` must be at least 100ms");
        }
        let change = match (raw.peering, raw.status, raw.remove, raw.add) {
            (Some(peering), Some(status), false, None) => Change::Status { peering, status, error: raw.error },
            (Some(peering), None, true, None) => Change::Remove { peering },
            (None, None, false, Some(peering)) => Change::Add(peering),
            _ => return Err("an entry has `peering` and `status`, or `peering` and `remove`, or `add`"),
        };
        Ok(TimelineEntry { after: raw.after, every: raw.every, group: raw.group, change })
    }
}

/// The entries that are not played yet.
#[derive(Debug)]
pub(crate) struct Timeline(pub(crate) Vec<TimelineEntry>);

impl Timeline {
    /// Takes the next entry. A repeated one is scheduled again.
    pub(crate) fn next(&mut self) -> Option<TimelineEntry> {
        let index = (0..self.0.len()).min_by_key(|&index| self.0[index].after)?;
        let entry = self.0.remove(index);
        if let Some(every) = entry.every {
            self.0.push(TimelineEntry { after: entry.after + every, ..entry.clone() });
        }
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(yaml: &str) -> Result<Vec<TimelineEntry>, serde_yaml::Error> {
        serde_yaml::from_str(yaml)
    }

    #[test]
    fn entries_are_played_in_order_and_repeated() {
        let yaml = "
            - {after: 40s, group: g, peering: p, remove: true}
            - {after: 10s, every: 20s, group: g, peering: p, status: FAILED, error: EXPIRED}";
        let mut timeline = Timeline(entries(yaml).unwrap());
        let seconds: Vec<_> =
            std::iter::from_fn(|| timeline.next()).map(|entry| entry.after.as_secs()).take(4).collect();
        assert_eq!(seconds, [10, 30, 40, 50]);
        let once = "[{after: 1s, group: g, add: {provider: AWS, status: INITIATING}}]";
        let mut timeline = Timeline(entries(once).unwrap());
        assert!(matches!(timeline.next().unwrap().change, Change::Add(_)) && timeline.next().is_none());
    }

    #[test]
    fn an_entry_has_exactly_one_change() {
        for yaml in [
            "[{after: 1s, group: g, peering: p}]",
            "[{after: 1s, group: g, peering: p, status: FAILED, remove: true}]",
            "[{after: 1s, group: g, status: FAILED}]",
            "[{after: 1s, every: 0s, group: g, peering: p, remove: true}]",
            "[{after: 1s, every: 1ns, group: g, peering: p, remove: true}]",
            "[{after: 1s, every: 99ms, group: g, peering: p, remove: true}]",
            "[{after: 18446744073709551615s, group: g, peering: p, remove: true}]",
            "[{after: soon, group: g, peering: p, remove: true}]",
            "[{after: 1s, group: g, peering: p, remove: true, color: red}]",
        ] {
            assert!(entries(yaml).is_err(), "{yaml}");
        }
    }
}
