//! The service account and its access tokens.

use std::{collections::HashMap, time::Instant};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use super::rate_limits::Bucket;
use crate::{
    http::auth::ClientCredentials,
    scenario::settings::{RateLimitSettings, ServiceAccount},
};

/// The beginning of a JSON Web Token, as recorded. The rest has no meaning.
const PREFIX: &str = "eyJ";

/// The length of a token, with the prefix.
const LENGTH: usize = 64;

/// Mints tokens and remembers the valid ones.
pub(crate) struct Tokens {
    pub(crate) account: ServiceAccount,
    live: HashMap<String, LiveToken>,
    /// None until the first request for a token.
    mints: Option<Bucket>,
}

struct LiveToken {
    client: String,
    minted: Instant,
}

/// Why no token is minted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenError {
    /// There were more requests than allowed within a minute.
    RateLimited,
    /// The client has as many valid tokens as it can have.
    TooMany,
}

impl Tokens {
    pub(crate) fn new(account: ServiceAccount) -> Tokens {
        Tokens { account, live: HashMap::new(), mints: None }
    }

    pub(crate) fn accepts(&self, client: &ClientCredentials) -> bool {
        self.account.client_id == client.id && self.account.client_secret == client.secret
    }

    /// Counts a request for a token. Only those with accepted credentials count: nothing is recorded about others.
    pub(crate) fn count_request(&mut self, now: Instant) -> Result<(), TokenError> {
        let per_minute = self.account.mints_per_minute;
        let limit = RateLimitSettings { capacity: per_minute, refill_per_minute: per_minute };
        let bucket = self.mints.get_or_insert_with(|| Bucket::full(limit, now));
        bucket.take(now).map(drop).map_err(|_| TokenError::RateLimited)
    }

    pub(crate) fn mint(&mut self, client: &str, now: Instant) -> Result<String, TokenError> {
        self.drop_expired(now);
        let live = self.live.values().filter(|live| live.client == client).count();
        if live >= self.account.max_tokens as usize {
            return Err(TokenError::TooMany);
        }
        let mut random = [0; LENGTH];
        fastrand::fill(&mut random);
        let mut token = format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(random));
        token.truncate(LENGTH);
        self.live.insert(token.clone(), LiveToken { client: client.to_owned(), minted: now });
        Ok(token)
    }

    fn drop_expired(&mut self, now: Instant) {
        self.live.retain(|_, live| now.duration_since(live.minted) < self.account.token_lifetime);
    }

    /// The client that a valid token was minted for.
    pub(crate) fn client_of(&mut self, token: &str, now: Instant) -> Option<&str> {
        self.drop_expired(now);
        self.live.get(token).map(|live| live.client.as_str())
    }

    /// Revokes a token if it was minted for this client.
    pub(crate) fn revoke(&mut self, client: &str, token: &str) {
        if self.live.get(token).is_some_and(|live| live.client == client) {
            self.live.remove(token);
        }
    }

    pub(crate) fn revoke_all(&mut self) {
        self.live.clear();
    }

    pub(crate) fn count_live(&mut self, now: Instant) -> usize {
        self.drop_expired(now);
        self.live.len()
    }

    /// Replaces the credentials. Tokens stay valid, as in Atlas.
    pub(crate) fn replace(&mut self, client_id: &str, client_secret: &str) {
        if self.account.client_id != client_id {
            // The rate limit belongs to the client.
            self.mints = None;
        }
        client_id.clone_into(&mut self.account.client_id);
        client_secret.clone_into(&mut self.account.client_secret);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const CLIENT_ID: &str = "mdb_sa_id_5f0000000000000000000002";

    fn tokens(account: ServiceAccount) -> (Tokens, Instant) {
        (Tokens::new(account), Instant::now())
    }

    #[test]
    fn a_token_is_valid_until_the_end_of_its_lifetime() {
        let (mut tokens, now) = tokens(ServiceAccount::default());
        let token = tokens.mint(CLIENT_ID, now).unwrap();
        assert_eq!(token.len(), 64);
        for (seconds, client, live) in [(3599, Some(CLIENT_ID), 1), (3600, None, 0)] {
            let later = now + Duration::from_secs(seconds);
            assert_eq!(tokens.client_of(&token, later), client);
            assert_eq!(tokens.count_live(later), live);
        }
    }

    #[test]
    fn a_revoked_or_expired_token_makes_room_for_another() {
        let (mut tokens, now) = tokens(ServiceAccount { max_tokens: 2, ..ServiceAccount::default() });
        let first = tokens.mint(CLIENT_ID, now).unwrap();
        tokens.mint(CLIENT_ID, now).unwrap();
        assert_eq!(tokens.mint(CLIENT_ID, now), Err(TokenError::TooMany));
        tokens.revoke(CLIENT_ID, &first);
        tokens.mint(CLIENT_ID, now).unwrap();
        assert_eq!(tokens.mint(CLIENT_ID, now), Err(TokenError::TooMany));
        tokens.mint(CLIENT_ID, now + Duration::from_secs(3600)).unwrap();
    }

    #[test]
    fn only_the_client_of_a_token_can_revoke_it() {
        let (mut tokens, now) = tokens(ServiceAccount::default());
        let token = tokens.mint(CLIENT_ID, now).unwrap();
        for (client, token, live) in [("other", token.as_str(), 1), (CLIENT_ID, "unknown", 1), (CLIENT_ID, &token, 0)] {
            tokens.revoke(client, token);
            assert_eq!(tokens.count_live(now), live, "{client}");
        }
    }

    #[test]
    fn the_rate_limit_belongs_to_the_client() {
        let (mut tokens, now) = tokens(ServiceAccount { mints_per_minute: 2, ..ServiceAccount::default() });
        let limited = Err(TokenError::RateLimited);
        let counts = [tokens.count_request(now), tokens.count_request(now), tokens.count_request(now)];
        assert_eq!(counts, [Ok(()), Ok(()), limited]);
        let later = now + Duration::from_secs(31);
        assert_eq!(tokens.count_request(later), Ok(()));
        tokens.replace(CLIENT_ID, "new");
        assert_eq!(tokens.count_request(later), limited);
        tokens.replace("other", "new");
        assert_eq!(tokens.count_request(later), Ok(()));
    }
}
