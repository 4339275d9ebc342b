//! A request of the API as the simulator understands it.

use hyper::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderName, USER_AGENT};

use super::{
    Endpoint,
    api_error::ApiError,
    proof::Proof,
    query::{Part, Query},
    route::Route,
};

/// It holds secrets, so it cannot be printed.
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
    pub(super) proof: Proof,
    /// Whether the body is said to be a form.
    has_form: bool,
    /// The fields of the form.
    form: Vec<(String, String)>,
    pub(super) accept: Option<String>,
    pub(super) accept_encoding: Option<String>,
    pub(super) user_agent: Option<String>,
}

impl Asked {
    pub(super) fn read<B>(request: &hyper::Request<B>) -> Asked {
        let header = |name: HeaderName| {
            let value = request.headers().get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let path = request.uri().path();
        let query = request.uri().query().unwrap_or_default();
        let route = Route::of(path);
        Asked {
            method: request.method().to_string(),
            path: path.to_owned(),
            query: query.to_owned(),
            uri: request.uri().path_and_query().map_or_else(String::new, ToString::to_string),
            version: format!("{:?}", request.version()),
            parameters: Query::parse(route.endpoint(), query),
            route,
            proof: Proof::read(header(AUTHORIZATION).as_deref()),
            has_form: header(CONTENT_TYPE).is_some_and(|content_type| is_form(&content_type)),
            form: Vec::new(),
            accept: header(ACCEPT),
            accept_encoding: header(ACCEPT_ENCODING),
            user_agent: header(USER_AGENT),
        }
    }

    /// Whether there is a form to be read.
    pub(super) fn wants_form(&self) -> bool {
        self.route.is_oauth() && self.has_form
    }

    /// The same with the form that came with it.
    pub(super) fn with_form(self, body: &[u8]) -> Asked {
        Asked { form: url::form_urlencoded::parse(body).into_owned().collect(), ..self }
    }

    /// A field of the form; RFC 6749 forbids to name one twice.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.form.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str());
        values.next().filter(|_| values.next().is_none())
    }

    pub(super) fn group(&self) -> Option<&str> {
        self.route.resource().and_then(|resource| resource.group())
    }

    /// The part of a list, if this asks for one and can be understood.
    pub(super) fn part(&self) -> Option<&Part> {
        let is_list = self.route.endpoint().is_some_and(Endpoint::is_list);
        self.parameters.as_ref().ok().filter(|_| is_list).map(|query| &query.part)
    }

    pub(super) fn accepts_gzip(&self) -> bool {
        let mut codings = self.accept_encoding.iter().flat_map(|header| header.split(','));
        codings.any(|coding| {
            let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
            name.trim() == "gzip" && quality.trim() != "q=0"
        })
    }

    /// The version date a client may ask for; each of the resources has had one version since 2023.
    pub(super) fn accepts_known_version(&self) -> bool {
        let mut types = self.accept.iter().flat_map(|header| header.split(','));
        types.any(|media_type| {
            let media_type = media_type.split(';').next().unwrap_or_default().trim();
            let date = media_type.strip_prefix("application/vnd.atlas.");
            date.and_then(|date| date.strip_suffix("+json")).is_some_and(is_known_date)
        })
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

fn is_form(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
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
    fn a_form_is_read_where_one_is_expected_and_said_to_be() {
        let form = |path, content_type| asked(path, "content-type", content_type).wants_form();
        assert!(form("/api/oauth/token", "application/x-www-form-urlencoded"));
        assert!(form("/api/oauth/revoke", "Application/X-WWW-Form-Urlencoded; charset=utf-8"));
        assert!(!form("/api/oauth/token", "application/json"));
        assert!(!form("/api/atlas/v2/groups", "application/x-www-form-urlencoded"));
    }

    #[test]
    fn a_field_that_is_named_twice_is_none() {
        let asked = asked("/api/oauth/token", "accept", "*/*").with_form(b"a=1+%2B&b=2&b=2");
        assert_eq!((asked.field("a"), asked.field("b"), asked.field("c")), (Some("1 +"), None, None));
    }
}
