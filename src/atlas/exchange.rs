//! HTTP requests that leave, each reported once, however it ends.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use reqwest::{Response, StatusCode, header::HeaderMap};

use super::{ErrorKind, GroupId, Reason, client::number};

/// An HTTP request that left, and what came back.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The group it was about.
    pub group: GroupId,
    /// What was asked for: `peers`.
    pub endpoint: &'static str,
    /// The HTTP status, or the [`Reason`] where none came.
    pub code: String,
    /// Until the headers of the answer were there, or the request was given up.
    pub duration: Duration,
    /// What is left of the rate limit, if the answer told.
    pub rate_limit: Option<RateLimit>,
}

/// The token bucket that an answer reports; that of peers belongs to the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// `RateLimit-Limit`: the size of the bucket.
    pub limit: u64,
    /// `RateLimit-Remaining`: requests left in it.
    pub remaining: u64,
}

/// Told of every exchange.
pub(super) type OnExchange = Box<dyn Fn(Exchange) + Send + Sync>;

/// A request that is under way. If it is dropped before its end, it was given up: that is a timeout.
pub(super) struct UnderWay<'a> {
    group: &'a GroupId,
    on_exchange: &'a OnExchange,
    /// Nothing once the last answer is there.
    sent: Mutex<Option<Instant>>,
}

impl<'a> UnderWay<'a> {
    pub(super) fn begin(group: &'a GroupId, on_exchange: &'a OnExchange) -> Self {
        Self { group, on_exchange, sent: Mutex::new(Some(Instant::now())) }
    }

    /// The request was refused, and another leaves in its place.
    pub(super) fn refused(&self) {
        self.report(StatusCode::UNAUTHORIZED.as_str(), None);
        *self.sent() = Some(Instant::now());
    }

    pub(super) fn answered(&self, response: &Response) {
        self.report(response.status().as_str(), rate_limit(response.headers()));
    }

    pub(super) fn failed(&self, error: &ErrorKind) {
        match error {
            // There was an answer: a challenge that ends the exchange.
            ErrorKind::Challenge(_) => self.report(StatusCode::UNAUTHORIZED.as_str(), None),
            other => self.report(other.reason().as_str(), None),
        }
    }

    fn report(&self, code: &str, rate_limit: Option<RateLimit>) {
        let Some(sent) = self.sent().take() else { return };
        let (group, code, duration) = (self.group.clone(), code.to_owned(), sent.elapsed());
        (self.on_exchange)(Exchange { group, endpoint: "peers", code, duration, rate_limit });
    }

    fn sent(&self) -> MutexGuard<'_, Option<Instant>> {
        // Nothing panics while it holds the lock.
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.report(Reason::Timeout.as_str(), None);
    }
}

fn rate_limit(headers: &HeaderMap) -> Option<RateLimit> {
    let limit = number(headers.get("RateLimit-Limit"))?;
    let remaining = number(headers.get("RateLimit-Remaining"))?;
    Some(RateLimit { limit, remaining })
}
