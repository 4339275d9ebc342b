//! What Atlas sends in the headers of a response.

use std::time::{Duration, SystemTime};

use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::{
    StatusCode,
    header::{HeaderMap, RETRY_AFTER},
};

/// A longer `Retry-After` is shortened to this: a wrong header must not stop requests for a day.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Atlas sends days with one digit, which HTTP does not allow. A wrong day of the week is ignored.
const DATE_PARSER: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);

/// The last second of the year 9999, in seconds since 1970.
const LAST_SECOND: u64 = 253_402_300_799;

/// A token bucket, as a response reports it. The bucket of peers and containers belongs to the group, that of groups to
/// the user, that of an organization's groups to the organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// `RateLimit-Limit`: the size of the bucket.
    pub limit: u64,
    /// `RateLimit-Remaining`: how many requests are left in it.
    pub remaining: u64,
}

/// The announced end of an API version. Both are absent while no end is planned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VersionEnds {
    /// `Deprecation`: from when on new clients should not use it.
    pub deprecation: Option<SystemTime>,
    /// `Sunset`: from when on it returns 410.
    pub sunset: Option<SystemTime>,
}

pub(crate) fn rate_limit(headers: &HeaderMap) -> Option<RateLimit> {
    let limit = number(headers, "RateLimit-Limit")?;
    let remaining = number(headers, "RateLimit-Remaining")?;
    Some(RateLimit { limit, remaining })
}

/// Seconds, or the time until a date.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = text(headers, RETRY_AFTER.as_str())?;
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => date(text)?.duration_since(SystemTime::now()).unwrap_or_default(),
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

/// When the requested version ends. A success without these headers means that no end is planned.
pub(crate) fn version_ends(status: StatusCode, headers: &HeaderMap) -> Option<VersionEnds> {
    let time = |name| text(headers, name).and_then(parse_time);
    let ends = VersionEnds { deprecation: time("Deprecation"), sunset: time("Sunset") };
    (status == StatusCode::OK || ends != VersionEnds::default()).then_some(ends)
}

/// A date as in mail (RFC 2822), or `@` and seconds since 1970 (RFC 9745). Only years from 1970 to 9999 are valid.
fn parse_time(text: &str) -> Option<SystemTime> {
    let time = match text.strip_prefix('@') {
        Some(seconds) => SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds.parse().ok()?)),
        None => date(text),
    }?;
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    (since.as_secs() <= LAST_SECOND).then_some(time)
}

fn date(text: &str) -> Option<SystemTime> {
    DATE_PARSER.parse_timestamp(text).ok().map(SystemTime::from)
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    text(headers, name)?.parse().ok()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    Some(headers.get(name)?.to_str().ok()?.trim())
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_rate_limit_needs_both_headers() {
        let both = headers(&[("ratelimit-limit", "2000"), ("ratelimit-remaining", " 1999")]);
        assert_eq!(rate_limit(&both), Some(RateLimit { limit: 2000, remaining: 1999 }));
        for partial in [&[("ratelimit-limit", "2000")], &[("ratelimit-remaining", "-1")]] {
            assert_eq!(rate_limit(&headers(partial)), None);
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_at_most_an_hour() {
        let wait = |text| retry_after(&headers(&[("retry-after", text)]));
        assert_eq!(wait("0"), Some(Duration::ZERO));
        assert_eq!(wait("30"), Some(Duration::from_secs(30)));
        assert_eq!(wait("86400"), Some(MAX_RETRY_AFTER));
        assert_eq!(wait("Mon, 05 Aug 2024 00:00:00 GMT"), Some(Duration::ZERO), "in the past");
        assert_eq!(wait("Thu, 01 Jan 2099 00:00:00 GMT"), Some(MAX_RETRY_AFTER));
        for text in ["", "soon", "-1", "1.5", "99999999999999999999"] {
            assert_eq!(wait(text), None, "{text}");
        }
    }

    #[test]
    fn the_end_of_a_version_is_parsed_as_atlas_sends_it() {
        let recorded =
            headers(&[("deprecation", "Mon, 5 Aug 2024 00:00:00 GMT"), ("sunset", "Thu, 1 Jul 2027 00:00:00 GMT")]);
        let ends = VersionEnds { deprecation: Some(at(1_722_816_000)), sunset: Some(at(1_814_400_000)) };
        for status in [StatusCode::OK, StatusCode::BAD_REQUEST] {
            assert_eq!(version_ends(status, &recorded), Some(ends));
        }
        let none = HeaderMap::new();
        assert_eq!(version_ends(StatusCode::OK, &none), Some(VersionEnds::default()), "no end is planned");
        assert_eq!(version_ends(StatusCode::UNAUTHORIZED, &none), None);
    }

    #[test]
    fn a_date_may_be_a_number_or_have_a_wrong_day_of_the_week() {
        let sunset = |text| version_ends(StatusCode::OK, &headers(&[("sunset", text)])).unwrap().sunset;
        assert_eq!(sunset("@1814400000"), Some(at(1_814_400_000)));
        assert_eq!(sunset("Fri, 01 Jul 2027 00:00:00 GMT"), Some(at(1_814_400_000)));
        for text in [
            "",
            "@",
            "@-1",
            "@18446744073709551615",
            "@1814400000000",
            "true",
            "Thu, 99 Jul 2027 00:00:00 GMT",
            "Thu, 01 Jan 1960 00:00:00 GMT",
            "Thu, 01 Jan 0001 00:00:00 GMT",
        ] {
            assert_eq!(sunset(text), None, "{text}");
        }
    }
}
