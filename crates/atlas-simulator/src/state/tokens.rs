//! The service account and its access tokens.

use std::{
    collections::HashMap,
    fmt,
    time::{Duration, Instant},
};

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
    account: ServiceAccount,
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
    /// There were more requests than this number within a minute.
    RateLimited { per_minute: u32 },
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

    pub(crate) fn lifetime(&self) -> Duration {
        self.account.token_lifetime
    }

    pub(crate) fn per_minute(&self) -> u32 {
        self.account.mints_per_minute
    }

    /// Counts a request for a token. Only those with accepted credentials count: nothing is recorded about others.
    pub(crate) fn count_request(&mut self, now: Instant) -> Result<(), TokenError> {
        let per_minute = self.per_minute();
        let limit = RateLimitSettings { capacity: per_minute, refill_per_minute: per_minute };
        let bucket = self.mints.get_or_insert_with(|| Bucket::full(limit, now));
        bucket.take(now).map(drop).map_err(|_| TokenError::RateLimited { per_minute })
    }

    pub(crate) fn mint(&mut self, client: &str, now: Instant) -> Result<String, TokenError> {
        let lifetime = self.lifetime();
        self.live.retain(|_, live| live.is_valid(lifetime, now));
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

    /// The client that a valid token was minted for.
    pub(crate) fn client_of(&self, token: &str, now: Instant) -> Option<&str> {
        let live = self.live.get(token).filter(|live| live.is_valid(self.lifetime(), now))?;
        Some(&live.client)
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

    pub(crate) fn count_live(&self, now: Instant) -> usize {
        self.live.values().filter(|live| live.is_valid(self.lifetime(), now)).count()
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

impl LiveToken {
    fn is_valid(&self, lifetime: Duration, now: Instant) -> bool {
        now.duration_since(self.minted) < lifetime
    }
}

// The tokens themselves are secrets.
impl fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tokens = formatter.debug_struct("Tokens");
        tokens.field("account", &self.account).field("live", &self.live.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "mdb_sa_id_5f0000000000000000000002";

    fn tokens(account: ServiceAccount) -> (Tokens, Instant) {
        (Tokens::new(account), Instant::now())
    }

    #[test]
    fn a_token_is_valid_until_the_end_of_its_lifetime() {
        let (mut tokens, now) = tokens(ServiceAccount::default());
        let token = tokens.mint(ID, now).unwrap();
        assert_eq!(token.len(), 64);
        for (seconds, client, live) in [(3599, Some(ID), 1), (3600, None, 0)] {
            let later = now + Duration::from_secs(seconds);
            assert_eq!((tokens.client_of(&token, later), tokens.count_live(later)), (client, live));
        }
    }

    #[test]
    fn a_revoked_or_expired_token_makes_room_for_another() {
        let (mut tokens, now) = tokens(ServiceAccount { max_tokens: 2, ..ServiceAccount::default() });
        let first = tokens.mint(ID, now).unwrap();
        tokens.mint(ID, now).unwrap();
        assert_eq!(tokens.mint(ID, now), Err(TokenError::TooMany));
        tokens.revoke(ID, &first);
        tokens.mint(ID, now).unwrap();
        assert_eq!(tokens.mint(ID, now), Err(TokenError::TooMany));
        tokens.mint(ID, now + Duration::from_secs(3600)).unwrap();
    }

    #[test]
    fn only_the_client_of_a_token_can_revoke_it() {
        let (mut tokens, now) = tokens(ServiceAccount::default());
        let token = tokens.mint(ID, now).unwrap();
        for (client, token, live) in [("other", token.as_str(), 1), (ID, "unknown", 1), (ID, &token, 0)] {
            tokens.revoke(client, token);
            assert_eq!(tokens.count_live(now), live, "{client}");
        }
    }

    #[test]
    fn the_rate_limit_belongs_to_the_client() {
        let (mut tokens, now) = tokens(ServiceAccount { mints_per_minute: 2, ..ServiceAccount::default() });
        let limited = Err(TokenError::RateLimited { per_minute: 2 });
        let counts = [tokens.count_request(now), tokens.count_request(now), tokens.count_request(now)];
        assert_eq!(counts, [Ok(()), Ok(()), limited]);
        let later = now + Duration::from_secs(31);
        assert_eq!(tokens.count_request(later), Ok(()));
        tokens.replace(ID, "new");
        assert_eq!(tokens.count_request(later), limited);
        tokens.replace("other", "new");
        assert_eq!(tokens.count_request(later), Ok(()));
    }
}
