//! `basic_auth_users`: the users, and whether a password is theirs.

use std::{collections::HashMap, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::{
    go_yaml,
    hash::{Hash, compare},
};
use yaml_reader::{Section, Shown};

/// Comparisons at once. Each occupies a processor.
const MAX_COMPARISONS: usize = 2;

/// Wrong passwords that are remembered, so that a client that keeps sending one does not cost a comparison each time.
const MAX_REJECTED: usize = 100;

/// Users and the hashes of their passwords; at least one.
pub(crate) struct Users {
    hashes: Arc<HashMap<String, Hash>>,
    /// The highest cost of all hashes.
    cost: u32,
    comparisons: Arc<Semaphore>,
    cache: Arc<Mutex<AuthCache>>,
}

/// The results of earlier comparisons.
#[derive(Default)]
struct AuthCache {
    /// At most one for each user, so a flood of wrong passwords cannot evict it.
    accepted: HashMap<String, CacheKey>,
    rejected: Vec<CacheKey>,
}

/// A digest of a user and a password. The password itself is not kept.
type CacheKey = [u8; 32];

impl Users {
    pub(crate) fn parse(top: &mut Section<'_>) -> Option<Self> {
        let mut hashes = HashMap::new();
        for (user, text) in go_yaml::pairs(top, "basic_auth_users") {
            let key = format!("basic_auth_users.{}", Shown::from(&*user));
            match Hash::parse(&text) {
                Ok(hash) => {
                    if !hash.is_intact() {
                        top.warn(&key, "is a damaged bcrypt hash: no password matches it");
                    }
                    hashes.insert(user, hash);
                }
                Err(error) => top.fault(&key, error.to_string()),
            }
        }
        let cost = hashes.values().map(Hash::cost).max()?;
        let comparisons = Arc::new(Semaphore::new(MAX_COMPARISONS));
        Some(Self { hashes: Arc::new(hashes), cost, comparisons, cache: Arc::default() })
    }

    /// Whether the value of `Authorization` names a user and their password.
    pub(crate) async fn verify(&self, authorization: &[u8]) -> bool {
        let Some((user, password)) = credentials(authorization) else { return false };
        let key = cache_key(&user, &password);
        if let Some(accepted) = self.cache.lock().get(&user, &key) {
            return accepted;
        }
        let Ok(permit) = self.comparisons.clone().acquire_owned().await else { return false };
        // Another request with the same password may have been compared meanwhile.
        if let Some(accepted) = self.cache.lock().get(&user, &key) {
            return accepted;
        }
        let (hashes, cost, cache) = (self.hashes.clone(), self.cost, self.cache.clone());
        let comparison = spawn_blocking(move || {
            let accepted = compare(hashes.get(&user), &password, cost);
            // In this thread, so that the result is kept even if the client no longer waits for it.
            cache.lock().insert(user, key, accepted);
            drop(permit);
            accepted
        });
        // If the comparison panics, the request is rejected.
        comparison.await.unwrap_or(false)
    }
}

impl AuthCache {
    fn get(&self, user: &str, key: &CacheKey) -> Option<bool> {
        if self.accepted.get(user) == Some(key) {
            return Some(true);
        }
        self.rejected.contains(key).then_some(false)
    }

    fn insert(&mut self, user: String, key: CacheKey, accepted: bool) {
        if accepted {
            self.accepted.insert(user, key);
            return;
        }
        if self.rejected.len() >= MAX_REJECTED {
            self.rejected.swap_remove(fastrand::usize(..self.rejected.len()));
        }
        self.rejected.push(key);
    }
}

/// The user and the password of basic authentication (RFC 7617). The scheme is not case-sensitive.
fn credentials(authorization: &[u8]) -> Option<(String, Vec<u8>)> {
    let (scheme, encoded) = authorization.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let mut decoded = STANDARD.decode(encoded).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let password = decoded.split_off(colon + 1);
    decoded.pop();
    // A name that is not UTF-8 belongs to no user, but must take as long to reject.
    Some((String::from_utf8_lossy(&decoded).into_owned(), password))
}

fn cache_key(user: &str, password: &[u8]) -> CacheKey {
    let mut digest = Sha256::new();
    // Without the length, `a` and `bc` would have the digest of `ab` and `c`.
    digest.update((user.len() as u64).to_le_bytes());
    digest.update(user);
    digest.update(password);
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::hash::hashed;

    fn users(list: &[(&str, &str, u32)]) -> Users {
        let lines = list.iter().map(|(user, password, cost)| format!("'{user}': '{}'", hashed(password, *cost)));
        let value = serde_yaml::from_str(&format!("basic_auth_users: {{{}}}", lines.collect::<Vec<_>>().join(", ")));
        Users::parse(&mut Section::new(&value.unwrap(), String::new(), &yaml_reader::ConfigFaults::default())).unwrap()
    }

    fn header(user: &str, password: &str) -> Vec<u8> {
        format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))).into_bytes()
    }

    #[tokio::test]
    async fn only_a_user_with_their_password_is_accepted() {
        let users = users(&[("alice", "a:b", 4), ("", "nameless", 4)]);
        for _ in 0..2 {
            assert!(users.verify(&header("alice", "a:b")).await);
            assert!(users.verify(&header("", "nameless")).await);
            for (user, password) in [("alice", "a:c"), ("alice", ""), ("bob", "a:b"), ("", "a:b"), ("Alice", "a:b")] {
                assert!(!users.verify(&header(user, password)).await, "{user}:{password}");
            }
        }
        let lower = String::from_utf8(header("alice", "a:b")).unwrap().replace("Basic", "bAsIc");
        assert!(users.verify(lower.as_bytes()).await);
        for malformed in
            ["", "Basic", "Basic ", "Basic !!!!", "Basic YWxpY2U=", "Bearer YWxpY2U6YTpi", "Basic\u{e9}YQ=="]
        {
            assert!(!users.verify(malformed.as_bytes()).await, "{malformed}");
        }
    }

    #[tokio::test]
    async fn results_are_cached_and_wrong_passwords_do_not_evict_a_right_one() {
        let users = users(&[("alice", "secret", 4)]);
        assert!(users.verify(&header("alice", "secret")).await);
        for number in 0..3 * MAX_REJECTED {
            assert!(!users.verify(&header("alice", &number.to_string())).await);
        }
        assert_eq!(users.cache.lock().rejected.len(), MAX_REJECTED);
        assert_eq!(users.cache.lock().get("alice", &cache_key("alice", b"secret")), Some(true));
        users.comparisons.close();
        assert!(users.verify(&header("alice", "secret")).await, "no other comparison is needed");
    }

    #[tokio::test]
    async fn a_comparison_is_cached_even_if_the_client_leaves() {
        let users = users(&[("alice", "secret", 10)]);
        let header = header("alice", "secret");
        assert!(timeout(Duration::from_millis(5), users.verify(&header)).await.is_err());
        let deadline = Instant::now() + Duration::from_secs(20);
        while users.cache.lock().get("alice", &cache_key("alice", b"secret")).is_none() {
            assert!(Instant::now() < deadline);
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// The shortest of three, so that other work on the machine does not count.
    async fn shortest_refusal(users: &Users, user: &str) -> Duration {
        let mut shortest = Duration::MAX;
        for number in 0..3 {
            let start = Instant::now();
            assert!(!users.verify(&header(user, &format!("wrong {number}"))).await);
            shortest = shortest.min(start.elapsed());
        }
        shortest
    }

    #[tokio::test]
    async fn a_refusal_takes_as_long_for_any_hash_and_for_an_unknown_user() {
        let users = users(&[("cheap", "x", 4), ("costly", "x", 9)]);
        let costly = shortest_refusal(&users, "costly").await;
        for user in ["cheap", "unknown"] {
            let took = shortest_refusal(&users, user).await;
            assert!(took > costly / 4 && took < costly * 4, "{user}: {took:?}, not {costly:?}");
        }
    }
}
