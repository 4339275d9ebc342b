//! HTTP digest authentication (RFC 7616): responds to the challenge with diqwest, then reuses its nonce.
//!
//! diqwest's own session does not keep the algorithm, and after a 401 it requests a challenge although the response has
//! one. Two requests that share a session can also arrive with `nc` in the wrong order, which a strict server rejects as
//! a replay. So the requests are sent here, and each nonce serves one request at a time.

use std::sync::Arc;

use digest_auth::{AuthContext, AuthorizationHeader, Charset, HttpMethod, WwwAuthenticateHeader};
use diqwest::DigestAuthCredentials;
use parking_lot::Mutex;
use reqwest::{
    Response, StatusCode,
    header::{AUTHORIZATION, HeaderMap, WWW_AUTHENTICATE},
};
use url::Position;

use super::credential::KeyPair;
use crate::{
    error::ErrorKind,
    request::{EventHandler, GetRequest, InFlight},
};

/// How many challenges are responded to for one request: one if there is no nonce or a known one has expired, and
/// another if the new nonce has expired too.
const MAX_RESPONSES: usize = 2;

/// An API key and the nonces that Atlas issued for it.
pub(crate) struct DigestAuth {
    key: Mutex<Arc<KeyPair>>,
    /// The last use of each nonce that no request uses now.
    idle: Mutex<Vec<AuthorizationHeader>>,
    events: EventHandler,
}

impl DigestAuth {
    pub(crate) fn new(key: KeyPair, events: EventHandler) -> Self {
        Self { key: Mutex::new(Arc::new(key)), idle: Mutex::default(), events }
    }

    /// Replaces the key.
    pub(crate) fn rotate(&self, key: KeyPair) {
        *self.key.lock() = Arc::new(key);
        self.idle.lock().clear();
    }

    /// Sends the request and reads the body of the last response.
    /// Takes one HTTP request with a known nonce, and two without one or with one that has expired. A nonce that
    /// expires between its challenge and the request takes one more.
    pub(crate) async fn send(&self, request: &GetRequest<'_>) -> Result<Vec<u8>, ErrorKind> {
        let resource = request.resource;
        let in_flight = InFlight::new(resource.endpoint(), resource.group(), &self.events);
        let result = self.exchange(request, &in_flight).await;
        in_flight.finish(result).await
    }

    async fn exchange(&self, request: &GetRequest<'_>, in_flight: &InFlight<'_>) -> Result<Response, ErrorKind> {
        let key = self.key.lock().clone();
        let mut authorization = self.idle.lock().pop();
        if let Some(authorization) = &mut authorization {
            reuse(authorization, &key, request);
        }
        let mut response = send(request, authorization.as_ref()).await?;
        for responses in 0..MAX_RESPONSES {
            let Some(challenge) = challenge(&response) else { break };
            // A server that does not accept a new nonce rejects the key.
            if responses > 0 && !challenge.stale {
                break;
            }
            let Some(new) = respond(&challenge, &key, request) else { break };
            in_flight.challenged();
            response = send(request, Some(authorization.insert(new))).await?;
        }
        let is_unauthorized = response.status() == StatusCode::UNAUTHORIZED;
        match authorization {
            None if is_unauthorized => return Err(ErrorKind::Challenge),
            // A 401 with a challenge rejects the nonce. Any other response, even a 401 for a missing role, accepts it.
            Some(authorization) if !(is_unauthorized && response.headers().contains_key(WWW_AUTHENTICATE)) => {
                self.idle.lock().push(authorization);
            }
            _ => {}
        }
        Ok(response)
    }
}

async fn send(request: &GetRequest<'_>, authorization: Option<&AuthorizationHeader>) -> Result<Response, ErrorKind> {
    let builder = match authorization {
        Some(authorization) => request.builder().header(AUTHORIZATION, authorization.to_header_string()),
        None => request.builder(),
    };
    builder.send().await.map_err(ErrorKind::http)
}

fn challenge(response: &Response) -> Option<WwwAuthenticateHeader> {
    let text = response.headers().get(WWW_AUTHENTICATE)?.to_str().ok()?;
    let challenge = (response.status() == StatusCode::UNAUTHORIZED).then(|| digest_auth::parse(text).ok())??;
    // The other variant does not parse.
    Some(WwwAuthenticateHeader { charset: Charset::UTF8, ..challenge })
}

/// The first use of a nonce. None if the challenge is not supported.
fn respond(challenge: &WwwAuthenticateHeader, key: &KeyPair, request: &GetRequest<'_>) -> Option<AuthorizationHeader> {
    let headers = HeaderMap::from_iter([(WWW_AUTHENTICATE, challenge.to_string().parse().ok()?)]);
    let credentials = (key.id.expose(), key.secret.expose());
    // The host matters only for diqwest's session.
    credentials.calculate_authorization("", path(request), HttpMethod::GET, None, &headers).ok()
}

/// The next use of a nonce.
fn reuse(authorization: &mut AuthorizationHeader, key: &KeyPair, request: &GetRequest<'_>) {
    authorization.nc += 1;
    path(request).clone_into(&mut authorization.uri);
    authorization.digest(&AuthContext::new(key.id.expose(), key.secret.expose(), path(request)));
}

fn path<'a>(request: &'a GetRequest<'_>) -> &'a str {
    &request.url[Position::BeforePath..Position::AfterQuery]
}
