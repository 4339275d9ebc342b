//! What happens by itself, and when: the changes a scenario has planned.

use std::time::Duration;

use serde::Deserialize;

use super::{Change, Peering, period};

/// What happens more often floods whoever watches.
const MIN_EVERY: Duration = Duration::from_millis(100);

/// One planned change.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Written")]
pub struct TimelineEntry {
    /// How long after the start.
    pub after: Duration,
    /// How long until it happens again, and again.
    pub every: Option<Duration>,
    /// The id of the group it happens in.
    pub group: String,
    /// What happens.
    pub change: Change,
}

/// An entry as a person writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(with = "period")]
    after: Duration,
    #[serde(default, with = "period::optional")]
    every: Option<Duration>,
    group: String,
    peering: Option<String>,
    status: Option<String>,
    error: Option<String>,
    #[serde(default)]
    remove: bool,
    add: Option<Peering>,
}

impl TimelineEntry {
    /// The group and the id or name of the peering, unless it is a new one without either.
    pub(super) fn peering(&self) -> Option<(&str, &str)> {
        let peering = match &self.change {
            Change::Status { peering, .. } | Change::Remove { peering } => Some(peering),
            Change::Add(peering) => peering.id.as_ref().or(peering.name.as_ref()),
        };
        peering.map(|peering| (self.group.as_str(), peering.as_str()))
    }
}

impl TryFrom<Written> for TimelineEntry {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<TimelineEntry, &'static str> {
        if written.every.is_some_and(|every| every < MIN_EVERY) {
            return Err("`every` must be at least 100ms");
        }
        let change = match (written.peering, written.status, written.remove, written.add) {
            (Some(peering), Some(status), false, None) => Change::Status { peering, status, error: written.error },
            (Some(peering), None, true, None) => Change::Remove { peering },
            (None, None, false, Some(peering)) => Change::Add(peering),
            _ => {
                return Err("an entry has `peering` and `status`, or `peering` and `remove`, or `add`");
            }
        };
        Ok(TimelineEntry { after: written.after, every: written.every, group: written.group, change })
    }
}

/// The entries that are still to come.
#[derive(Debug)]
pub(super) struct Timeline(Vec<TimelineEntry>);

impl Timeline {
    pub(super) fn new(entries: Vec<TimelineEntry>) -> Timeline {
        Timeline(entries)
    }

    /// Takes the next entry; a repeated one goes back for its next turn.
    pub(super) fn next(&mut self) -> Option<TimelineEntry> {
        let index = (0..self.0.len()).min_by_key(|&index| self.0[index].after)?;
        let entry = self.0.remove(index);
        if let Some(every) = entry.every {
            let after = entry.after.saturating_add(every.max(MIN_EVERY));
            self.0.push(TimelineEntry { after, ..entry.clone() });
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
    fn entries_come_in_order_and_repeat() {
        let yaml = "
            - {after: 40s, group: g, peering: p, remove: true}
            - {after: 10s, every: 20s, group: g, peering: p, status: FAILED, error: EXPIRED}";
        let mut timeline = Timeline::new(entries(yaml).unwrap());
        let seconds: Vec<_> =
            std::iter::from_fn(|| timeline.next()).map(|entry| entry.after.as_secs()).take(4).collect();
        assert_eq!(seconds, [10, 30, 40, 50]);
    }

    #[test]
    fn a_timeline_without_repetition_ends() {
        let yaml = "[{after: 1s, group: g, add: {provider: AWS, status: INITIATING}}]";
        let mut timeline = Timeline::new(entries(yaml).unwrap());
        assert!(matches!(timeline.next().unwrap().change, Change::Add(_)));
        assert!(timeline.next().is_none());
    }

    #[test]
    fn an_entry_says_exactly_one_thing() {
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

    #[test]
    fn time_that_runs_out_is_no_panic() {
        let remove = Change::Remove { peering: "p".to_owned() };
        let entry = |every| TimelineEntry {
            after: Duration::MAX,
            every: Some(every),
            group: "g".to_owned(),
            change: remove.clone(),
        };
        let mut timeline = Timeline::new(vec![entry(Duration::MAX), entry(Duration::ZERO)]);
        assert!((0..4).all(|_| timeline.next().is_some_and(|entry| entry.after == Duration::MAX)));
    }
}
