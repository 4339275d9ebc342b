//! The errors of the Atlas API.

use serde::Serialize;

use crate::scenario::settings::RateLimitSettings;

/// An error of the API. Its name is the error code, its text the detail, and its fields are the parameters.
#[derive(Clone, Debug, thiserror::Error, Serialize, strum::IntoStaticStr)]
#[serde(untagged)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ApiError {
    #[error("Invalid attribute specified.")]
    ValidationError,
    #[error("One or more path parameter in the request URI {0} is malformed.")]
    PathParamParseError(String),
    #[error("Invalid query parameter {0} specified.")]
    InvalidQueryParameter(String),
    #[error("An invalid enumeration value {0} was specified.")]
    InvalidEnumValue(String),
    #[error("You are not authorized for this resource.")]
    #[strum(serialize = "UNEXPECTED_ERROR")]
    Unauthorized,
    #[error("The current user is not in the group, or the group does not exist.")]
    NotInGroup,
    #[error("The current user is not authorized to access the organization.")]
    UserCannotAccessOrg,
    #[error("This account is suspended.")]
    AccountSuspended,
    #[error("IP address {0} is not allowed to access this resource.")]
    IpAddressNotOnAccessList(&'static str),
    #[error("No group with ID {0} exists.")]
    GroupNotFound(String),
    #[error("Cannot find resource {0}.")]
    ResourceNotFound(String),
    #[error("The method {0} is not allowed for this resource.")]
    MethodNotAllowed(String),
    #[error("The Accept header {0} names no known version date.")]
    InvalidVersionDate(String),
    #[error("This version of the resource is gone.")]
    VersionGone,
    #[error(
        "Rate limit exceeded for {0}. Please retry after {1} seconds. Request capacity: {2}. Refill rate: {3} per {4} \
         seconds. For more information, see: http://dochub.mongodb.org/core/atlas-api-rate-limit."
    )]
    RateLimitedTokenBucket(String, u64, u32, u32, u32),
    /// The older rate limit error, which the token endpoint still sends.
    #[error("Resource {0} is limited to {1} requests every {2} minutes.")]
    RateLimited(String, u32, u32),
    #[error("The service is unavailable.")]
    ServiceUnavailable,
    #[error("Unexpected error.")]
    UnexpectedError,
}

impl ApiError {
    /// The client's address is one reserved for documentation.
    pub(crate) fn address_not_allowed() -> ApiError {
        ApiError::IpAddressNotOnAccessList("203.0.113.7")
    }

    pub(crate) fn rate_limited(path: &str, retry_after: u64, limit: RateLimitSettings) -> ApiError {
        let path = path.trim_start_matches('/').to_owned();
        ApiError::RateLimitedTokenBucket(path, retry_after, limit.capacity, limit.refill_per_minute, 60)
    }

    /// The usual status, which a fault can replace.
    pub(crate) fn status(&self) -> u16 {
        match self {
            ApiError::NotInGroup | ApiError::UserCannotAccessOrg => 401,
            ApiError::IpAddressNotOnAccessList(_) => 403,
            ApiError::GroupNotFound(_) | ApiError::ResourceNotFound(_) => 404,
            ApiError::MethodNotAllowed(_) => 405,
            ApiError::InvalidVersionDate(_) => 406,
            ApiError::RateLimitedTokenBucket(..) | ApiError::RateLimited(..) => 429,
            _ => 400,
        }
    }
}
