//! The query parameters: of the form of an answer, and of the part of a list it shows.

use serde_json::Value;

use super::{Endpoint, Provider, api_error::ApiError};

const MAX_ITEMS_PER_PAGE: u32 = 500;

/// What a client asked for, defaults included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) form: Form,
    /// The first page of all where it is no list.
    pub(super) part: Part,
}

/// How a body is written; everything takes these two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) pretty: bool,
    pub(super) envelope: bool,
}

/// Which part of a list is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) page_num: u32,
    pub(super) items_per_page: u32,
    pub(super) include_count: bool,
    pub(super) filter: Filter,
}

/// What of a list is wanted at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    All,
    /// Without `providerName` the real API lists AWS only.
    Provider(Provider),
    /// How a name begins, in any case; every name begins with nothing.
    Name(String),
}

impl Query {
    /// Reads the parameters that the endpoint takes, and no other.
    pub(super) fn parse(endpoint: Option<Endpoint>, text: &str) -> Result<Query, ApiError> {
        let filter = match endpoint {
            Some(Endpoint::Peers) => Filter::Provider(Provider::Aws),
            Some(Endpoint::OrgGroups) => Filter::Name(String::new()),
            _ => Filter::All,
        };
        let part = Part { page_num: 1, items_per_page: 100, include_count: true, filter };
        let mut query = Query { form: Form::default(), part };
        let is_list = endpoint.is_some_and(Endpoint::is_list);
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            match name.as_ref() {
                "pretty" => query.form.pretty = flag(&name, &value)?,
                "envelope" => query.form.envelope = flag(&name, &value)?,
                _ if is_list => query.part.set(&name, &value)?,
                _ => return Err(ApiError::query_parameter(&name)),
            }
        }
        Ok(query)
    }
}

impl Part {
    fn set(&mut self, name: &str, value: &str) -> Result<(), ApiError> {
        let number = |max: u32| match value.parse() {
            Ok(number) if (1..=max).contains(&number) => Ok(number),
            _ => Err(ApiError::query_parameter(name)),
        };
        match (name, &mut self.filter) {
            ("pageNum", _) => self.page_num = number(u32::MAX)?,
            ("itemsPerPage", _) => self.items_per_page = number(MAX_ITEMS_PER_PAGE)?,
            ("includeCount", _) => self.include_count = flag(name, value)?,
            ("providerName", Filter::Provider(provider)) => {
                *provider = Provider::parse(value).ok_or_else(|| ApiError::enum_value(value))?;
            }
            ("name", Filter::Name(beginning)) => value.clone_into(beginning),
            _ => return Err(ApiError::query_parameter(name)),
        }
        Ok(())
    }
}

impl Form {
    /// A body in the form that was chosen.
    pub(super) fn written(self, body: &Value) -> String {
        if self.pretty { format!("{body:#}") } else { body.to_string() }
    }
}

impl Filter {
    /// The provider, where the list has one at a time.
    pub(super) fn provider(&self) -> Option<Provider> {
        match self {
            Filter::Provider(provider) => Some(*provider),
            Filter::All | Filter::Name(_) => None,
        }
    }

    pub(super) fn takes_name(&self, name: &str) -> bool {
        match self {
            Filter::Name(beginning) => name.to_lowercase().starts_with(&beginning.to_lowercase()),
            Filter::All | Filter::Provider(_) => true,
        }
    }

    /// What a link says of it, with the `&` before.
    pub(super) fn in_link(&self) -> String {
        match self {
            Filter::Provider(provider) => format!("&providerName={}", provider.name()),
            Filter::Name(beginning) if !beginning.is_empty() => {
                let encoded: String = url::form_urlencoded::byte_serialize(beginning.as_bytes()).collect();
                format!("&name={encoded}")
            }
            Filter::All | Filter::Name(_) => String::new(),
        }
    }
}

fn flag(name: &str, value: &str) -> Result<bool, ApiError> {
    value.parse().map_err(|_| ApiError::query_parameter(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(endpoint: Endpoint, text: &str) -> Part {
        Query::parse(Some(endpoint), text).unwrap().part
    }

    #[test]
    fn without_parameters_it_is_the_first_hundred_and_of_peers_those_of_aws() {
        for (endpoint, filter) in [
            (Endpoint::Peers, Filter::Provider(Provider::Aws)),
            (Endpoint::Groups, Filter::All),
            (Endpoint::OrgGroups, Filter::Name(String::new())),
            (Endpoint::Containers, Filter::All),
        ] {
            let expected = Part { page_num: 1, items_per_page: 100, include_count: true, filter };
            assert_eq!(part(endpoint, ""), expected);
        }
        assert_eq!(Query::parse(Some(Endpoint::Peers), "").unwrap().form, Form::default());
    }

    #[test]
    fn every_parameter_is_read() {
        let text = "providerName=Azure&pageNum=3&itemsPerPage=500&includeCount=false&pretty=true&envelope=true";
        let filter = Filter::Provider(Provider::Azure);
        let part = Part { page_num: 3, items_per_page: 500, include_count: false, filter };
        let form = Form { pretty: true, envelope: true };
        assert_eq!(Query::parse(Some(Endpoint::Peers), text).unwrap(), Query { form, part });
    }

    #[test]
    fn a_name_is_a_beginning_in_any_case() {
        let filter = part(Endpoint::OrgGroups, "name=%C3%89t%20").filter;
        assert!(filter.takes_name("\u{e9}T eins") && !filter.takes_name("et eins") && !filter.takes_name("\u{e9}t"));
        assert_eq!(filter.in_link(), "&name=%C3%89t+");
        assert!(part(Endpoint::OrgGroups, "").filter.takes_name(""));
    }

    #[test]
    fn what_is_out_of_range_or_unknown_is_refused() {
        let code = |endpoint, text| Query::parse(Some(endpoint), text).unwrap_err().code;
        for text in
            ["pageNum=0", "pageNum=x", "itemsPerPage=0", "itemsPerPage=501", "includeCount=1", "envelope=yes", "page=1"]
        {
            assert_eq!(code(Endpoint::Peers, text), "INVALID_QUERY_PARAMETER", "{text}");
        }
        assert_eq!(code(Endpoint::Peers, "providerName=all"), "INVALID_ENUM_VALUE");
    }

    #[test]
    fn a_parameter_of_one_endpoint_is_unknown_to_others() {
        for (endpoint, text) in [
            (Endpoint::Peers, "name=a"),
            (Endpoint::Groups, "name=a"),
            (Endpoint::Groups, "providerName=AWS"),
            (Endpoint::Containers, "providerName=AWS"),
            (Endpoint::Group, "pageNum=1"),
            (Endpoint::Root, "includeCount=true"),
        ] {
            assert_eq!(Query::parse(Some(endpoint), text).unwrap_err().code, "INVALID_QUERY_PARAMETER", "{text}");
        }
    }
}
