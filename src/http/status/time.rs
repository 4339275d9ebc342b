//! A moment, for people and for JSON.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use serde::{Serialize, Serializer};

/// A moment; it is written to the second, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Time(pub(super) SystemTime);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_seconds(self.0).fmt(f)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Time {
    /// How far it is from another, in one unit: what a person can take in at a glance.
    pub(super) fn seen_from(self, now: Self) -> String {
        match (now.0.duration_since(self.0), self.0.duration_since(now.0)) {
            (Ok(ago), _) => format!("{} ago", length(ago)),
            (_, Ok(ahead)) => format!("in {}", length(ahead)),
            _ => String::new(),
        }
    }
}

fn length(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match hours {
        _ if minutes < 2 => format!("{seconds} s"),
        _ if hours < 2 => format!("{minutes} min"),
        0..48 => format!("{hours} h"),
        _ => format!("{} days", hours / 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_by_its_distance_in_one_unit() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let seen = |seconds| Time(now - Duration::from_secs(seconds)).seen_from(Time(now));
        assert_eq!(
            [0, 119, 120, 7199, 7200, 172_799, 172_800].map(seen),
            ["0 s ago", "119 s ago", "2 min ago", "119 min ago", "2 h ago", "47 h ago", "2 days ago"]
        );
        assert_eq!(Time(now + Duration::from_secs(90)).seen_from(Time(now)), "in 90 s");
        assert_eq!(Time(now).to_string(), "2023-11-14T22:13:20Z");
    }
}
