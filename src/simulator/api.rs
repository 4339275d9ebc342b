//! What happens to a request of the API: credentials, then faults, then the usual answer.

use std::time::{Duration, Instant};

use super::{
    Effect, StatusFault,
    answer::Answer,
    api_error::ApiError,
    asked::Asked,
    delivery::Delivery,
    digest::Verdict,
    handle::State,
    resource::{self, Endless},
};

/// What happens to a request, and how much later.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) delay: Duration,
    pub(super) reply: Reply,
}

#[derive(Debug)]
pub(super) enum Reply {
    Answer(Answer, Delivery),
    Close,
    Never,
}

/// Decides and logs.
pub(super) fn decide(state: &mut State, asked: &Asked, now: Instant) -> Decision {
    // Credentials are judged even where a fault makes them useless, so that no nonce count is missed.
    let verdict = judge(state, asked, now);
    let fault = state.faults.take(asked, verdict == Verdict::Accepted).unwrap_or_default();
    let disturbed = fault.effect.is_some();
    let reply = match fault.effect {
        Some(effect) => disturb(state, asked, verdict, effect, now),
        None => Reply::Answer(usual(state, asked, verdict, None, now), Delivery::Whole),
    };
    let (status, outcome) = match &reply {
        Reply::Answer(answer, _) if !disturbed => (Some(answer.status), answer.outcome),
        Reply::Answer(answer, _) => (Some(answer.status), "fault"),
        Reply::Close | Reply::Never => (None, "fault"),
    };
    state.log.record(asked, status, outcome);
    Decision {
        delay: state.latency().saturating_add(fault.delay.unwrap_or_default()),
        reply: packed(reply, state.settings.gzip && asked.accepts_gzip()),
    }
}

fn judge(state: &mut State, asked: &Asked, now: Instant) -> Verdict {
    match &asked.authorization {
        Some(answer) => state.digest.judge(&asked.method, &asked.uri, answer, now),
        None if asked.credentials == "none" => Verdict::Missing,
        None => Verdict::BadCredentials,
    }
}

fn usual(state: &mut State, asked: &Asked, verdict: Verdict, endless: Option<Endless>, now: Instant) -> Answer {
    if verdict != Verdict::Accepted {
        let challenge = state.digest.challenge(verdict == Verdict::Stale, now);
        return Answer::unauthorized(verdict.outcome(), challenge);
    }
    resource::answer(state, asked, endless, now)
}

fn disturb(state: &mut State, asked: &Asked, verdict: Verdict, effect: Effect, now: Instant) -> Reply {
    let json = |body: &str| Answer::of_resource("fault", 200, resource::content_type(asked), body);
    let mut usual = |endless| usual(state, asked, verdict, endless, now);
    let (answer, delivery) = match effect {
        Effect::Close => return Reply::Close,
        Effect::Never => return Reply::Never,
        Effect::Cut => (usual(None), Delivery::Cut),
        Effect::Drip(pause) => (usual(None), Delivery::Drip(pause)),
        Effect::Oversize(size) => (usual(None), Delivery::Padded(size)),
        Effect::Endless { fresh: false } => (usual(Some(Endless::Same)), Delivery::Whole),
        Effect::Endless { fresh: true } => (usual(Some(Endless::Fresh)), Delivery::Whole),
        Effect::Garbage => (json(r#"{"results": [<oops>"#), Delivery::Whole),
        Effect::Body(body) => (json(&body), Delivery::Whole),
        Effect::Status(status) => (error(state, asked, status, now), Delivery::Whole),
    };
    Reply::Answer(answer, delivery)
}

fn error(state: &mut State, asked: &Asked, fault: StatusFault, now: Instant) -> Answer {
    let answer = match fault {
        StatusFault { body: Some(body), code, .. } => Answer::of_resource("fault", code, "application/json", body),
        StatusFault { html: true, code, .. } => Answer::html(code),
        StatusFault { code: 401, error_code: None, .. } => {
            Answer::unauthorized("fault", state.digest.challenge(false, now))
        }
        StatusFault { code, error_code, .. } => {
            let limit = resource::limit(state, asked);
            let mut error = ApiError::usual(code, &asked.path, fault.retry_after, limit);
            error.code = error_code.unwrap_or(error.code);
            if code == 429 { resource::counted(error.into_answer(), limit, 0) } else { error.into_answer() }
        }
    };
    match fault.retry_after {
        Some(seconds) => answer.with("retry-after", seconds.to_string()),
        None => answer,
    }
}

fn packed(reply: Reply, gzip: bool) -> Reply {
    match reply {
        // A padded body grows on its way out, which compressed bytes cannot.
        Reply::Answer(answer, delivery) if gzip && answer.status == 200 && !matches!(delivery, Delivery::Padded(_)) => {
            Reply::Answer(answer.compressed(), delivery)
        }
        other => other,
    }
}
