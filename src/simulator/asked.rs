//! A request of the API as the simulator understands it.

use hyper::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HeaderName, USER_AGENT};

use super::{api_error::ApiError, authorization::Authorization, query::Query};

#[derive(Debug)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    /// The path and query to the letter, which a digest answer repeats.
    pub(super) uri: String,
    pub(super) version: String,
    pub(super) route: Route,
    /// The query as the resource understands it.
    pub(super) parameters: Result<Query, ApiError>,
    /// The kind of credentials.
    pub(super) credentials: &'static str,
    pub(super) authorization: Option<Authorization>,
    pub(super) accept: Option<String>,
    pub(super) accept_encoding: Option<String>,
    pub(super) user_agent: Option<String>,
}

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Peers { v2: bool, group: String },
    Group { v2: bool, group: String },
    Unknown,
}

impl Asked {
    pub(super) fn read<B>(request: &hyper::Request<B>) -> Asked {
        let header = |name: HeaderName| {
            let value = request.headers().get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let path = request.uri().path();
        let query = request.uri().query().unwrap_or_default();
        let authorization = header(AUTHORIZATION);
        let route = Route::of(path);
        Asked {
            method: request.method().to_string(),
            path: path.to_owned(),
            query: query.to_owned(),
            uri: request.uri().path_and_query().map_or_else(String::new, ToString::to_string),
            version: format!("{:?}", request.version()),
            parameters: match route {
                Route::Group { .. } => Query::parse_form(query),
                Route::Peers { .. } | Route::Unknown => Query::parse(query),
            },
            route,
            credentials: kind(authorization.as_deref()),
            authorization: authorization.as_deref().and_then(Authorization::parse),
            accept: header(ACCEPT),
            accept_encoding: header(ACCEPT_ENCODING),
            user_agent: header(USER_AGENT),
        }
    }

    pub(super) fn group(&self) -> Option<&str> {
        match &self.route {
            Route::Peers { group, .. } | Route::Group { group, .. } => Some(group),
            Route::Unknown => None,
        }
    }

    pub(super) fn is_v2(&self) -> bool {
        matches!(self.route, Route::Peers { v2: true, .. } | Route::Group { v2: true, .. })
    }

    /// The query, if this asks for a listing and can be understood.
    pub(super) fn listing(&self) -> Option<&Query> {
        self.parameters.as_ref().ok().filter(|_| self.is_listing())
    }

    pub(super) fn is_listing(&self) -> bool {
        matches!(self.route, Route::Peers { .. })
    }

    pub(super) fn accepts_gzip(&self) -> bool {
        let mut codings = self.accept_encoding.iter().flat_map(|header| header.split(','));
        codings.any(|coding| {
            let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
            name.trim() == "gzip" && quality.trim() != "q=0"
        })
    }

    /// The version date a client may ask for; the peers resource has had one version since 2023.
    pub(super) fn accepts_known_version(&self) -> bool {
        let mut types = self.accept.iter().flat_map(|header| header.split(','));
        types.any(|media_type| {
            let media_type = media_type.split(';').next().unwrap_or_default().trim();
            let date = media_type.strip_prefix("application/vnd.atlas.");
            date.and_then(|date| date.strip_suffix("+json")).is_some_and(is_known_date)
        })
    }
}

impl Route {
    fn of(path: &str) -> Route {
        let segments: Vec<_> = path.split('/').skip(1).collect();
        let (version, rest) = match segments.as_slice() {
            ["api", "atlas", version @ ("v2" | "v1.0"), "groups", rest @ ..] => (*version, rest),
            _ => return Route::Unknown,
        };
        let v2 = version == "v2";
        match rest {
            [group, "peers"] => Route::Peers { v2, group: (*group).to_owned() },
            [group] => Route::Group { v2, group: (*group).to_owned() },
            _ => Route::Unknown,
        }
    }
}

/// A later date means the newest version before it, as Atlas resolves it.
fn is_known_date(date: &str) -> bool {
    let parts: Vec<_> = date.split('-').collect();
    let [year, month, day] = parts.as_slice() else {
        return false;
    };
    let lengths = (year.len(), month.len(), day.len()) == (4, 2, 2);
    let number = |text: &str| text.parse::<u16>().unwrap_or_default();
    lengths && number(year) >= 2023 && (1..=12).contains(&number(month)) && (1..=31).contains(&number(day))
}

fn kind(authorization: Option<&str>) -> &'static str {
    match authorization.map(|header| header.split(' ').next().unwrap_or_default()) {
        None => "none",
        Some(scheme) if scheme.eq_ignore_ascii_case("digest") => "digest",
        Some(_) => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(path: &str, header: &str, value: &str) -> Asked {
        Asked::read(&hyper::Request::get(path).header(header, value).body(()).unwrap())
    }

    #[test]
    fn a_version_date_from_2023_on_is_known() {
        let known = |accept| asked("/", "accept", accept).accepts_known_version();
        assert!(known("application/vnd.atlas.2023-01-01+json"));
        assert!(known("text/html, application/vnd.atlas.2025-03-12+json;charset=utf-8"));
        assert!(!known("application/vnd.atlas.2022-12-31+json"));
        assert!(!known("application/vnd.atlas.2023-13-01+json"));
        assert!(!known("application/vnd.atlas.latest+json"));
        assert!(!known("application/json"));
    }

    #[test]
    fn gzip_may_be_one_of_several_or_forbidden() {
        let gzip = |header| asked("/", "accept-encoding", header).accepts_gzip();
        assert!(gzip("br, gzip;q=0.5"));
        assert!(!gzip("gzip;q=0"));
        assert!(!gzip("identity"));
    }

    #[test]
    fn paths_of_both_versions_lead_to_a_group() {
        let route = |path| asked(path, "accept", "*/*").route;
        let group = || "g".to_owned();
        assert_eq!(route("/api/atlas/v2/groups/g/peers"), Route::Peers { v2: true, group: group() });
        assert_eq!(route("/api/atlas/v1.0/groups/g/peers"), Route::Peers { v2: false, group: group() });
        assert_eq!(route("/api/atlas/v2/groups/g"), Route::Group { v2: true, group: group() });
        assert_eq!(route("/api/atlas/v3/groups/g/peers"), Route::Unknown);
        assert_eq!(route("/api/atlas/v2/groups/g/peers/p"), Route::Unknown);
    }
}
