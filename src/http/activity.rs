//! The requests on one connection, and their deadlines.
//!
//! A request is in flight until the last byte of its response is written. hyper does not report that, but it drops the
//! data then, or when the connection ends; so the data carries a guard.

use std::{
    io::IoSlice,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::{Buf, Bytes, buf::Chain};
use tokio::{
    select,
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    body::{Body, Version},
    limits::Limits,
};

/// Enough for a handshake and a request's header on a slow network.
pub(super) const ARRIVAL: Duration = Duration::from_secs(2);

/// The requests of one connection.
pub(super) struct Activity {
    requests: watch::Sender<Requests>,
    /// Canceled to close the connection at once.
    cut: CancellationToken,
}

struct Requests {
    under_way: Vec<Arc<Request>>,
    /// When the connection was accepted, or the last response was written.
    idle_since: Instant,
    /// Whether there has been any request.
    is_used: bool,
}

struct Request {
    started: Instant,
    version: OnceLock<Version>,
}

/// A request in flight, until this is dropped.
pub(super) struct UnderWay {
    activity: Arc<Activity>,
    request: Arc<Request>,
}

/// The data of a response. Its request is in flight until all of the data is written.
pub(super) struct ResponseData {
    data: Chain<Bytes, Bytes>,
    _under_way: UnderWay,
}

/// How far the current request of a connection is, in the order of eviction. Requests that take long
/// come before connections that have just opened: otherwise they would hold every slot, and nobody else could begin one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Progress {
    /// There is none.
    Idle,
    /// The response takes long to be written.
    LongRequest,
    /// There is none, but the connection has just opened or become idle.
    Arriving,
    /// There is one that has just begun, such as a scrape.
    NewRequest,
}

/// What took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    Request,
    Response,
}

impl Activity {
    /// The activity of a new connection.
    pub(super) fn new() -> Self {
        let requests = Requests { under_way: Vec::new(), idle_since: Instant::now(), is_used: false };
        Self { requests: watch::Sender::new(requests), cut: CancellationToken::new() }
    }

    /// Starts a request whose header is complete.
    pub(super) fn begin(self: &Arc<Self>) -> UnderWay {
        let request = Arc::new(Request { started: Instant::now(), version: OnceLock::new() });
        self.requests.send_modify(|requests| {
            requests.under_way.push(request.clone());
            requests.is_used = true;
        });
        UnderWay { activity: self.clone(), request }
    }

    /// Completes when the next request or the oldest response is overdue.
    pub(super) async fn overdue(&self, limits: &Limits) -> Overdue {
        let mut requests = self.requests.subscribe();
        loop {
            let (deadline, overdue) = requests.borrow_and_update().deadline(limits);
            select! {
                () = sleep_until(deadline) => return overdue,
                // The sender is in `self`, so this does not fail.
                _ = requests.changed() => {}
            }
        }
    }

    /// How far its current request is, and since when that has been the case.
    pub(super) fn progress(&self) -> (Progress, Instant) {
        let requests = self.requests.borrow();
        match requests.oldest() {
            Some(started) if started.elapsed() < ARRIVAL => (Progress::NewRequest, started),
            Some(started) => (Progress::LongRequest, started),
            None if requests.idle_since.elapsed() < ARRIVAL => (Progress::Arriving, requests.idle_since),
            None => (Progress::Idle, requests.idle_since),
        }
    }

    /// The versions in the responses that are not yet completely written.
    pub(super) fn versions(&self) -> Vec<Version> {
        self.requests.borrow().under_way.iter().filter_map(|request| request.version.get().copied()).collect()
    }

    pub(super) fn cut(&self) {
        self.cut.cancel();
    }

    /// Completes when the connection must close at once.
    pub(super) async fn is_cut(&self) {
        self.cut.cancelled().await;
    }
}

impl Requests {
    fn oldest(&self) -> Option<Instant> {
        self.under_way.iter().map(|request| request.started).min()
    }

    fn deadline(&self, limits: &Limits) -> (Instant, Overdue) {
        match self.oldest() {
            Some(started) => (started + limits.response, Overdue::Response),
            None if self.is_used => (self.idle_since + limits.idle, Overdue::Request),
            None => (self.idle_since + limits.first_request, Overdue::Request),
        }
    }
}

impl UnderWay {
    /// The data of the response; the request is in flight until it is dropped.
    pub(super) fn respond(self, body: Body) -> ResponseData {
        if let Some(version) = body.version {
            // A request has one response.
            let _ = self.request.version.set(version);
        }
        ResponseData { data: body.data, _under_way: self }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.activity.requests.send_modify(|requests| {
            requests.under_way.retain(|other| !Arc::ptr_eq(other, &self.request));
            requests.idle_since = Instant::now();
        });
    }
}

impl Buf for ResponseData {
    fn remaining(&self) -> usize {
        self.data.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.data.chunk()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.data.chunks_vectored(slices)
    }

    fn advance(&mut self, count: usize) {
        self.data.advance(count);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        join,
        time::{Instant, sleep},
    };

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limits() -> Limits {
        Limits { first_request: SECOND * 3, idle: SECOND * 10, response: SECOND * 5, ..Limits::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_request_has_less_time_than_the_next_ones() {
        let (activity, start) = (Arc::new(Activity::new()), Instant::now());
        assert_eq!(activity.overdue(&limits()).await, Overdue::Request);
        assert_eq!(start.elapsed(), SECOND * 3);
        drop(activity.begin());
        assert_eq!(activity.overdue(&limits()).await, Overdue::Request);
        assert_eq!(start.elapsed(), SECOND * 13);
    }

    #[tokio::test(start_paused = true)]
    async fn each_response_restarts_the_idle_time() {
        let (activity, start) = (Arc::new(Activity::new()), Instant::now());
        let client = async {
            for _ in 0..3 {
                sleep(SECOND * 2).await;
                let request = activity.begin();
                sleep(SECOND * 4).await;
                drop(request);
            }
        };
        let (overdue, ()) = join!(async { activity.overdue(&limits()).await }, client);
        assert_eq!((overdue, start.elapsed()), (Overdue::Request, SECOND * 28));
    }

    #[tokio::test(start_paused = true)]
    async fn quick_responses_do_not_extend_the_time_of_a_slow_one() {
        let (activity, start) = (Arc::new(Activity::new()), Instant::now());
        let slow = activity.begin();
        let client = async {
            for _ in 0..100 {
                drop(activity.begin());
                sleep(SECOND / 10).await;
            }
        };
        let limits = limits();
        select! {
            overdue = activity.overdue(&limits) => assert_eq!(overdue, Overdue::Response),
            () = client => panic!("never overdue"),
        }
        assert_eq!(start.elapsed(), SECOND * 5);
        drop(slow);
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_is_under_way_until_its_data_is_dropped() {
        let activity = Arc::new(Activity::new());
        let mut data = activity.begin().respond(Body::short(Bytes::from_static(b"text")));
        data.advance(4);
        assert_eq!(activity.progress().0, Progress::NewRequest);
        drop(data);
        assert_ne!(activity.progress().0, Progress::NewRequest);
    }
}
