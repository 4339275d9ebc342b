//! Errors as Atlas words them.

use serde_json::{Value, json};

use super::{RateLimit, answer::Answer};

/// The documentation address 203.0.113.7 stands for the client's.
const CLIENT_ADDRESS: &str = "203.0.113.7";

/// An error of the API.
#[derive(Clone, Debug)]
pub(super) struct ApiError {
    pub(super) status: u16,
    pub(super) code: String,
    detail: String,
    parameters: Vec<Value>,
    outcome: &'static str,
}

impl ApiError {
    fn new(status: u16, code: &str, outcome: &'static str, detail: String, parameters: Vec<Value>) -> ApiError {
        ApiError { status, code: code.to_owned(), detail, parameters, outcome }
    }

    pub(super) fn group_not_found(group: &str) -> ApiError {
        let detail = format!("No group with ID {group} exists.");
        ApiError::new(404, "GROUP_NOT_FOUND", "not_found", detail, vec![group.into()])
    }

    pub(super) fn resource_not_found(path: &str) -> ApiError {
        let detail = format!("Cannot find resource {path}.");
        ApiError::new(404, "RESOURCE_NOT_FOUND", "not_found", detail, vec![path.into()])
    }

    pub(super) fn method_not_allowed(method: &str) -> ApiError {
        let detail = format!("The method {method} is not allowed for this resource.");
        ApiError::new(405, "METHOD_NOT_ALLOWED", "bad_request", detail, vec![method.into()])
    }

    pub(super) fn malformed_path(path: &str) -> ApiError {
        let detail = format!("One or more path parameter in the request URI {path} is malformed.");
        ApiError::new(400, "PATH_PARAM_PARSE_ERROR", "bad_request", detail, vec![path.into()])
    }

    pub(super) fn query_parameter(name: &str) -> ApiError {
        let detail = format!("Invalid query parameter {name} specified.");
        ApiError::new(400, "INVALID_QUERY_PARAMETER", "bad_request", detail, vec![name.into()])
    }

    pub(super) fn enum_value(value: &str) -> ApiError {
        let detail = format!("An invalid enumeration value {value} was specified.");
        ApiError::new(400, "INVALID_ENUM_VALUE", "bad_request", detail, vec![value.into()])
    }

    pub(super) fn version_date(accept: &str) -> ApiError {
        let detail = format!("The Accept header {accept} names no known version date.");
        ApiError::new(406, "INVALID_VERSION_DATE", "not_acceptable", detail, vec![accept.into()])
    }

    pub(super) fn not_in_group() -> ApiError {
        let detail = "The current user is not in the group, or the group does not exist.".to_owned();
        ApiError::new(401, "NOT_IN_GROUP", "no_access", detail, Vec::new())
    }

    pub(super) fn cannot_access_org() -> ApiError {
        let detail = "The current user is not authorized to access the organization.".to_owned();
        ApiError::new(401, "USER_CANNOT_ACCESS_ORG", "no_access", detail, Vec::new())
    }

    pub(super) fn address_not_allowed() -> ApiError {
        let detail = format!("IP address {CLIENT_ADDRESS} is not allowed to access this resource.");
        let parameters = vec![CLIENT_ADDRESS.into()];
        ApiError::new(403, "IP_ADDRESS_NOT_ON_ACCESS_LIST", "access_list", detail, parameters)
    }

    pub(super) fn rate_limited(path: &str, retry_after: u64, limit: RateLimit) -> ApiError {
        let RateLimit { capacity, refill_per_minute: refill } = limit;
        let path = path.trim_start_matches('/');
        let detail = format!(
            "Rate limit exceeded for {path}. Please retry after {retry_after} seconds. \
             Request capacity: {capacity}. Refill rate: {refill} per 60 seconds. \
             For more information, see: http://dochub.mongodb.org/core/atlas-api-rate-limit."
        );
        let parameters = vec![path.into(), retry_after.into(), capacity.into(), refill.into(), 60.into()];
        ApiError::new(429, "RATE_LIMITED_TOKEN_BUCKET", "rate_limited", detail, parameters)
    }

    /// The older form of the same, which the token endpoint still has.
    pub(super) fn too_many_requests(path: &str, per_minute: u32) -> ApiError {
        let detail = format!("Resource {path} is limited to {per_minute} requests every 1 minutes.");
        let parameters = vec![path.into(), per_minute.into(), 1.into()];
        ApiError::new(429, "RATE_LIMITED", "rate_limited", detail, parameters)
    }

    /// What Atlas usually means by a status; where it is told to come back later, in so many seconds.
    pub(super) fn usual(
        status: u16,
        path: &str,
        group: Option<&str>,
        retry_after: Option<u64>,
        limit: RateLimit,
    ) -> ApiError {
        let plain = |code, detail: &str| ApiError::new(status, code, "fault", detail.to_owned(), Vec::new());
        match status {
            400 => plain("VALIDATION_ERROR", "Invalid attribute specified."),
            401 => plain("UNEXPECTED_ERROR", "You are not authorized for this resource."),
            402 => plain("ACCOUNT_SUSPENDED", "This account is suspended."),
            403 => ApiError::address_not_allowed(),
            404 => group.map_or_else(|| ApiError::resource_not_found(path), ApiError::group_not_found),
            406 => ApiError::version_date(""),
            410 => plain("VERSION_GONE", "This version of the resource is gone."),
            429 => ApiError::rate_limited(path, retry_after.unwrap_or_default(), limit),
            503 => plain("SERVICE_UNAVAILABLE", "The service is unavailable."),
            _ => plain("UNEXPECTED_ERROR", "Unexpected error."),
        }
    }

    pub(super) fn into_answer(self) -> Answer {
        let status = hyper::StatusCode::from_u16(self.status).unwrap_or_default();
        let body = json!({
            "detail": self.detail,
            "error": self.status,
            "errorCode": self.code,
            "parameters": self.parameters,
            "reason": status.canonical_reason(),
        });
        Answer::of_resource(self.outcome, self.status, "application/json", body.to_string())
            .varying()
            .with("x-error-code", self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(error: ApiError) -> String {
        String::from_utf8(error.into_answer().body).unwrap()
    }

    #[test]
    fn a_missing_group_reads_as_recorded() {
        assert_eq!(
            text(ApiError::group_not_found("111111111111111111111111")),
            r#"{"detail":"No group with ID 111111111111111111111111 exists.","error":404,"errorCode":"GROUP_NOT_FOUND","parameters":["111111111111111111111111"],"reason":"Not Found"}"#
        );
    }

    #[test]
    fn an_exceeded_limit_of_tokens_reads_as_recorded() {
        assert_eq!(
            text(ApiError::too_many_requests("/api/oauth/token", 50)),
            r#"{"detail":"Resource /api/oauth/token is limited to 50 requests every 1 minutes.","error":429,"errorCode":"RATE_LIMITED","parameters":["/api/oauth/token",50,1],"reason":"Too Many Requests"}"#
        );
    }

    #[test]
    fn an_exceeded_limit_reads_as_recorded() {
        assert_eq!(
            text(ApiError::rate_limited("/api/atlas/v2/groups/g/peers", 0, RateLimit::default())),
            r#"{"detail":"Rate limit exceeded for api/atlas/v2/groups/g/peers. Please retry after 0 seconds. Request capacity: 2000. Refill rate: 1000 per 60 seconds. For more information, see: http://dochub.mongodb.org/core/atlas-api-rate-limit.","error":429,"errorCode":"RATE_LIMITED_TOKEN_BUCKET","parameters":["api/atlas/v2/groups/g/peers",0,2000,1000,60],"reason":"Too Many Requests"}"#
        );
    }
}
