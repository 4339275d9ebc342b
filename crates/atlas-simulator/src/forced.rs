//! The errors that faults make, in the shape that the endpoint has for them.

use std::time::Instant;

use super::{
    RateLimit, StatusFault, answer::Answer, api_error::ApiError, asked::Asked, buckets, oauth::OauthError,
    proof::Proof, resource::counted, state::State,
};

/// The answer with an error status.
pub(super) fn answer(state: &mut State, asked: &Asked, fault: StatusFault, now: Instant) -> Answer {
    let retry_after = fault.retry_after;
    let answer = match fault {
        StatusFault { body: Some(body), code, .. } => Answer::of_resource("fault", code, "application/json", body),
        StatusFault { html: true, code, .. } => Answer::html(code),
        fault if asked.route.is_oauth() => of_oauth(state, asked, fault),
        StatusFault { code: 401, error_code: None, .. } => {
            let answers_challenges = !matches!(asked.proof, Proof::Bearer(_));
            let challenge = answers_challenges.then(|| state.digest.challenge(false, now));
            Answer::unauthorized("fault", challenge)
        }
        fault => of_resource(state, asked, &fault),
    };
    match retry_after {
        Some(seconds) => answer.with("retry-after", seconds.to_string()),
        None => answer,
    }
}

fn of_resource(state: &State, asked: &Asked, fault: &StatusFault) -> Answer {
    let limit = limit(state, asked);
    let answer = worded(asked, fault, limit).into_answer();
    if fault.code == 429 { counted(answer, limit, 0) } else { answer }
}

/// A word in lower case is one of OAuth's.
fn of_oauth(state: &State, asked: &Asked, fault: StatusFault) -> Answer {
    let is_oauth_word =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    match fault {
        StatusFault { code, error_code: Some(word), .. } if is_oauth_word(&word) => {
            OauthError::usual(code, "fault").called(word).into_answer()
        }
        StatusFault { code: code @ (401 | 403 | 500), error_code: None, .. } => {
            OauthError::usual(code, "fault").into_answer()
        }
        StatusFault { code: 429, error_code, .. } => {
            let mut error = ApiError::too_many_requests(&asked.path, state.tokens.per_minute());
            error.code = error_code.unwrap_or(error.code);
            error.into_answer()
        }
        fault => worded(asked, &fault, limit(state, asked)).into_answer(),
    }
}

/// The usual error for the status, or the one that the fault names.
fn worded(asked: &Asked, fault: &StatusFault, limit: RateLimit) -> ApiError {
    let mut error = ApiError::usual(fault.code, &asked.path, asked.group(), fault.retry_after, limit);
    if let Some(code) = &fault.error_code {
        error.code.clone_from(code);
    }
    error
}

fn limit(state: &State, asked: &Asked) -> RateLimit {
    let resource = asked.route.resource();
    resource.map_or(state.settings.rate_limit, |resource| buckets::limit(&state.settings, resource))
}
