//! The endpoints of service accounts: a token for the credentials of one, and the end of a token.

use std::time::Instant;

use serde_json::json;

use super::{
    answer::Answer,
    api_error::ApiError,
    asked::Asked,
    caller::{Caller, Denial},
    route::Route,
    state::State,
    tokens::NoToken,
};

/// An error as RFC 6749 words it, unlike those of the API.
#[derive(Debug)]
pub(super) struct OauthError {
    status: u16,
    error: String,
    description: &'static str,
    outcome: &'static str,
}

/// The usual answer. The access list is not asked: Atlas does that where a token is used.
pub(super) fn answer(state: &mut State, asked: &Asked, caller: &Result<Caller, Denial>, now: Instant) -> Answer {
    if asked.method != "POST" {
        return ApiError::method_not_allowed(&asked.method).into_answer();
    }
    let Ok(Caller::ServiceAccount(client)) = caller else {
        return OauthError::usual(401, Denial::BadCredentials.outcome()).into_answer();
    };
    match asked.route {
        Route::Revoke => revoke(state, asked, client),
        _ => token(state, asked, client, now),
    }
}

fn token(state: &mut State, asked: &Asked, client: &str, now: Instant) -> Answer {
    if let Err(error) = state.tokens.count(now) {
        return refused(asked, error);
    }
    if asked.field("grant_type") != Some("client_credentials") {
        return OauthError::unsupported_grant_type().into_answer();
    }
    let token = match state.tokens.mint(client, now) {
        Ok(token) => token,
        Err(error) => return refused(asked, error),
    };
    let expires_in = state.tokens.lifetime().as_secs();
    let body = json!({"access_token": token, "expires_in": expires_in, "token_type": "Bearer"});
    private(Answer::of_server("ok", 200, body.to_string()))
}

fn refused(asked: &Asked, error: NoToken) -> Answer {
    match error {
        NoToken::TooFast { per_minute } => ApiError::too_many_requests(&asked.path, per_minute).into_answer(),
        NoToken::TooMany => OauthError::usual(403, "token_limit").into_answer(),
    }
}

/// Ends the token; RFC 7009 wants the same answer to one that was never alive.
fn revoke(state: &mut State, asked: &Asked, client: &str) -> Answer {
    let Some(token) = asked.field("token") else {
        return OauthError::no_token_named().into_answer();
    };
    state.tokens.revoke(client, token);
    private(Answer::of_server("ok", 200, ""))
}

/// The same with the header that RFC 6749 wants on every answer with a token or about one.
fn private(answer: Answer) -> Answer {
    answer.with("cache-control", "no-store")
}

impl OauthError {
    /// What a status usually means here.
    pub(super) fn usual(status: u16, outcome: &'static str) -> OauthError {
        let (error, description) = match status {
            401 => ("invalid_client", "Invalid credentials provided."),
            403 => ("access_denied", "Access Token limit reached. Revoke a token or wait until one expires."),
            500.. => ("server_error", "Unexpected error."),
            _ => ("invalid_request", "The request is invalid."),
        };
        OauthError { status, error: error.to_owned(), description, outcome }
    }

    /// The same with another word.
    pub(super) fn called(self, error: String) -> OauthError {
        OauthError { error, ..self }
    }

    fn unsupported_grant_type() -> OauthError {
        let description = "The grant type must be client_credentials.";
        OauthError { description, ..OauthError::usual(400, "bad_request").called("unsupported_grant_type".to_owned()) }
    }

    fn no_token_named() -> OauthError {
        OauthError { description: "The parameter token is missing.", ..OauthError::usual(400, "bad_request") }
    }

    pub(super) fn into_answer(self) -> Answer {
        let body = json!({"error": self.error, "error_description": self.description});
        private(Answer::of_server(self.outcome, self.status, body.to_string()))
    }
}
