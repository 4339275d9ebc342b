//! The open connections: which one to evict for a new one, and which ones keep too much in memory.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use parking_lot::Mutex;
use web_config::client_network;

use super::{activity::Activity, body::Kind, limits::Limits};

/// Every open connection.
pub(super) struct Connections {
    limits: Limits,
    open: Mutex<Vec<Connection>>,
}

#[derive(Clone)]
struct Connection {
    network: IpAddr,
    activity: Arc<Activity>,
}

/// A connection slot, which is free again when this is dropped.
pub(super) struct Place {
    connections: Arc<Connections>,
    pub(super) client: SocketAddr,
    pub(super) activity: Arc<Activity>,
}

impl Connections {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, open: Mutex::default() })
    }

    /// Takes a slot for a new connection. If none is free, evicts a connection of the client address that has the most:
    /// the one that has been without a request for longest or, if all have one or have just opened, the one whose
    /// request has taken longest.
    pub(super) fn admit(self: &Arc<Self>, client: SocketAddr) -> Place {
        let (network, activity) = (client_network(client.ip()), Arc::new(Activity::new()));
        let mut open = self.open.lock();
        if let Some(evicted) = self.evicted_for(&open, network) {
            open.swap_remove(evicted).activity.cut();
        }
        open.push(Connection { network, activity: activity.clone() });
        Place { connections: self.clone(), client, activity }
    }

    /// The index of the connection to evict for a new one of this network.
    fn evicted_for(&self, open: &[Connection], newcomer: IpAddr) -> Option<usize> {
        // Some slots are reserved for clients on this machine, which may use every slot.
        let is_rival = |other: &Connection| newcomer.is_loopback() || !other.network.is_loopback();
        let reserved = if newcomer.is_loopback() { 0 } else { self.limits.loopback_connections };
        let limit = self.limits.connections.saturating_sub(reserved).max(1);
        let rivals = || open.iter().enumerate().filter(|(_, other)| is_rival(other));
        if rivals().count() < limit {
            return None;
        }
        let mut counts = HashMap::<IpAddr, usize>::from([(newcomer, 1)]);
        rivals().for_each(|(_, other)| *counts.entry(other.network).or_default() += 1);
        let order = |other: &Connection| (Reverse(counts[&other.network]), other.activity.progress());
        rivals().min_by_key(|(_, other)| order(other)).map(|(index, _)| index)
    }

    /// Closes the connections that read the oldest versions of a kind until the rest is within its budget. Readers of
    /// the newest version stay.
    pub(super) fn enforce_budget(&self, kind: Kind) {
        let open = self.open.lock();
        let reads: Vec<_> = open
            .iter()
            .flat_map(|connection| connection.activity.versions().into_iter().map(move |version| (connection, version)))
            .filter(|(_, version)| version.kind == kind)
            .collect();
        let mut versions: BTreeMap<Instant, usize> =
            reads.iter().map(|(_, version)| (version.rendered_at, version.bytes)).collect();
        while versions.len() > 1
            && versions.values().sum::<usize>() > kind.budget()
            && let Some((oldest, _)) = versions.pop_first()
        {
            reads
                .iter()
                .filter(|(_, version)| version.rendered_at == oldest)
                .for_each(|(connection, _)| connection.activity.cut());
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.open.lock().retain(|other| !Arc::ptr_eq(&other.activity, &self.activity));
    }
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv6Addr, time::Duration};

    use bytes::Bytes;
    use tokio::time::advance;

    use super::*;
    use crate::http::{
        activity::{ARRIVAL, ResponseData, UnderWay},
        body::{Body, Version},
    };

    const LOCAL: [u8; 4] = [127, 0, 0, 1];

    fn table(connections: usize, loopback_connections: usize) -> Arc<Connections> {
        Connections::new(Limits { connections, loopback_connections, ..Limits::default() })
    }

    /// A new connection; the next one is a second newer.
    async fn admit(table: &Arc<Connections>, client: impl Into<IpAddr>) -> Place {
        let place = table.admit(SocketAddr::new(client.into(), 0));
        advance(Duration::from_secs(1)).await;
        place
    }

    async fn admit_all<const N: usize>(table: &Arc<Connections>, clients: [impl Into<IpAddr>; N]) -> Vec<Place> {
        let mut places = Vec::new();
        for client in clients {
            places.push(admit(table, client).await);
        }
        places
    }

    async fn request(place: &Place) -> UnderWay {
        let request = place.activity.begin();
        advance(Duration::from_secs(1)).await;
        request
    }

    fn is_cut(place: &Place) -> bool {
        futures_util::FutureExt::now_or_never(place.activity.is_cut()).is_some()
    }

    fn cut(places: &[Place]) -> Vec<usize> {
        (0..places.len()).filter(|index| is_cut(&places[*index])).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_connection_without_a_request_makes_room() {
        let table = table(3, 0);
        let places = admit_all(&table, [[10, 0, 0, 1]; 3]).await;
        let _request = request(&places[0]).await;
        drop(request(&places[1]).await);
        advance(ARRIVAL).await;
        let mut newer = vec![admit(&table, [10, 0, 0, 1]).await];
        assert_eq!(cut(&places), [2], "the first has a request, the second had one since");
        newer.push(admit(&table, [10, 0, 0, 1]).await);
        assert_eq!(cut(&places), [1, 2]);
        assert_eq!(table.open.lock().len(), 3);
        drop(places);
        assert_eq!(table.open.lock().len(), 2, "places are free again");
    }

    #[tokio::test(start_paused = true)]
    async fn if_all_have_a_request_the_longest_one_makes_room() {
        let table = table(3, 0);
        let places = admit_all(&table, [[10, 0, 0, 1]; 3]).await;
        let mut requests = Vec::new();
        for index in [1, 0, 2] {
            requests.push(request(&places[index]).await);
        }
        let _newer = admit(&table, [10, 0, 0, 1]).await;
        assert_eq!(cut(&places), [1]);
    }

    #[tokio::test(start_paused = true)]
    async fn requests_that_take_long_leave_slots_to_connections_that_have_just_opened() {
        let table = table(3, 0);
        let slow = admit_all(&table, [[10, 0, 0, 1]; 3]).await;
        let mut requests = Vec::new();
        for place in &slow {
            requests.push(request(place).await);
        }
        advance(ARRIVAL).await;
        let first = table.admit(([10, 0, 0, 1], 0).into());
        let second = table.admit(([10, 0, 0, 1], 0).into());
        assert!(!is_cut(&first) && !is_cut(&second));
        assert_eq!(cut(&slow), [0, 1]);
        advance(ARRIVAL).await;
        let _third = table.admit(([10, 0, 0, 1], 0).into());
        assert!(is_cut(&first), "it has sent nothing");
        assert_eq!(cut(&slow), [0, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_new_connections_does_not_interrupt_a_request_that_has_just_begun() {
        let table = table(3, 0);
        let place = table.admit(([10, 0, 0, 1], 0).into());
        let _request = place.activity.begin();
        let flood: Vec<_> = (0..9).map(|_| table.admit(([10, 0, 0, 1], 0).into())).collect();
        assert!(!is_cut(&place));
        assert_eq!(cut(&flood).len(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_with_many_connections_takes_none_from_others() {
        let table = table(4, 0);
        let others = admit_all(&table, [[10, 0, 0, 1], [10, 0, 0, 2]]).await;
        let mut flood = admit_all(&table, [[10, 6, 6, 6]; 2]).await;
        let _requests = [request(&flood[0]).await, request(&flood[1]).await];
        for _ in 0..9 {
            flood.push(admit(&table, [10, 6, 6, 6]).await);
            let _request = request(flood.last().unwrap()).await;
        }
        assert!(cut(&others).is_empty());
        let newcomer = admit(&table, [10, 0, 0, 3]).await;
        assert!(cut(&others).is_empty() && !is_cut(&newcomer));
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_of_ipv6_is_one_client_and_a_mapped_address_is_one_of_ipv4() {
        let table = table(3, 0);
        let other = admit(&table, "2001:db8:0:2::1".parse::<IpAddr>().unwrap()).await;
        let mut flood = Vec::new();
        for number in 1..9_u16 {
            flood.push(admit(&table, Ipv6Addr::new(0x2001, 0xdb8, 0, 1, number, 0, 0, number)).await);
        }
        assert!(!is_cut(&other));
        assert_eq!(cut(&flood).len(), 6);
        assert_eq!(client_network("::ffff:127.0.0.1".parse().unwrap()), IpAddr::from(LOCAL));
        assert!(client_network(Ipv6Addr::LOCALHOST.into()).is_loopback());
    }

    #[tokio::test(start_paused = true)]
    async fn other_machines_leave_places_to_this_one() {
        let table = table(4, 2);
        let local = admit_all(&table, [LOCAL; 2]).await;
        let mut others = Vec::new();
        for number in 0..9 {
            others.push(admit(&table, [10, 0, 0, number]).await);
        }
        assert!(cut(&local).is_empty());
        assert_eq!(cut(&others), (0..7).collect::<Vec<_>>());
        drop(local);
        let local = admit_all(&table, [LOCAL; 2]).await;
        assert_eq!(cut(&others).len(), 7, "there were places left");
        let _third = admit(&table, LOCAL).await;
        assert_eq!(cut(&local), [0]);
    }

    /// Makes a connection read a version with this number of bytes, rendered at `second`.
    fn read(table: &Connections, place: &Place, kind: Kind, second: u64, start: Instant, bytes: usize) -> ResponseData {
        let rendered_at = start + Duration::from_secs(second);
        let version = Some(Version { kind, rendered_at, bytes });
        let data = place.activity.begin().respond(Body { version, ..Body::short(Bytes::from_static(b"text")) });
        table.enforce_budget(kind);
        data
    }

    #[tokio::test(start_paused = true)]
    async fn readers_of_the_oldest_version_are_cut_off_beyond_the_budget_of_its_kind() {
        let (table, start) = (table(99, 0), Instant::now());
        let places = admit_all(&table, [[10, 0, 0, 1]; 8]).await;
        let third = Kind::Exposition.budget() / 3;
        let read = |index: usize, kind, second| read(&table, &places[index], kind, second, start, third);
        let _compressed = read(0, Kind::CompressedExposition, 0);
        let mut data = Vec::from([1, 2, 3, 4, 5].map(|index| read(index, Kind::Exposition, [0, 0, 1, 1, 2, 2][index])));
        assert!(cut(&places).is_empty(), "three versions fit, however many read them");
        let _newest = read(6, Kind::Exposition, 3);
        assert_eq!(cut(&places), [1], "the one reader of the oldest version");
        drop(data.remove(0));
        let _newer = read(7, Kind::Exposition, 4);
        assert_eq!(cut(&places), [1, 2, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_newest_version_may_exceed_the_budget() {
        let (table, start) = (table(9, 0), Instant::now());
        let places = admit_all(&table, [[10, 0, 0, 1]; 2]).await;
        let _first = read(&table, &places[0], Kind::Json, 0, start, 100 << 20);
        assert!(cut(&places).is_empty());
        let _second = read(&table, &places[1], Kind::Json, 1, start, 100 << 20);
        assert_eq!(cut(&places), [0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_that_is_written_keeps_no_version() {
        let (table, start) = (table(9, 0), Instant::now());
        let places = admit_all(&table, [[10, 0, 0, 1]; 2]).await;
        drop(read(&table, &places[0], Kind::Page, 0, start, 100 << 20));
        let _second = read(&table, &places[1], Kind::Page, 1, start, 100 << 20);
        assert!(cut(&places).is_empty());
    }
}
