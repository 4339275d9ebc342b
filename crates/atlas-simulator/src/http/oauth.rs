//! The endpoints of service accounts, which mint and revoke access tokens.

use std::time::Instant;

use serde_json::json;

use super::{body::ApiResponse, error::ApiError, request::ApiRequest};
use crate::{
    caller::{AuthError, Caller},
    endpoint::SimulatedEndpoint,
    state::{State, tokens::TokenError},
};

/// An error in the form of RFC 6749, which differs from those of the API.
#[derive(Debug)]
pub(crate) struct OauthError {
    status: u16,
    error: String,
    description: &'static str,
}

/// The access list does not matter here: Atlas applies it where a token is used.
pub(crate) fn respond(state: &mut State, request: &ApiRequest, caller: &Result<Caller, AuthError>) -> ApiResponse {
    if request.method != "POST" {
        return ApiError::method_not_allowed(&request.method).into_response();
    }
    let Ok(Caller::ServiceAccount(client)) = caller else {
        return OauthError::default_error(401).into_response();
    };
    match request.endpoint() {
        Some(SimulatedEndpoint::Revoke) => revoke(state, request, client),
        _ => mint(state, request, client),
    }
}

fn mint(state: &mut State, request: &ApiRequest, client: &str) -> ApiResponse {
    let counted = state.tokens.count_request(Instant::now());
    if counted.is_ok() && request.form_field("grant_type") != Some("client_credentials") {
        let error = OauthError::default_error(400).with_code("unsupported_grant_type".to_owned());
        return OauthError { description: "The grant type must be client_credentials.", ..error }.into_response();
    }
    match counted.and_then(|()| state.tokens.mint(client, Instant::now())) {
        Ok(token) => {
            let expires_in = state.tokens.account.token_lifetime.as_secs();
            let body = json!({"access_token": token, "expires_in": expires_in, "token_type": "Bearer"});
            private(ApiResponse::from_server(200, body.to_string()))
        }
        Err(TokenError::RateLimited { per_minute }) => {
            ApiError::too_many_requests(&request.path, per_minute).into_response()
        }
        Err(TokenError::TooMany) => OauthError::default_error(403).into_response(),
    }
}

/// Revokes a token. RFC 7009 demands the same response for an unknown one.
fn revoke(state: &mut State, request: &ApiRequest, client: &str) -> ApiResponse {
    let Some(token) = request.form_field("token") else {
        let error = OauthError::default_error(400);
        return OauthError { description: "The parameter token is missing.", ..error }.into_response();
    };
    state.tokens.revoke(client, token);
    private(ApiResponse::from_server(200, ""))
}

/// Adds the header that RFC 6749 demands on every response about a token.
fn private(response: ApiResponse) -> ApiResponse {
    response.with("cache-control", "no-store")
}

impl OauthError {
    /// The usual error with a status.
    pub(crate) fn default_error(status: u16) -> OauthError {
        let (error, description) = match status {
            401 => ("invalid_client", "Invalid credentials provided."),
            403 => ("access_denied", "Access Token limit reached. Revoke a token or wait until one expires."),
            500.. => ("server_error", "Unexpected error."),
            _ => ("invalid_request", "The request is invalid."),
        };
        OauthError { status, error: error.to_owned(), description }
    }

    pub(crate) fn with_code(self, error: String) -> OauthError {
        OauthError { error, ..self }
    }

    pub(crate) fn into_response(self) -> ApiResponse {
        let outcome = match self.status {
            401 => AuthError::BadCredentials.outcome(),
            403 => "token_limit",
            _ => "bad_request",
        };
        let body = json!({"error": self.error, "error_description": self.description});
        private(ApiResponse::from_server(self.status, body.to_string())).logged_as(outcome)
    }
}
