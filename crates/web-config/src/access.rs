//! Whether a request is answered at all, and what every answer carries.

use std::time::Instant;

use hyper::{
    HeaderMap, StatusCode,
    header::{AUTHORIZATION, HeaderName, HeaderValue, WWW_AUTHENTICATE},
};

use crate::{basic_auth::Users, rate_limit::RateLimiter};

/// What every request must pass.
#[derive(Default)]
pub struct AccessControl {
    pub(crate) bucket: Option<RateLimiter>,
    pub(crate) users: Option<Users>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

impl AccessControl {
    /// Whether a request with these headers may pass; if not, the status of the answer.
    ///
    /// # Errors
    /// There were too many requests, or nobody is known by that password.
    pub async fn admit(&self, authorization: Option<HeaderValue>) -> Result<(), StatusCode> {
        if self.bucket.as_ref().is_some_and(|bucket| !bucket.allows(Instant::now())) {
            return Err(StatusCode::TOO_MANY_REQUESTS);
        }
        let Some(users) = &self.users else { return Ok(()) };
        match authorization {
            Some(value) if users.know(value.as_bytes()).await => Ok(()),
            _ => Err(StatusCode::UNAUTHORIZED),
        }
    }

    /// What a request says about who asks.
    #[must_use]
    pub fn authorization(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        self.users.as_ref().and_then(|_| headers.get(AUTHORIZATION).cloned())
    }

    /// Sets what every answer carries.
    pub fn dress(&self, status: StatusCode, headers: &mut HeaderMap) {
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
        }
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
    }
}
