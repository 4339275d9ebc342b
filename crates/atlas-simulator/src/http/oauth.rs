//! The endpoints of service accounts, which mint and revoke access tokens.

use std::time::Instant;

use axum::http::Method;
use serde_json::json;

use super::{
    auth::{AuthError, Caller},
    body::ApiResponse,
    error::ApiError,
    request::ApiRequest,
};
use crate::{
    endpoint::SimulatedEndpoint,
    state::{State, tokens::TokenError},
};

/// The access list does not matter here: Atlas applies it where a token is used.
pub(crate) fn respond(state: &mut State, request: &ApiRequest, caller: &Result<Caller, AuthError>) -> ApiResponse {
    if request.head.method != Method::POST {
        return ApiError::MethodNotAllowed(request.head.method.to_string()).into();
    }
    let Ok(Caller::ServiceAccount(client)) = caller else {
        return error(401, None, None);
    };
    if request.endpoint == SimulatedEndpoint::Revoke {
        revoke(state, request, client)
    } else {
        mint(state, request, client)
    }
}

fn mint(state: &mut State, request: &ApiRequest, client: &str) -> ApiResponse {
    let counted = state.tokens.count_request(Instant::now());
    if counted.is_ok() && request.form_field("grant_type").as_deref() != Some("client_credentials") {
        let description = "The grant type must be client_credentials.";
        return error(400, Some("unsupported_grant_type"), Some(description));
    }
    match counted.and_then(|()| state.tokens.mint(client, Instant::now())) {
        Ok(token) => {
            let expires_in = state.tokens.account.token_lifetime.as_secs();
            let body = json!({"access_token": token, "expires_in": expires_in, "token_type": "Bearer"});
            private(ApiResponse::from_server(200, body.to_string()))
        }
        Err(TokenError::RateLimited) => rate_limited(state, request).into(),
        Err(TokenError::TooMany) => error(403, None, None),
    }
}

/// The error that follows too many requests for a token.
pub(crate) fn rate_limited(state: &State, request: &ApiRequest) -> ApiError {
    ApiError::RateLimited(request.path().to_owned(), state.tokens.account.mints_per_minute, 1)
}

/// Revokes a token. RFC 7009 requires the same response for an unknown one.
fn revoke(state: &mut State, request: &ApiRequest, client: &str) -> ApiResponse {
    let Some(token) = request.form_field("token") else {
        return error(400, None, Some("The parameter token is missing."));
    };
    state.tokens.revoke(client, &token);
    private(ApiResponse::from_server(200, ""))
}

/// Adds the header that RFC 6749 requires on every response about a token.
fn private(response: ApiResponse) -> ApiResponse {
    response.with("cache-control", "no-store")
}

/// An error in the form of RFC 6749, which differs from those of the API: the usual one with the status, but for the
/// code and the description that are given.
pub(crate) fn error(status: u16, code: Option<&str>, description: Option<&str>) -> ApiResponse {
    let (usual_code, usual_description, outcome) = match status {
        401 => ("invalid_client", "Invalid credentials provided.", AuthError::BadCredentials.into()),
        403 => {
            let description = "Access Token limit reached. Revoke a token or wait until one expires.";
            ("access_denied", description, "token_limit")
        }
        500.. => ("server_error", "Unexpected error.", "bad_request"),
        _ => ("invalid_request", "The request is invalid.", "bad_request"),
    };
    let body = json!({
        "error": code.unwrap_or(usual_code),
        "error_description": description.unwrap_or(usual_description),
    });
    private(ApiResponse::from_server(status, body.to_string())).logged_as(outcome)
}
