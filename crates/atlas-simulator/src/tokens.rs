//! The service account and the tokens that were made for it.

use std::{
    collections::HashMap,
    fmt,
    iter::repeat_with,
    time::{Duration, Instant},
};

use super::{RateLimit, ServiceAccount, bucket::Bucket, proof::Client};

/// How a token begins: it is the start of a JSON Web Token, as recorded; the rest means nothing.
const PREFIX: &str = "eyJ";

/// How many characters follow.
const LENGTH: usize = 61;

const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Makes tokens and remembers which are alive.
pub(super) struct Tokens {
    account: ServiceAccount,
    /// By the token itself.
    live: HashMap<String, Live>,
    /// None until the first token is asked for.
    mints: Option<Bucket>,
}

struct Live {
    client: String,
    minted: Instant,
}

/// Why there is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoToken {
    /// More were asked for than this number a minute.
    TooFast { per_minute: u32 },
    /// So many are alive.
    TooMany,
}

impl Tokens {
    pub(super) fn new(account: ServiceAccount) -> Tokens {
        Tokens { account, live: HashMap::new(), mints: None }
    }

    /// Whether these are the only credentials that are accepted.
    pub(super) fn knows(&self, client: &Client) -> bool {
        self.account.client_id == client.id && self.account.client_secret == client.secret
    }

    pub(super) fn lifetime(&self) -> Duration {
        self.account.token_lifetime
    }

    pub(super) fn per_minute(&self) -> u32 {
        self.account.mints_per_minute
    }

    /// Counts a request for a token; only those with good credentials do, as nothing is recorded about others.
    pub(super) fn count(&mut self, now: Instant) -> Result<(), NoToken> {
        let per_minute = self.account.mints_per_minute;
        let limit = RateLimit { capacity: per_minute, refill_per_minute: per_minute };
        let bucket = self.mints.get_or_insert_with(|| Bucket::full(limit, now));
        bucket.take(now).map(drop).map_err(|_| NoToken::TooFast { per_minute })
    }

    pub(super) fn mint(&mut self, client: &str, now: Instant) -> Result<String, NoToken> {
        let lifetime = self.lifetime();
        self.live.retain(|_, live| live.lasts(lifetime, now));
        let live = self.live.values().filter(|live| live.client == client).count();
        if live >= self.account.max_tokens as usize {
            return Err(NoToken::TooMany);
        }
        let random = repeat_with(|| char::from(URL_SAFE[fastrand::usize(..64)])).take(LENGTH);
        let token: String = PREFIX.chars().chain(random).collect();
        self.live.insert(token.clone(), Live { client: client.to_owned(), minted: now });
        Ok(token)
    }

    /// Whom a live token was made for.
    pub(super) fn client_of(&self, token: &str, now: Instant) -> Option<&str> {
        let live = self.live.get(token).filter(|live| live.lasts(self.lifetime(), now))?;
        Some(&live.client)
    }

    /// Ends a token if it was made for this client.
    pub(super) fn revoke(&mut self, client: &str, token: &str) {
        if self.live.get(token).is_some_and(|live| live.client == client) {
            self.live.remove(token);
        }
    }

    /// Ends all tokens.
    pub(super) fn revoke_all(&mut self) {
        self.live.clear();
    }

    pub(super) fn count_live(&self, now: Instant) -> usize {
        self.live.values().filter(|live| live.lasts(self.lifetime(), now)).count()
    }

    /// Accepts other credentials from now on; live tokens stay valid, as in Atlas.
    pub(super) fn replace(&mut self, client_id: &str, client_secret: &str) {
        if self.account.client_id != client_id {
            // The count is the client's.
            self.mints = None;
        }
        client_id.clone_into(&mut self.account.client_id);
        client_secret.clone_into(&mut self.account.client_secret);
    }
}

impl Live {
    fn lasts(&self, lifetime: Duration, now: Instant) -> bool {
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
    fn a_token_lives_until_its_time_is_up() {
        let (mut tokens, now) = tokens(ServiceAccount::default());
        let token = tokens.mint(ID, now).unwrap();
        assert_eq!(token.len(), 64);
        let late = now + Duration::from_secs(3599);
        assert_eq!((tokens.client_of(&token, late), tokens.count_live(late)), (Some(ID), 1));
        let later = now + Duration::from_secs(3600);
        assert_eq!((tokens.client_of(&token, later), tokens.count_live(later)), (None, 0));
    }

    #[test]
    fn an_ended_token_makes_room_for_another() {
        let (mut tokens, now) = tokens(ServiceAccount { max_tokens: 2, ..ServiceAccount::default() });
        let first = tokens.mint(ID, now).unwrap();
        tokens.mint(ID, now).unwrap();
        assert_eq!(tokens.mint(ID, now), Err(NoToken::TooMany));
        tokens.revoke(ID, &first);
        tokens.mint(ID, now).unwrap();
        assert_eq!(tokens.mint(ID, now), Err(NoToken::TooMany));
        tokens.mint(ID, now + Duration::from_secs(3600)).unwrap();
    }

    #[test]
    fn a_token_is_revoked_only_by_the_client_it_was_made_for() {
        let (mut tokens, now) = tokens(ServiceAccount::default());
        let token = tokens.mint(ID, now).unwrap();
        tokens.revoke("other", &token);
        tokens.revoke(ID, "unknown");
        assert_eq!(tokens.count_live(now), 1);
        tokens.revoke(ID, &token);
        assert_eq!(tokens.count_live(now), 0);
    }

    #[test]
    fn the_count_of_a_minute_is_the_clients() {
        let (mut tokens, now) = tokens(ServiceAccount { mints_per_minute: 2, ..ServiceAccount::default() });
        let too_fast = Err(NoToken::TooFast { per_minute: 2 });
        assert_eq!([tokens.count(now), tokens.count(now), tokens.count(now)], [Ok(()), Ok(()), too_fast]);
        assert_eq!(tokens.count(now + Duration::from_secs(31)), Ok(()));
        tokens.replace(ID, "new");
        assert!(tokens.count(now + Duration::from_secs(31)).is_err());
        tokens.replace("other", "new");
        assert_eq!(tokens.count(now + Duration::from_secs(31)), Ok(()));
    }

    #[test]
    fn no_secret_and_no_token_is_printed() {
        let (mut tokens, now) = tokens(ServiceAccount::default());
        tokens.mint(ID, now).unwrap();
        let text = format!("{tokens:?}");
        assert!(text.contains(ID) && text.contains("live: 1"), "{text}");
        assert!(!text.contains("mdb_sa_sk_demo") && !text.contains(PREFIX), "{text}");
    }
}
