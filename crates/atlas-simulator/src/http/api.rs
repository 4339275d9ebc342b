//! A request of the API: authenticate it, apply a fault or respond, and log it.

use std::time::{Duration, Instant};

use hyper::http::uri::PathAndQuery;

use super::{
    auth::PresentedCredentials,
    body::{ApiResponse, Delivery},
    error::ApiError,
    oauth,
    request::ApiRequest,
    resources,
};
use crate::{
    caller::{AuthError, Caller},
    fault::{self, Effect, Endless, StatusFault},
    state::{State, rate_limits, request_log},
};

/// What to do with a connection.
#[derive(Debug)]
pub(crate) enum Action {
    Respond(ApiResponse),
    /// Close the connection without a response.
    Close,
    /// Leave the request without a response.
    Stall,
}

/// Decides what happens to a request and after how long, and logs it.
pub(crate) fn handle(state: &mut State, request: &ApiRequest) -> (Duration, Action) {
    // Credentials count even where a fault makes them useless, so that no nonce count is missed.
    let caller = authenticate(state, request);
    let fault = fault::take(&mut state.faults, request, caller.is_ok()).unwrap_or_default();
    let delay = state.latency().saturating_add(fault.delay.unwrap_or_default());
    let action = match fault.effect {
        Some(effect) => apply_fault(state, request, &caller, effect),
        None => Action::Respond(respond(state, request, &caller, None)),
    };
    let Action::Respond(mut response) = action else {
        request_log::record(&mut state.log, request, None, "fault");
        return (delay, action);
    };
    request_log::record(&mut state.log, request, Some(response.status), response.outcome);
    response = with_dates(response, state, request);
    if state.settings.gzip && request.accepts_gzip() {
        response = response.compress();
    }
    (delay, Action::Respond(response))
}

/// A request for a token needs the credentials of the service account, and any other a token or a digest response.
fn authenticate(state: &mut State, request: &ApiRequest) -> Result<Caller, AuthError> {
    match &request.credentials {
        PresentedCredentials::Basic(Some(client)) if request.is_oauth() && state.tokens.accepts(client) => {
            Ok(Caller::ServiceAccount(client.id.clone()))
        }
        _ if request.is_oauth() => Err(AuthError::BadCredentials),
        PresentedCredentials::Missing => Err(AuthError::Missing),
        PresentedCredentials::Digest(Some(response)) => {
            let uri = request.head.uri.path_and_query().map_or("", PathAndQuery::as_str);
            state.digest.verify(request.head.method.as_str(), uri, response, Instant::now())?;
            Ok(Caller::ApiKey(state.digest.credentials.public_key.clone()))
        }
        PresentedCredentials::Bearer(token) => {
            let client = state.tokens.client_of(token, Instant::now()).ok_or(AuthError::BadToken)?;
            Ok(Caller::ServiceAccount(client.to_owned()))
        }
        PresentedCredentials::Digest(None) | PresentedCredentials::Basic(_) | PresentedCredentials::Other => {
            Err(AuthError::BadCredentials)
        }
    }
}

/// The response without a fault.
fn respond(
    state: &mut State,
    request: &ApiRequest,
    caller: &Result<Caller, AuthError>,
    endless: Option<Endless>,
) -> ApiResponse {
    match caller {
        _ if request.is_oauth() => oauth::respond(state, request, caller),
        Ok(caller) => resources::respond(state, request, caller, endless),
        Err(error) => {
            let challenge = (*error != AuthError::BadToken)
                .then(|| state.digest.challenge(*error == AuthError::Stale, Instant::now()));
            ApiResponse::unauthorized(challenge).logged_as(error.outcome())
        }
    }
}

fn apply_fault(state: &mut State, request: &ApiRequest, caller: &Result<Caller, AuthError>, effect: Effect) -> Action {
    let json = |body: &str| ApiResponse::from_resource(200, request.content_type(), body);
    let mut respond = |endless, delivery| {
        let mut response = respond(state, request, caller, endless);
        response.delivery = delivery;
        response
    };
    let response = match effect {
        Effect::Close => return Action::Close,
        Effect::Never => return Action::Stall,
        Effect::Cut => respond(None, Delivery::Cut),
        Effect::Drip(pause) => respond(None, Delivery::Drip(pause)),
        Effect::Oversize(size) => respond(None, Delivery::Padded(size)),
        Effect::Endless(endless) => respond(Some(endless), Delivery::Whole),
        Effect::Garbage => json(r#"{"results": [<oops>"#),
        Effect::Body(body) => json(&body),
        Effect::Status(status) => forced_error(state, request, status),
    };
    Action::Respond(response.logged_as("fault"))
}

/// The response with the status of a fault, in the form that the endpoint uses for errors.
fn forced_error(state: &mut State, request: &ApiRequest, fault: StatusFault) -> ApiResponse {
    let retry_after = fault.retry_after;
    let response = match fault {
        StatusFault { body: Some(body), code, .. } => ApiResponse::from_resource(code, "application/json", body),
        StatusFault { html: true, code, .. } => ApiResponse::html(code),
        fault if request.is_oauth() => forced_oauth_error(state, request, fault),
        StatusFault { code: 401, error_code: None, .. } => {
            let answers_challenges = !matches!(request.credentials, PresentedCredentials::Bearer(_));
            let challenge = answers_challenges.then(|| state.digest.challenge(false, Instant::now()));
            ApiResponse::unauthorized(challenge)
        }
        fault => {
            let (code, limit) = (fault.code, rate_limits::limit(&state.settings, request.endpoint()));
            let response = default_error(state, request, fault).into_response();
            if code == 429 { resources::with_rate_limit(response, limit, 0) } else { response }
        }
    };
    match retry_after {
        Some(seconds) => response.with("retry-after", seconds.to_string()),
        None => response,
    }
}

/// An error code in lower case is one of OAuth.
fn forced_oauth_error(state: &State, request: &ApiRequest, fault: StatusFault) -> ApiResponse {
    let is_oauth_code =
        |code: &str| !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    match fault {
        StatusFault { code, error_code: Some(error), .. } if is_oauth_code(&error) => {
            oauth::error(code, Some(&error), None)
        }
        StatusFault { code: code @ (401 | 403 | 500), error_code: None, .. } => oauth::error(code, None, None),
        StatusFault { code: 429, error_code, .. } => {
            let error = ApiError::too_many_requests(request.path(), state.tokens.account.mints_per_minute);
            error.with_code(error_code).into_response()
        }
        fault => default_error(state, request, fault).into_response(),
    }
}

/// The usual error with the status, or the one that the fault names.
fn default_error(state: &State, request: &ApiRequest, fault: StatusFault) -> ApiError {
    let limit = rate_limits::limit(&state.settings, request.endpoint());
    ApiError::default_error(fault.code, request.path(), request.group(), fault.retry_after, limit)
        .with_code(fault.error_code)
}

/// Adds the dates of a resource that Atlas will remove, which are recorded on its successes and errors alike.
fn with_dates(response: ApiResponse, state: &State, request: &ApiRequest) -> ApiResponse {
    if !response.is_from_resource || request.resource().is_none() {
        return response;
    }
    let dates = [("deprecation", &state.settings.deprecation), ("sunset", &state.settings.sunset)];
    let dates = dates.into_iter().filter_map(|(name, date)| Some((name, date.clone()?)));
    dates.fold(response, |response, (name, date)| response.with(name, date))
}
