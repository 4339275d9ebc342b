//! The query parameters of a list, and the two of them that everything takes.

use serde_json::Value;

use super::{Provider, api_error::ApiError};

const MAX_ITEMS_PER_PAGE: u32 = 500;

/// What a client asked for, defaults included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Query {
    /// Without `providerName` the real API lists AWS only.
    pub(super) provider: Provider,
    pub(super) page_num: u32,
    pub(super) items_per_page: u32,
    pub(super) include_count: bool,
    pub(super) pretty: bool,
    pub(super) envelope: bool,
}

impl Query {
    pub(super) fn parse(text: &str) -> Result<Query, ApiError> {
        let mut query = Query {
            provider: Provider::Aws,
            page_num: 1,
            items_per_page: 100,
            include_count: true,
            pretty: false,
            envelope: false,
        };
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            query.set(&name, &value)?;
        }
        Ok(query)
    }

    /// Reads the parameters of what is not a list: only the form of the answer can be chosen.
    pub(super) fn parse_form(text: &str) -> Result<Query, ApiError> {
        let mut names = url::form_urlencoded::parse(text.as_bytes()).map(|(name, _)| name);
        match names.find(|name| !["pretty", "envelope"].contains(&name.as_ref())) {
            Some(unknown) => Err(ApiError::query_parameter(&unknown)),
            None => Query::parse(text),
        }
    }

    /// A body in the form that was chosen.
    pub(super) fn written(self, body: &Value) -> String {
        if self.pretty { format!("{body:#}") } else { body.to_string() }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), ApiError> {
        let invalid = || ApiError::query_parameter(name);
        let flag = || value.parse().map_err(|_| invalid());
        let number = |max: u32| match value.parse() {
            Ok(number) if (1..=max).contains(&number) => Ok(number),
            _ => Err(invalid()),
        };
        match name {
            "providerName" => {
                self.provider = Provider::parse(value).ok_or_else(|| ApiError::enum_value(value))?;
            }
            "pageNum" => self.page_num = number(u32::MAX)?,
            "itemsPerPage" => self.items_per_page = number(MAX_ITEMS_PER_PAGE)?,
            "includeCount" => self.include_count = flag()?,
            "pretty" => self.pretty = flag()?,
            "envelope" => self.envelope = flag()?,
            _ => return Err(invalid()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        Query::parse(text).unwrap_err().code
    }

    #[test]
    fn without_parameters_it_is_the_first_hundred_of_aws() {
        let query = Query::parse("").unwrap();
        assert_eq!((query.provider, query.page_num, query.items_per_page), (Provider::Aws, 1, 100));
        assert!(query.include_count && !query.pretty && !query.envelope);
    }

    #[test]
    fn every_parameter_is_read() {
        let text = "providerName=Azure&pageNum=3&itemsPerPage=500&includeCount=false&pretty=true&envelope=true";
        let expected = Query {
            provider: Provider::Azure,
            page_num: 3,
            items_per_page: 500,
            include_count: false,
            pretty: true,
            envelope: true,
        };
        assert_eq!(Query::parse(text).unwrap(), expected);
    }

    #[test]
    fn what_is_out_of_range_or_unknown_is_refused() {
        for text in
            ["pageNum=0", "pageNum=x", "itemsPerPage=0", "itemsPerPage=501", "includeCount=1", "envelope=yes", "page=1"]
        {
            assert_eq!(code(text), "INVALID_QUERY_PARAMETER", "{text}");
        }
        assert_eq!(code("providerName=all"), "INVALID_ENUM_VALUE");
    }
}
