//! Which requests are authorized, and the headers of every response.

use std::{net::SocketAddr, time::Instant};

use http::{
    HeaderMap, Response, StatusCode,
    header::{AUTHORIZATION, HeaderName, HeaderValue, WWW_AUTHENTICATE},
};

use crate::{basic_auth::Users, rate_limit::RateLimiter};

/// The rate limit, the users and the response headers of a `WebConfig`.
#[derive(Default)]
pub struct AccessControl {
    pub(crate) rate_limiter: Option<RateLimiter>,
    pub(crate) users: Option<Users>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

impl AccessControl {
    /// Whether a request with these headers may be handled. Call it once per request: it takes a token of the rate
    /// limit. Passwords are compared on separate threads. `client` is the peer address; comparisons are shared fairly
    /// among IPv4 addresses and IPv6 /64 networks, then among the connections of each.
    ///
    /// # Errors
    /// The status to respond with: 429 above the rate limit or if too many passwords of the client wait to be compared,
    /// 401 without the name and password of a user.
    pub async fn authorize(&self, client: SocketAddr, headers: &HeaderMap) -> Result<(), StatusCode> {
        if self.rate_limiter.as_ref().is_some_and(|limiter| !limiter.try_acquire(Instant::now())) {
            return Err(StatusCode::TOO_MANY_REQUESTS);
        }
        let Some(users) = &self.users else { return Ok(()) };
        let Some(value) = headers.get(AUTHORIZATION) else { return Err(StatusCode::UNAUTHORIZED) };
        match users.verify(client, value.as_bytes()).await {
            Some(true) => Ok(()),
            Some(false) => Err(StatusCode::UNAUTHORIZED),
            None => Err(StatusCode::TOO_MANY_REQUESTS),
        }
    }

    /// Sets the configured headers, and on a response with status 401 the request for a password.
    pub fn apply_headers<B>(&self, response: &mut Response<B>) {
        if response.status() == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
        }
        for (name, value) in &self.headers {
            response.headers_mut().insert(name, value.clone());
        }
    }
}
