//! A request of the API: authenticate it, apply a fault or respond, and log it.

use std::time::{Duration, Instant};

use axum::{
    extract::{self, Request},
    http::uri::PathAndQuery,
    response::Response,
};
use tokio::time::sleep;

use super::{
    auth::{AuthError, Caller, PresentedCredentials},
    body::{self, ApiResponse},
    error::ApiError,
    oauth,
    request::ApiRequest,
    resources,
};
use crate::{
    endpoint::SimulatedEndpoint,
    fault::{self, Effect, Endless, Fault, StatusFault},
    simulator::Simulator,
    state::{State, rate_limits, request_log},
};

/// Responds to any request that is not one of the control API.
pub(crate) async fn respond(extract::State(simulator): extract::State<Simulator>, request: Request) -> Response {
    let request = ApiRequest::read(request).await;
    let (delay, effect, response) = handle(&mut simulator.state(), &request);
    if !delay.is_zero() {
        sleep(delay).await;
    }
    body::deliver(response.http, effect).await
}

/// Decides what happens to a request and after how long, and logs it.
fn handle(state: &mut State, request: &ApiRequest) -> (Duration, Option<Effect>, ApiResponse) {
    // Credentials count even where a fault makes them useless, so that no nonce count is missed.
    let caller = authenticate(state, request);
    let fault = fault::take(&mut state.faults, request, caller.is_ok());
    let Fault { delay, effect, .. } = fault.unwrap_or_default();
    let delay = state.latency().saturating_add(delay.unwrap_or_default());
    let mut response = match &effect {
        Some(effect) => apply_fault(state, request, &caller, effect).logged_as("fault"),
        None => usual_response(state, request, &caller, None),
    };
    let status = effect.as_ref().is_none_or(Effect::has_response).then(|| response.http.status().as_u16());
    request_log::record(&mut state.log, request, status, response.outcome);
    response = with_dates(response, state, request);
    // Padding is added while the body is sent, so a padded body stays as it is.
    if state.settings.gzip && request.accepts_gzip() && !matches!(effect, Some(Effect::Oversize(_))) {
        response = response.compress();
    }
    (delay, effect, response)
}

/// A request for a token needs the credentials of the service account, and any other a token or a digest response.
fn authenticate(state: &mut State, request: &ApiRequest) -> Result<Caller, AuthError> {
    match &request.credentials {
        PresentedCredentials::Basic(Some(client)) if request.endpoint.is_oauth() && state.tokens.accepts(client) => {
            Ok(Caller::ServiceAccount(client.id.clone()))
        }
        _ if request.endpoint.is_oauth() => Err(AuthError::BadCredentials),
        PresentedCredentials::Missing => Err(AuthError::Missing),
        PresentedCredentials::Digest(response) => {
            let uri = request.head.uri.path_and_query().map_or("", PathAndQuery::as_str);
            state.digest.verify(request.head.method.as_str(), uri, response, Instant::now())?;
            Ok(Caller::ApiKey(state.digest.credentials.public_key.clone()))
        }
        PresentedCredentials::Bearer(token) => {
            let client = state.tokens.client_of(token, Instant::now()).ok_or(AuthError::BadToken)?;
            Ok(Caller::ServiceAccount(client.to_owned()))
        }
        PresentedCredentials::Basic(_) | PresentedCredentials::Other => Err(AuthError::BadCredentials),
    }
}

/// The response without a fault, except that a list can be endless.
fn usual_response(
    state: &mut State,
    request: &ApiRequest,
    caller: &Result<Caller, AuthError>,
    endless: Option<Endless>,
) -> ApiResponse {
    match caller {
        _ if request.endpoint.is_oauth() => oauth::respond(state, request, caller),
        Ok(caller) => resources::respond(state, request, caller, endless).unwrap_or_else(ApiResponse::from),
        Err(error) => {
            let challenge = (*error != AuthError::BadToken)
                .then(|| state.digest.challenge(*error == AuthError::Stale, Instant::now()));
            ApiResponse::unauthorized(challenge).logged_as(error.into())
        }
    }
}

fn apply_fault(
    state: &mut State,
    request: &ApiRequest,
    caller: &Result<Caller, AuthError>,
    effect: &Effect,
) -> ApiResponse {
    match effect {
        Effect::Close | Effect::Never => ApiResponse::from_server(200, ""),
        Effect::Garbage => ApiResponse::from_resource(200, request.content_type(), r#"{"results": [<oops>"#),
        Effect::Body(body) => ApiResponse::from_resource(200, request.content_type(), body.clone()),
        Effect::Status(status) => forced_error(state, request, status),
        Effect::Endless(endless) => usual_response(state, request, caller, Some(*endless)),
        Effect::Cut | Effect::Drip(_) | Effect::Oversize(_) => usual_response(state, request, caller, None),
    }
}

/// The response with the status of a fault, in the form that the endpoint uses for errors.
fn forced_error(state: &mut State, request: &ApiRequest, fault: &StatusFault) -> ApiResponse {
    let is_oauth = request.endpoint.is_oauth();
    let response = match (fault.code, fault.error_code.as_deref(), &fault.body) {
        (code, _, Some(body)) => ApiResponse::from_resource(code, "application/json", body.clone()),
        (code, ..) if fault.html => ApiResponse::html(code),
        (code, Some(error), _) if is_oauth && is_oauth_code(error) => oauth::error(code, Some(error), None),
        (code @ (401 | 403 | 500), None, _) if is_oauth => oauth::error(code, None, None),
        (401, None, _) => {
            let answers_challenges = !matches!(request.credentials, PresentedCredentials::Bearer(_));
            let challenge = answers_challenges.then(|| state.digest.challenge(false, Instant::now()));
            ApiResponse::unauthorized(challenge)
        }
        (code, error_code, _) => {
            let response = ApiResponse::error(&default_error(state, request, fault), code, error_code);
            let limit = rate_limits::limit(&state.settings, request.endpoint);
            if code == 429 && !is_oauth { resources::with_rate_limit(response, limit, 0) } else { response }
        }
    };
    match fault.retry_after {
        Some(seconds) => response.with("retry-after", &seconds.to_string()),
        None => response,
    }
}

/// An error code in lower case is one of OAuth.
fn is_oauth_code(code: &str) -> bool {
    !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// The error that Atlas usually sends with the status of a fault.
fn default_error(state: &State, request: &ApiRequest, fault: &StatusFault) -> ApiError {
    match fault.code {
        400 => ApiError::ValidationError,
        401 => ApiError::Unauthorized,
        402 => ApiError::AccountSuspended,
        403 => ApiError::address_not_allowed(),
        404 => match request.group() {
            Some(group) => ApiError::GroupNotFound(group.to_owned()),
            None => ApiError::ResourceNotFound(request.path().to_owned()),
        },
        406 => ApiError::InvalidVersionDate(String::new()),
        410 => ApiError::VersionGone,
        429 if request.endpoint.is_oauth() => oauth::rate_limited(state, request),
        429 => {
            let limit = rate_limits::limit(&state.settings, request.endpoint);
            ApiError::rate_limited(request.path(), fault.retry_after.unwrap_or_default(), limit)
        }
        503 => ApiError::ServiceUnavailable,
        _ => ApiError::UnexpectedError,
    }
}

/// Adds the dates of a resource that Atlas will remove, which are recorded on its successes and errors alike.
fn with_dates(response: ApiResponse, state: &State, request: &ApiRequest) -> ApiResponse {
    if !response.is_from_resource || request.endpoint.is_oauth() || request.endpoint == SimulatedEndpoint::Unknown {
        return response;
    }
    let dates = [("deprecation", &state.settings.deprecation), ("sunset", &state.settings.sunset)];
    let dates = dates.into_iter().filter_map(|(name, date)| Some((name, date.as_deref()?)));
    dates.fold(response, |response, (name, date)| response.with(name, date))
}
