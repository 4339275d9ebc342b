//! The errors of the Atlas API.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::body::ApiResponse;
use crate::scenario::settings::RateLimitSettings;

/// An address reserved for documentation, which stands for the client's.
const CLIENT_ADDRESS: &str = "203.0.113.7";

/// An error of the API.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    status: u16,
    code: String,
    detail: String,
    parameters: Value,
}

impl ApiError {
    fn new(status: u16, code: &str, detail: impl Into<String>, parameters: Value) -> ApiError {
        ApiError { status, code: code.to_owned(), detail: detail.into(), parameters }
    }

    pub(crate) fn group_not_found(group: &str) -> ApiError {
        ApiError::new(404, "GROUP_NOT_FOUND", format!("No group with ID {group} exists."), json!([group]))
    }

    pub(crate) fn resource_not_found(path: &str) -> ApiError {
        ApiError::new(404, "RESOURCE_NOT_FOUND", format!("Cannot find resource {path}."), json!([path]))
    }

    pub(crate) fn method_not_allowed(method: &str) -> ApiError {
        let detail = format!("The method {method} is not allowed for this resource.");
        ApiError::new(405, "METHOD_NOT_ALLOWED", detail, json!([method]))
    }

    pub(crate) fn malformed_path(path: &str) -> ApiError {
        let detail = format!("One or more path parameter in the request URI {path} is malformed.");
        ApiError::new(400, "PATH_PARAM_PARSE_ERROR", detail, json!([path]))
    }

    pub(crate) fn query_parameter(name: &str) -> ApiError {
        let detail = format!("Invalid query parameter {name} specified.");
        ApiError::new(400, "INVALID_QUERY_PARAMETER", detail, json!([name]))
    }

    pub(crate) fn enum_value(value: &str) -> ApiError {
        let detail = format!("An invalid enumeration value {value} was specified.");
        ApiError::new(400, "INVALID_ENUM_VALUE", detail, json!([value]))
    }

    pub(crate) fn version_date(accept: &str) -> ApiError {
        let detail = format!("The Accept header {accept} names no known version date.");
        ApiError::new(406, "INVALID_VERSION_DATE", detail, json!([accept]))
    }

    pub(crate) fn not_in_group() -> ApiError {
        let detail = "The current user is not in the group, or the group does not exist.";
        ApiError::new(401, "NOT_IN_GROUP", detail, json!([]))
    }

    pub(crate) fn cannot_access_org() -> ApiError {
        let detail = "The current user is not authorized to access the organization.";
        ApiError::new(401, "USER_CANNOT_ACCESS_ORG", detail, json!([]))
    }

    pub(crate) fn address_not_allowed() -> ApiError {
        let detail = format!("IP address {CLIENT_ADDRESS} is not allowed to access this resource.");
        ApiError::new(403, "IP_ADDRESS_NOT_ON_ACCESS_LIST", detail, json!([CLIENT_ADDRESS]))
    }

    pub(crate) fn rate_limited(path: &str, retry_after: u64, limit: RateLimitSettings) -> ApiError {
        let RateLimitSettings { capacity, refill_per_minute: refill } = limit;
        let path = path.trim_start_matches('/');
        let detail = format!(
            "Rate limit exceeded for {path}. Please retry after {retry_after} seconds. \
             Request capacity: {capacity}. Refill rate: {refill} per 60 seconds. \
             For more information, see: http://dochub.mongodb.org/core/atlas-api-rate-limit."
        );
        ApiError::new(429, "RATE_LIMITED_TOKEN_BUCKET", detail, json!([path, retry_after, capacity, refill, 60]))
    }

    /// The older rate limit error, which the token endpoint still sends.
    pub(crate) fn too_many_requests(path: &str, per_minute: u32) -> ApiError {
        let detail = format!("Resource {path} is limited to {per_minute} requests every 1 minutes.");
        ApiError::new(429, "RATE_LIMITED", detail, json!([path, per_minute, 1]))
    }

    /// The error that Atlas usually sends with a status. `retry_after`, in seconds, and `limit` matter for 429.
    pub(crate) fn default_error(
        status: u16,
        path: &str,
        group: Option<&str>,
        retry_after: Option<u64>,
        limit: RateLimitSettings,
    ) -> ApiError {
        let plain = |code, detail: &str| ApiError::new(status, code, detail, json!([]));
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

    /// Replaces the error code, if there is another one.
    pub(crate) fn with_code(self, code: Option<String>) -> ApiError {
        ApiError { code: code.unwrap_or(self.code), ..self }
    }

    pub(crate) fn into_response(self) -> ApiResponse {
        let outcome = match self.status {
            401 => "no_access",
            403 => "access_list",
            404 => "not_found",
            406 => "not_acceptable",
            429 => "rate_limited",
            _ => "bad_request",
        };
        let status = StatusCode::from_u16(self.status).unwrap_or_default();
        let body = json!({
            "detail": self.detail,
            "error": self.status,
            "errorCode": self.code,
            "parameters": self.parameters,
            "reason": status.canonical_reason(),
        });
        let response = ApiResponse::from_resource(self.status, "application/json", body.to_string());
        response.varying().with("x-error-code", self.code).logged_as(outcome)
    }
}
