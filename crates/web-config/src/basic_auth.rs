//! Who may ask, and whether a password is theirs.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::{
    go_yaml,
    hash::{Hash, compare},
};
use yaml_reader::{ConfigFaults, Section};

/// How many comparisons run at once. Each takes a processor for as long as it runs.
const COMPARISONS: usize = 2;

/// So many wrong passwords are remembered; one that is tried again and again costs nothing.
const WRONG: usize = 100;

/// Users and the hashes of their passwords; at least one.
pub(crate) struct Users {
    hashes: Arc<HashMap<String, Hash>>,
    /// The highest cost of all hashes.
    cost: u32,
    comparisons: Arc<Semaphore>,
    known: Arc<Mutex<Known>>,
}

/// What was compared before. A password is kept as a digest only.
#[derive(Default)]
struct Known {
    /// One for each user at most, so a flood of wrong ones cannot push it out.
    right: HashMap<String, Proof>,
    wrong: Vec<Proof>,
}

/// Stands for a user and a password.
type Proof = [u8; 32];

impl Users {
    pub(crate) fn parse(top: &mut Section<'_>, warnings: &ConfigFaults) -> Option<Self> {
        let mut hashes = HashMap::new();
        for (user, text) in go_yaml::pairs(top, "basic_auth_users") {
            let key = format!("basic_auth_users.{user}");
            match Hash::parse(&text) {
                Ok(hash) => {
                    if !hash.is_whole() {
                        warnings.note(top.path_of(&key), "is a damaged bcrypt hash: no password matches it");
                    }
                    hashes.insert(user, hash);
                }
                Err(message) => top.fault(&key, message),
            }
        }
        let cost = hashes.values().map(Hash::cost).max()?;
        let comparisons = Arc::new(Semaphore::new(COMPARISONS));
        Some(Self { hashes: Arc::new(hashes), cost, comparisons, known: Arc::default() })
    }

    /// Whether the value of `Authorization` names a user and their password.
    pub(crate) async fn know(&self, authorization: &[u8]) -> bool {
        let Some((user, password)) = basic(authorization) else { return false };
        let proof = proof(&user, &password);
        if let Some(answer) = locked(&self.known).answer(&user, &proof) {
            return answer;
        }
        let Ok(place) = self.comparisons.clone().acquire_owned().await else { return false };
        // Whoever waited may find that another asked the same.
        if let Some(answer) = locked(&self.known).answer(&user, &proof) {
            return answer;
        }
        let (hashes, cost, known) = (self.hashes.clone(), self.cost, self.known.clone());
        let compared = spawn_blocking(move || {
            let answer = compare(hashes.get(&user), &password, cost);
            // Here, so that it is not lost with a client that did not wait for a dear hash.
            locked(&known).learn(user, proof, answer);
            drop(place);
            answer
        });
        // It panics for no input; if it did, nobody would be let in.
        compared.await.unwrap_or(false)
    }
}

fn locked(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Known {
    fn answer(&self, user: &str, proof: &Proof) -> Option<bool> {
        if self.right.get(user) == Some(proof) {
            return Some(true);
        }
        self.wrong.contains(proof).then_some(false)
    }

    fn learn(&mut self, user: String, proof: Proof, is_right: bool) {
        if is_right {
            self.right.insert(user, proof);
            return;
        }
        if self.wrong.len() >= WRONG {
            self.wrong.swap_remove(fastrand::usize(..self.wrong.len()));
        }
        self.wrong.push(proof);
    }
}

/// The user and the password of basic authentication (RFC 7617). The scheme may be in any case.
fn basic(authorization: &[u8]) -> Option<(String, Vec<u8>)> {
    let (scheme, encoded) = authorization.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let mut decoded = STANDARD.decode(encoded).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let password = decoded.split_off(colon + 1);
    decoded.pop();
    // A user whose name is no text is none of ours, but must cost as much.
    Some((String::from_utf8_lossy(&decoded).into_owned(), password))
}

fn proof(user: &str, password: &[u8]) -> Proof {
    let mut digest = Sha256::new();
    // Without the length, `a` and `bc` would be `ab` and `c`.
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
        let text = format!("basic_auth_users: {{{}}}", lines.collect::<Vec<_>>().join(", "));
        let (faults, warnings) = (ConfigFaults::default(), ConfigFaults::default());
        let mut top = Section::new(serde_yaml::from_str(&text).unwrap(), String::new(), &faults);
        Users::parse(&mut top, &warnings).unwrap()
    }

    fn header(user: &str, password: &str) -> Vec<u8> {
        format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))).into_bytes()
    }

    #[tokio::test]
    async fn a_user_with_their_password_is_known_and_nobody_else() {
        let users = users(&[("alice", "a:b", 4), ("", "nameless", 4)]);
        for _ in 0..2 {
            assert!(users.know(&header("alice", "a:b")).await);
            assert!(users.know(&header("", "nameless")).await);
            for (user, password) in [("alice", "a:c"), ("alice", ""), ("bob", "a:b"), ("", "a:b"), ("Alice", "a:b")] {
                assert!(!users.know(&header(user, password)).await, "{user}:{password}");
            }
        }
        let lower = String::from_utf8(header("alice", "a:b")).unwrap().replace("Basic", "bAsIc");
        assert!(users.know(lower.as_bytes()).await);
        for odd in ["", "Basic", "Basic ", "Basic !!!!", "Basic YWxpY2U=", "Bearer YWxpY2U6YTpi", "Basic\u{e9}YQ=="] {
            assert!(!users.know(odd.as_bytes()).await, "{odd}");
        }
    }

    #[tokio::test]
    async fn what_was_compared_once_is_known_and_wrong_ones_push_no_right_one_out() {
        let users = users(&[("alice", "secret", 4)]);
        assert!(users.know(&header("alice", "secret")).await);
        for number in 0..3 * WRONG {
            assert!(!users.know(&header("alice", &number.to_string())).await);
        }
        assert_eq!(locked(&users.known).wrong.len(), WRONG);
        assert_eq!(locked(&users.known).answer("alice", &proof("alice", b"secret")), Some(true));
        users.comparisons.close();
        assert!(users.know(&header("alice", "secret")).await, "without another comparison");
    }

    #[tokio::test]
    async fn a_client_that_does_not_wait_finds_its_password_known_later() {
        let users = users(&[("alice", "secret", 10)]);
        let header = header("alice", "secret");
        assert!(timeout(Duration::from_millis(5), users.know(&header)).await.is_err());
        let deadline = Instant::now() + Duration::from_secs(20);
        while locked(&users.known).answer("alice", &proof("alice", b"secret")).is_none() {
            assert!(Instant::now() < deadline);
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Of three, so that other work on the machine does not count.
    async fn shortest(users: &Users, user: &str) -> Duration {
        let mut shortest = Duration::MAX;
        for number in 0..3 {
            let start = Instant::now();
            assert!(!users.know(&header(user, &format!("wrong {number}"))).await);
            shortest = shortest.min(start.elapsed());
        }
        shortest
    }

    #[tokio::test]
    async fn a_check_takes_as_long_for_a_cheap_hash_a_dear_one_and_nobody() {
        let users = users(&[("cheap", "x", 4), ("dear", "x", 9)]);
        let dear = shortest(&users, "dear").await;
        for user in ["cheap", "nobody"] {
            let took = shortest(&users, user).await;
            assert!(took > dear / 4 && took < dear * 4, "{user}: {took:?}, not {dear:?}");
        }
    }
}
