//! The endpoints of service accounts, which mint and revoke access tokens.

use std::time::Instant;

use hyper::Method;
use serde_json::json;

use super::{body::ApiResponse, error::ApiError, request::ApiRequest};
use crate::{
    caller::{AuthError, Caller},
    endpoint::SimulatedEndpoint,
    state::{State, tokens::TokenError},
};

/// The access list does not matter here: Atlas applies it where a token is used.
pub(crate) fn respond(state: &mut State, request: &ApiRequest, caller: &Result<Caller, AuthError>) -> ApiResponse {
    if request.head.method != Method::POST {
        return ApiError::method_not_allowed(request.head.method.as_str()).into_response();
    }
    let Ok(Caller::ServiceAccount(client)) = caller else {
        return error(401, None, None);
    };
    match request.endpoint() {
        Some(SimulatedEndpoint::Revoke) => revoke(state, request, client),
        _ => mint(state, request, client),
    }
}

fn mint(state: &mut State, request: &ApiRequest, client: &str) -> ApiResponse {
    let counted = state.tokens.count_request(Instant::now());
    if counted.is_ok() && request.form_field("grant_type") != Some("client_credentials") {
        let description = "The grant type must be client_credentials.";
        return error(400, Some("unsupported_grant_type"), Some(description));
    }
    match counted.and_then(|()| state.tokens.mint(client, Instant::now())) {
        Ok(token) => {
            let expires_in = state.tokens.account.token_lifetime.as_secs();
            let body = json!({"access_token": token, "expires_in": expires_in, "token_type": "Bearer"});
            private(ApiResponse::from_server(200, body.to_string()))
        }
        Err(TokenError::RateLimited) => {
            ApiError::too_many_requests(request.path(), state.tokens.account.mints_per_minute).into_response()
        }
        Err(TokenError::TooMany) => error(403, None, None),
    }
}

/// Revokes a token. RFC 7009 requires the same response for an unknown one.
fn revoke(state: &mut State, request: &ApiRequest, client: &str) -> ApiResponse {
    let Some(token) = request.form_field("token") else {
        return error(400, None, Some("The parameter token is missing."));
    };
    state.tokens.revoke(client, token);
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
        401 => ("invalid_client", "Invalid credentials provided.", AuthError::BadCredentials.outcome()),
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
