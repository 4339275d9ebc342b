//! Which password is compared next, and threads that compare them.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
};

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Concurrent comparisons. Each occupies a CPU.
const MAX_COMPARISONS: usize = 2;

/// Comparisons that wait. Each has a password of at most 72 bytes.
const MAX_WAITING: usize = 512;

/// Comparisons of one network that wait: more than the connections that a server usually allows it.
const MAX_WAITING_OF_NETWORK: usize = 256;

/// The number of connections, and of networks, whose last turn is remembered.
const MAX_TURNS: usize = 4096;

/// Password comparisons that wait for their turn. First comes the network whose last turn was longest ago, and within
/// it the connection whose last turn was longest ago. So a flood delays another network by at most one turn for each
/// network of the flood, and another connection of the same network by at most one turn for each connection of the
/// flood.
#[derive(Default)]
pub(crate) struct ComparisonQueue {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// In the order of arrival.
    waiting: Vec<Waiting>,
    threads: usize,
    /// The number of comparisons that have started.
    turn: u64,
    networks: LastTurns<IpAddr>,
    connections: LastTurns<SocketAddr>,
}

struct Waiting {
    client: SocketAddr,
    network: IpAddr,
    comparison: Box<dyn FnOnce() -> bool + Send>,
    result: oneshot::Sender<bool>,
}

impl ComparisonQueue {
    /// Runs a comparison when it is its turn, on a thread outside tokio's pool, which can be busy with files that hang.
    /// Once it has started, it is completed even if the client gives up. `None` if too many wait.
    pub(crate) async fn run(
        self: &Arc<Self>,
        client: SocketAddr,
        comparison: impl FnOnce() -> bool + Send + 'static,
    ) -> Option<bool> {
        let (result, finished) = oneshot::channel();
        self.push(Waiting { client, network: client_network(client.ip()), comparison: Box::new(comparison), result });
        finished.await.ok()
    }

    fn push(self: &Arc<Self>, waiting: Waiting) {
        let mut state = self.state.lock();
        state.push(waiting);
        if state.threads >= MAX_COMPARISONS {
            return;
        }
        let queue = self.clone();
        let spawned = thread::Builder::new().name("password".to_owned()).spawn(move || queue.work());
        state.threads += usize::from(spawned.is_ok());
        if state.threads == 0 {
            // No thread can be started, so nothing would ever run them.
            state.waiting.clear();
        }
    }

    /// Runs comparisons until none waits.
    fn work(&self) {
        while let Some(Waiting { comparison, result, .. }) = self.next() {
            let accepted = catch_unwind(AssertUnwindSafe(comparison)).unwrap_or(false);
            // The client may have given up.
            result.send(accepted).ok();
        }
    }

    fn next(&self) -> Option<Waiting> {
        let mut state = self.state.lock();
        let next = state.next();
        state.threads -= usize::from(next.is_none());
        next
    }
}

impl State {
    fn push(&mut self, waiting: Waiting) {
        self.forget_abandoned();
        self.waiting.push(waiting);
        let mut of_network = HashMap::<IpAddr, usize>::new();
        self.waiting.iter().for_each(|waiting| *of_network.entry(waiting.network).or_default() += 1);
        let most = of_network.values().max().copied().unwrap_or(0);
        if most > MAX_WAITING_OF_NETWORK || self.waiting.len() > MAX_WAITING {
            self.evict(|waiting| of_network[&waiting.network] == most);
        }
    }

    /// Removes one of the comparisons that would run last.
    fn evict(&mut self, among: impl Fn(&Waiting) -> bool) {
        let candidates = || self.waiting.iter().enumerate().filter(|(_, waiting)| among(waiting));
        let last = candidates().map(|(_, waiting)| self.last_turns(waiting)).max();
        let equal = candidates().filter(|(_, waiting)| Some(self.last_turns(waiting)) == last);
        if let Some(index) = fastrand::choice(equal.map(|(index, _)| index).collect::<Vec<_>>()) {
            self.waiting.remove(index);
        }
    }

    fn next(&mut self) -> Option<Waiting> {
        self.forget_abandoned();
        let first = self.waiting.iter().map(|waiting| self.last_turns(waiting)).min()?;
        let indexes = self.waiting.iter().enumerate().filter(|(_, waiting)| self.last_turns(waiting) == first);
        let indexes: Vec<_> = indexes.map(|(index, _)| index).collect();
        self.turn += 1;
        let chosen = match self.turn % 3 {
            // The newest: the requests of a flood whose clients wait for their responses are older.
            1 => indexes.len() - 1,
            // The oldest: the requests of a flood whose clients give up soon are newer.
            2 => 0,
            // A random one: a flood can consist of both.
            _ => fastrand::usize(..indexes.len()),
        };
        let next = self.waiting.remove(indexes[chosen]);
        self.networks.note(next.network, self.turn);
        self.connections.note(next.client, self.turn);
        Some(next)
    }

    /// When the client's network and its connection had their last turns.
    fn last_turns(&self, waiting: &Waiting) -> (u64, u64) {
        (self.networks.get(&waiting.network), self.connections.get(&waiting.client))
    }

    fn forget_abandoned(&mut self) {
        self.waiting.retain(|waiting| !waiting.result.is_closed());
    }
}

/// What counts as one client: an IPv4 address, or an IPv6 /64 network, because a host can use every address in it. The
/// loopback address stays as it is.
#[must_use]
pub fn client_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
        }
        address => address,
    }
}

/// The last turn of each key; zero if it had none or if it was forgotten.
struct LastTurns<K>(HashMap<K, u64>);

impl<K> Default for LastTurns<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Copy + Eq + Hash> LastTurns<K> {
    fn get(&self, key: &K) -> u64 {
        self.0.get(key).copied().unwrap_or(0)
    }

    fn note(&mut self, key: K, turn: u64) {
        self.0.insert(key, turn);
        if self.0.len() > MAX_TURNS {
            let oldest = self.0.iter().min_by_key(|(_, turn)| **turn).map(|(key, _)| *key);
            oldest.map(|key| self.0.remove(&key));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    fn client(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// Adds a waiting comparison, and returns a receiver that shows whether it still waits.
    fn push(state: &mut State, client: SocketAddr) -> oneshot::Receiver<bool> {
        let (result, finished) = oneshot::channel();
        state.push(Waiting { client, network: client_network(client.ip()), comparison: Box::new(|| true), result });
        finished
    }

    /// Whose turn it is.
    fn next(state: &mut State) -> SocketAddr {
        state.next().unwrap().client
    }

    #[test]
    fn the_network_whose_last_turn_was_longest_ago_comes_first() {
        let mut state = State::default();
        let [flood, other, third] = ["192.0.2.1:1", "192.0.2.2:1", "[2001:db8::1]:1"].map(client);
        let mut kept: Vec<_> = (0..10).map(|_| push(&mut state, flood)).collect();
        assert_eq!(next(&mut state), flood);
        kept.push(push(&mut state, other));
        kept.extend((0..10).map(|_| push(&mut state, flood)));
        assert_eq!([next(&mut state), next(&mut state)], [other, flood]);
        kept.extend([push(&mut state, other), push(&mut state, third)]);
        assert_eq!([next(&mut state), next(&mut state), next(&mut state)], [third, other, flood]);
    }

    #[test]
    fn a_new_connection_comes_before_others_of_its_network() {
        let mut state = State::default();
        for (flood, own) in [("192.0.2.1:1", "192.0.2.1:2"), ("[2001:db8::1]:1", "[2001:db8::2:1]:1")] {
            let (flood, own) = (client(flood), client(own));
            assert_eq!(client_network(flood.ip()), client_network(own.ip()));
            let mut kept: Vec<_> = (0..10).map(|_| push(&mut state, flood)).collect();
            assert_eq!(next(&mut state), flood);
            kept.push(push(&mut state, own));
            kept.extend((0..10).map(|_| push(&mut state, flood)));
            assert_eq!([next(&mut state), next(&mut state)], [own, flood]);
            drop(kept);
        }
    }

    #[test]
    fn an_ipv6_address_counts_with_its_network_and_a_mapped_one_as_ipv4() {
        let networks = |clients: [&str; 2]| clients.map(|text| client_network(client(text).ip()));
        let [one, other] = networks(["[2001:db8::1]:1", "[2001:db8::ffff:ffff:ffff:ffff]:9"]);
        assert_eq!(one, other);
        let [one, other] = networks(["[2001:db8::1]:1", "[2001:db8:0:1::1]:1"]);
        assert_ne!(one, other);
        let [one, other] = networks(["[::ffff:192.0.2.1]:1", "192.0.2.1:9"]);
        assert_eq!(one, other);
        let [one, other] = networks(["[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.2]:1"]);
        assert_ne!(one, other);
    }

    #[test]
    fn among_equals_the_newest_then_the_oldest_then_any_has_a_turn() {
        let mut state = State::default();
        let clients: Vec<_> = (1..10).map(|number| client(&format!("192.0.2.{number}:1"))).collect();
        let kept: Vec<_> = clients.iter().map(|client| push(&mut state, *client)).collect();
        assert_eq!([next(&mut state), next(&mut state)], [clients[8], clients[0]]);
        let third = next(&mut state);
        let rest: Vec<_> = clients[1..8].iter().filter(|client| **client != third).collect();
        assert_eq!([&next(&mut state), &next(&mut state)], [rest[5], rest[0]]);
        drop(kept);
    }

    #[test]
    fn ever_new_connections_keep_none_waiting_for_good() {
        let mut state = State::default();
        let port = |port| SocketAddr::from(([192, 0, 2, 1], port));
        let mut older: Vec<_> = (0..10).map(|number| push(&mut state, port(number))).collect();
        let mut own = push(&mut state, port(10));
        for number in 11..60_000 {
            older.extend([push(&mut state, port(number)), push(&mut state, port(number))]);
            state.next();
            if own.try_recv() == Err(oneshot::error::TryRecvError::Closed) {
                return;
            }
        }
        panic!("it had no turn");
    }

    #[test]
    fn a_client_that_gave_up_has_no_turn() {
        let mut state = State::default();
        drop(push(&mut state, client("192.0.2.1:1")));
        let _kept = push(&mut state, client("192.0.2.2:1"));
        drop(push(&mut state, client("192.0.2.3:1")));
        assert_eq!(next(&mut state), client("192.0.2.2:1"));
        assert!(state.next().is_none());
    }

    #[test]
    fn beyond_the_bounds_a_flood_evicts_its_own() {
        let mut state = State::default();
        let flood = client("192.0.2.1:1");
        let mut first = push(&mut state, flood);
        assert_eq!(next(&mut state), flood);
        let mut own = push(&mut state, client("192.0.2.1:2"));
        let mut other = push(&mut state, client("192.0.2.2:1"));
        let mut kept: Vec<_> = (0..MAX_WAITING).map(|_| push(&mut state, flood)).collect();
        assert_eq!(state.waiting.len(), MAX_WAITING_OF_NETWORK + 1);
        let still_waits = |finished: &mut oneshot::Receiver<bool>| {
            matches!(finished.try_recv(), Err(oneshot::error::TryRecvError::Empty))
        };
        assert!(still_waits(&mut own) && still_waits(&mut other) && !still_waits(&mut first));
        assert_eq!(kept.iter_mut().map(still_waits).filter(|waits| *waits).count(), MAX_WAITING_OF_NETWORK - 1);
        for number in 0..2 * MAX_WAITING {
            let network = [198, 51, 100, u8::try_from(number % 100).unwrap()];
            kept.push(push(&mut state, SocketAddr::from((network, 1))));
            assert!(state.waiting.len() <= MAX_WAITING);
        }
        assert_eq!(state.waiting.len(), MAX_WAITING);
        assert!(still_waits(&mut other), "of a network without a turn");
    }

    #[test]
    fn few_turns_are_remembered() {
        let mut turns = LastTurns::default();
        (1..=2 * MAX_TURNS as u64).for_each(|turn| turns.note(turn, turn));
        assert_eq!(turns.0.len(), MAX_TURNS);
        assert_eq!([turns.get(&1), turns.get(&(2 * MAX_TURNS as u64))], [0, 2 * MAX_TURNS as u64]);
    }

    #[tokio::test]
    async fn what_was_begun_is_completed_even_if_the_client_gives_up() {
        let queue = Arc::new(ComparisonQueue::default());
        let (begin, mut begun) = mpsc::unbounded_channel();
        let (complete, mut completed) = mpsc::unbounded_channel();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let comparison = queue.run(client("192.0.2.1:1"), move || {
            begin.send(()).unwrap();
            released.recv().unwrap();
            complete.send(()).unwrap();
            true
        });
        tokio::select! {
            _ = comparison => unreachable!("it is not released"),
            _ = begun.recv() => {}
        }
        release.send(()).unwrap();
        assert_eq!(completed.recv().await, Some(()));
    }

    #[tokio::test]
    async fn a_comparison_that_panics_accepts_nobody_and_the_next_one_runs() {
        let queue = Arc::new(ComparisonQueue::default());
        for _ in 0..2 * MAX_COMPARISONS {
            assert_eq!(queue.run(client("192.0.2.1:1"), || panic!("on purpose")).await, Some(false));
        }
        assert_eq!(queue.run(client("192.0.2.1:1"), || true).await, Some(true));
    }
}
