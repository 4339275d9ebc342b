//! A time, for people and for JSON.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use serde::{Serialize, Serializer};

/// A time, written to the second in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Timestamp(pub(super) SystemTime);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_seconds(self.0).fmt(f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Timestamp {
    /// How long ago it is or how far ahead, in one unit.
    pub(super) fn relative_to(self, now: Self) -> String {
        match now.0.duration_since(self.0) {
            Ok(ago) => format!("{} ago", humanize(ago)),
            Err(ahead) => format!("in {}", humanize(ahead.duration())),
        }
    }
}

fn humanize(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_time_has_one_unit() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let ago = |seconds| Timestamp(now - Duration::from_secs(seconds)).relative_to(Timestamp(now));
        assert_eq!(
            [0, 119, 120, 7199, 7200, 172_799, 172_800].map(ago),
            ["0 s ago", "119 s ago", "2 min ago", "119 min ago", "2 h ago", "47 h ago", "2 days ago"]
        );
        assert_eq!(Timestamp(now + Duration::from_secs(90)).relative_to(Timestamp(now)), "in 90 s");
        assert_eq!(Timestamp(now).to_string(), "2023-11-14T22:13:20Z");
    }
}
