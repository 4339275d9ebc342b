//! What Atlas says in the headers of an answer.

use std::time::{Duration, SystemTime};

use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::{
    StatusCode,
    header::{HeaderMap, RETRY_AFTER},
};

use crate::{RateLimit, VersionEnds};

/// A longer `Retry-After` is taken as this: a bad header must not blind us for a day.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Atlas writes days of one digit, which HTTP itself does not allow; and nobody should miss a date because its day of
/// the week is wrong.
const DATES: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);

/// Of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

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

/// When the version that was asked for ends. A success without the headers says that no end is planned.
pub(crate) fn version_ends(status: StatusCode, headers: &HeaderMap) -> Option<VersionEnds> {
    let time = |name| text(headers, name).and_then(time);
    let ends = VersionEnds { deprecation: time("Deprecation"), sunset: time("Sunset") };
    (status == StatusCode::OK || ends != VersionEnds::default()).then_some(ends)
}

/// A date as in mail, or `@` and seconds since 1970 (RFC 9745). A date outside of four digits of years can be neither
/// meant nor shown.
fn time(text: &str) -> Option<SystemTime> {
    let time = match text.strip_prefix('@') {
        Some(seconds) => SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds.parse().ok()?)),
        None => date(text),
    }?;
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    (since.as_secs() <= LAST_SECOND).then_some(time)
}

fn date(text: &str) -> Option<SystemTime> {
    DATES.parse_timestamp(text).ok().map(SystemTime::from)
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
    fn a_limit_needs_both_of_its_headers() {
        let both = headers(&[("ratelimit-limit", "2000"), ("ratelimit-remaining", " 1999")]);
        assert_eq!(rate_limit(&both), Some(RateLimit { limit: 2000, remaining: 1999 }));
        for partial in [&[("ratelimit-limit", "2000")], &[("ratelimit-remaining", "-1")]] {
            assert_eq!(rate_limit(&headers(partial)), None);
        }
    }

    #[test]
    fn a_wait_is_seconds_or_a_date_and_never_a_day() {
        let wait = |text| retry_after(&headers(&[("retry-after", text)]));
        assert_eq!(wait("0"), Some(Duration::ZERO));
        assert_eq!(wait("30"), Some(Duration::from_secs(30)));
        assert_eq!(wait("86400"), Some(MAX_RETRY_AFTER));
        assert_eq!(wait("Mon, 05 Aug 2024 00:00:00 GMT"), Some(Duration::ZERO), "it is over");
        assert_eq!(wait("Thu, 01 Jan 2099 00:00:00 GMT"), Some(MAX_RETRY_AFTER));
        for text in ["", "soon", "-1", "1.5", "99999999999999999999"] {
            assert_eq!(wait(text), None, "{text}");
        }
    }

    #[test]
    fn the_end_of_a_version_is_read_as_atlas_writes_it() {
        let recorded =
            headers(&[("deprecation", "Mon, 5 Aug 2024 00:00:00 GMT"), ("sunset", "Thu, 1 Jul 2027 00:00:00 GMT")]);
        let ends = VersionEnds { deprecation: Some(at(1_722_816_000)), sunset: Some(at(1_814_400_000)) };
        for status in [StatusCode::OK, StatusCode::BAD_REQUEST] {
            assert_eq!(version_ends(status, &recorded), Some(ends));
        }
    }

    #[test]
    fn a_date_may_be_a_number_or_on_the_wrong_day_of_the_week() {
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

    #[test]
    fn only_a_success_can_say_that_no_end_is_planned() {
        assert_eq!(version_ends(StatusCode::OK, &HeaderMap::new()), Some(VersionEnds::default()));
        assert_eq!(version_ends(StatusCode::UNAUTHORIZED, &HeaderMap::new()), None);
    }
}
