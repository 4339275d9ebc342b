//! Which requests are authorized, and the headers of every response.

use std::time::Instant;

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
    /// limit. Passwords are compared off the async threads.
    ///
    /// # Errors
    /// The status to respond with: 429 above the rate limit, 401 without the name and password of a user.
    pub async fn authorize(&self, headers: &HeaderMap) -> Result<(), StatusCode> {
        if self.rate_limiter.as_ref().is_some_and(|limiter| !limiter.try_acquire(Instant::now())) {
            return Err(StatusCode::TOO_MANY_REQUESTS);
        }
        let Some(users) = &self.users else { return Ok(()) };
        match headers.get(AUTHORIZATION) {
            Some(value) if users.verify(value.as_bytes()).await => Ok(()),
            _ => Err(StatusCode::UNAUTHORIZED),
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
