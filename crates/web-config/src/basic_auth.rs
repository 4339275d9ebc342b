//! `basic_auth_users`: the users, and whether a password is theirs.

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::{
    comparison_queue::ComparisonQueue,
    go_yaml,
    hash::{Hash, MAX_PASSWORD, compare},
};
use yaml_reader::{Section, Shown};

/// Wrong passwords that are remembered, so that a client that keeps sending one does not cost a comparison each time.
const MAX_REJECTED: usize = 100;

/// Users and the hashes of their passwords; at least one.
pub(crate) struct Users {
    hashes: Arc<HashMap<String, Hash>>,
    /// The highest cost of all hashes.
    cost: u32,
    comparisons: Arc<ComparisonQueue>,
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
        Some(Self { hashes: Arc::new(hashes), cost, comparisons: Arc::default(), cache: Arc::default() })
    }

    /// Whether the value of `Authorization` names a user and their password. `None` if too many passwords of the client
    /// wait to be compared.
    pub(crate) async fn verify(&self, client: SocketAddr, authorization: &[u8]) -> Option<bool> {
        let Some((user, mut password)) = credentials(authorization) else { return Some(false) };
        let key = cache_key(&user, &password);
        if let Some(accepted) = self.cache.lock().get(&user, &key) {
            return Some(accepted);
        }
        // bcrypt ignores the rest. Without it, passwords that wait take a bounded amount of memory.
        password.truncate(MAX_PASSWORD);
        let user = self.hashes.get_key_value(&user).map(|(user, _)| user.clone());
        let (hashes, cost, cache) = (self.hashes.clone(), self.cost, self.cache.clone());
        let comparison = move || {
            let user = user.as_deref();
            // The same password may have been compared for another request meanwhile.
            if let Some(accepted) = cache.lock().get(user.unwrap_or_default(), &key) {
                return accepted;
            }
            let accepted = compare(user.and_then(|user| hashes.get(user)), &password, cost);
            // In this thread, so that the result is kept even if the client no longer waits for it.
            cache.lock().insert(user, key, accepted);
            accepted
        };
        self.comparisons.run(client, comparison).await
    }
}

impl AuthCache {
    fn get(&self, user: &str, key: &CacheKey) -> Option<bool> {
        if self.accepted.get(user) == Some(key) {
            return Some(true);
        }
        self.rejected.contains(key).then_some(false)
    }

    fn insert(&mut self, user: Option<&str>, key: CacheKey, accepted: bool) {
        if let (Some(user), true) = (user, accepted) {
            self.accepted.insert(user.to_owned(), key);
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
    use std::{
        net::IpAddr,
        pin::pin,
        sync::{
            atomic::{AtomicUsize, Ordering},
            mpsc,
        },
        task::{Context, Poll, Waker},
        time::{Duration, Instant},
    };

    use tokio::{
        runtime::Builder,
        task::{JoinSet, spawn_blocking},
        time::{sleep, timeout},
    };

    use super::*;
    use crate::hash::hashed;

    fn users(list: &[(&str, &str, u32)]) -> Users {
        let lines = list.iter().map(|(user, password, cost)| format!("'{user}': '{}'", hashed(password, *cost)));
        let value = serde_yaml::from_str(&format!("basic_auth_users: {{{}}}", lines.collect::<Vec<_>>().join(", ")));
        Users::parse(&mut Section::new(&value.unwrap(), String::new(), &yaml_reader::ConfigFaults::default())).unwrap()
    }

    fn client() -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 7], 50_000))
    }

    async fn accepts(users: &Users, header: &[u8]) -> bool {
        users.verify(client(), header).await.unwrap()
    }

    fn header(user: &str, password: &str) -> Vec<u8> {
        format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))).into_bytes()
    }

    #[tokio::test]
    async fn only_a_user_with_their_password_is_accepted() {
        let users = users(&[("alice", "a:b", 4), ("", "nameless", 4)]);
        for _ in 0..2 {
            assert!(accepts(&users, &header("alice", "a:b")).await);
            assert!(accepts(&users, &header("", "nameless")).await);
            for (user, password) in [("alice", "a:c"), ("alice", ""), ("bob", "a:b"), ("", "a:b"), ("Alice", "a:b")] {
                assert!(!accepts(&users, &header(user, password)).await, "{user}:{password}");
            }
        }
        let lower = String::from_utf8(header("alice", "a:b")).unwrap().replace("Basic", "bAsIc");
        assert!(accepts(&users, lower.as_bytes()).await);
        for malformed in
            ["", "Basic", "Basic ", "Basic !!!!", "Basic YWxpY2U=", "Bearer YWxpY2U6YTpi", "Basic\u{e9}YQ=="]
        {
            assert!(!accepts(&users, malformed.as_bytes()).await, "{malformed}");
        }
    }

    #[tokio::test]
    async fn results_are_cached_and_wrong_passwords_do_not_evict_a_right_one() {
        let users = users(&[("alice", "secret", 4)]);
        assert!(accepts(&users, &header("alice", "secret")).await);
        for number in 0..3 * MAX_REJECTED {
            assert!(!accepts(&users, &header("alice", &number.to_string())).await);
        }
        assert_eq!(users.cache.lock().rejected.len(), MAX_REJECTED);
        assert_eq!(users.cache.lock().get("alice", &cache_key("alice", b"secret")), Some(true));
        let header = header("alice", "secret");
        let verified = pin!(users.verify(client(), &header));
        assert_eq!(verified.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Some(true)), "without a turn");
    }

    #[tokio::test]
    async fn a_comparison_is_cached_even_if_the_client_leaves() {
        let users = users(&[("alice", "secret", 10)]);
        let header = header("alice", "secret");
        let deadline = Instant::now() + Duration::from_secs(20);
        while users.cache.lock().get("alice", &cache_key("alice", b"secret")).is_none() {
            assert!(Instant::now() < deadline);
            drop(timeout(Duration::from_millis(5), users.verify(client(), &header)).await);
        }
    }

    /// Held by tests that need a CPU to themselves, or keep all of them busy.
    static PROCESSORS: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

    /// The shortest of three, so that other work on the machine does not count.
    async fn shortest_refusal(users: &Users, user: &str) -> Duration {
        let mut shortest = Duration::MAX;
        for number in 0..3 {
            let start = Instant::now();
            assert!(!accepts(users, &header(user, &format!("wrong {number}"))).await);
            shortest = shortest.min(start.elapsed());
        }
        shortest
    }

    #[tokio::test]
    async fn a_refusal_takes_as_long_for_any_hash_and_for_an_unknown_user() {
        let _alone = PROCESSORS.lock().await;
        let users = users(&[("cheap", "x", 4), ("costly", "x", 9)]);
        let costly = shortest_refusal(&users, "costly").await;
        for user in ["cheap", "unknown"] {
            let took = shortest_refusal(&users, user).await;
            assert!(took > costly / 4 && took < costly * 4, "{user}: {took:?}, not {costly:?}");
        }
    }

    #[test]
    fn a_full_blocking_pool_delays_no_comparison() {
        let runtime = Builder::new_current_thread().enable_time().max_blocking_threads(1).build().unwrap();
        let (release, released) = mpsc::channel::<()>();
        runtime.block_on(async {
            let hanging = spawn_blocking(move || released.recv());
            let users = users(&[("alice", "secret", 4)]);
            assert!(timeout(Duration::from_secs(20), accepts(&users, &header("alice", "secret"))).await.unwrap());
            drop(release);
            hanging.await.unwrap().unwrap_err();
        });
    }

    /// How many wrong passwords are compared from when a client sends the right one until it is accepted, while each of
    /// the other clients keeps sending wrong ones.
    async fn compared_before(own: &str, flood: impl Iterator<Item = SocketAddr>) -> usize {
        let users = Arc::new(users(&[("alice", "secret", 5)]));
        let compared = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        for (number, client) in flood.enumerate() {
            let (users, compared) = (users.clone(), compared.clone());
            tasks.spawn(async move {
                for turn in 0.. {
                    let wrong = header("alice", &format!("{number} {turn}"));
                    assert_ne!(users.verify(client, &wrong).await, Some(true));
                    compared.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while compared.load(Ordering::Relaxed) < 10 {
            sleep(Duration::from_millis(1)).await;
        }
        let before = compared.load(Ordering::Relaxed);
        let right = header("alice", "secret");
        let verified = timeout(Duration::from_secs(20), users.verify(own.parse().unwrap(), &right)).await;
        assert_eq!(verified, Ok(Some(true)), "{own}");
        compared.load(Ordering::Relaxed) - before
    }

    #[tokio::test]
    async fn a_flood_of_wrong_passwords_keeps_no_other_client_out() {
        let _alone = PROCESSORS.lock().await;
        let ports = |address: &str| {
            let address: IpAddr = address.parse().unwrap();
            (1..=200).map(move |port| SocketAddr::new(address, port))
        };
        let addresses =
            |network: &'static str| (1..=200).map(move |number| format!("{network}{number}").parse().unwrap());
        // The two in progress, two that are not the newest, and some that end before this task runs again. In the order
        // of arrival it would be nearly 200.
        let few = 20;
        assert!(compared_before("192.0.2.7:1", ports("192.0.2.8")).await <= few, "connections of another client");
        assert!(compared_before("192.0.2.7:999", ports("192.0.2.7")).await <= few, "connections of its own address");
        let networks = addresses("192.0.2.").map(|address| SocketAddr::new(address, 1));
        assert!(compared_before("198.51.100.7:1", networks).await <= few, "many clients");
        let network = addresses("2001:db8::").map(|address| SocketAddr::new(address, 1));
        assert!(compared_before("[2001:db8:1::7]:1", network).await <= few, "addresses of one network");
        let requests = std::iter::repeat_n(SocketAddr::from(([192, 0, 2, 7], 1)), 200);
        assert!(compared_before("192.0.2.7:999", requests).await <= few, "requests of one connection");
    }
}
