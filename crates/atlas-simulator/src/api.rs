//! What happens to a request of the API: credentials, then faults, then the usual answer.

use std::time::{Duration, Instant};

use super::{
    Effect,
    answer::Answer,
    asked::Asked,
    caller::{Caller, Denial, judge},
    delivery::Delivery,
    forced, oauth,
    page::Endless,
    resource,
    state::State,
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
    let caller = judge(state, asked, now);
    let fault = state.faults.take(asked, caller.is_ok()).unwrap_or_default();
    let disturbed = fault.effect.is_some();
    let reply = match fault.effect {
        Some(effect) => disturb(state, asked, &caller, effect, now),
        None => Reply::Answer(usual(state, asked, &caller, None, now), Delivery::Whole),
    };
    let (status, outcome) = match &reply {
        Reply::Answer(answer, _) if !disturbed => (Some(answer.status), answer.outcome),
        Reply::Answer(answer, _) => (Some(answer.status), "fault"),
        Reply::Close | Reply::Never => (None, "fault"),
    };
    state.log.record(asked, status, outcome);
    Decision {
        delay: state.latency().saturating_add(fault.delay.unwrap_or_default()),
        reply: packed(dated(reply, state, asked), state.settings.gzip && asked.accepts_gzip()),
    }
}

fn usual(
    state: &mut State,
    asked: &Asked,
    caller: &Result<Caller, Denial>,
    endless: Option<Endless>,
    now: Instant,
) -> Answer {
    match caller {
        _ if asked.route.is_oauth() => oauth::answer(state, asked, caller, now),
        Ok(caller) => resource::answer(state, asked, caller, endless, now),
        Err(Denial::BadToken) => Answer::unauthorized(Denial::BadToken.outcome(), None),
        Err(denial) => {
            let challenge = state.digest.challenge(*denial == Denial::Stale, now);
            Answer::unauthorized(denial.outcome(), Some(challenge))
        }
    }
}

fn disturb(state: &mut State, asked: &Asked, caller: &Result<Caller, Denial>, effect: Effect, now: Instant) -> Reply {
    let json = |body: &str| Answer::of_resource("fault", 200, resource::content_type(asked), body);
    let mut usual = |endless| usual(state, asked, caller, endless, now);
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
        Effect::Status(status) => (forced::answer(state, asked, status, now), Delivery::Whole),
    };
    Reply::Answer(answer, delivery)
}

/// The same with the dates of a resource that Atlas will end; recorded on its successes and errors alike.
fn dated(reply: Reply, state: &State, asked: &Asked) -> Reply {
    match reply {
        Reply::Answer(answer, delivery) if answer.of_resource && asked.route.resource().is_some() => {
            let dates = [("deprecation", &state.settings.deprecation), ("sunset", &state.settings.sunset)];
            let dates = dates.into_iter().filter_map(|(name, date)| date.as_deref().map(|date| (name, date)));
            Reply::Answer(dates.fold(answer, |answer, (name, date)| answer.with(name, date)), delivery)
        }
        other => other,
    }
}

fn packed(reply: Reply, gzip: bool) -> Reply {
    match reply {
        // A padded body grows on its way out, which compressed bytes cannot, and nothing cannot shrink.
        Reply::Answer(answer, delivery)
            if gzip && answer.status == 200 && !answer.body.is_empty() && !matches!(delivery, Delivery::Padded(_)) =>
        {
            Reply::Answer(answer.compressed(), delivery)
        }
        other => other,
    }
}
