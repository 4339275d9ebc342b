//! Every page of something that Atlas lists, or an error.

use std::{collections::HashSet, time::Duration};

use backon::{ExponentialBuilder, Retryable};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::{Client, ErrorKind, ListError, Resource, TransientError, paging::page::Page};

/// A longer listing is an error: Atlas allows 50 peerings a group and 250 groups an organization, so a hundred pages
/// mean a loop.
const MAX_PAGES: u32 = 100;

/// If Atlas asks to wait for longer, the listing fails, and the next one is soon enough: this one holds a place.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// More in one listing are nothing real, and would be series without end.
const MAX_RESULTS: usize = 10_000;

/// The first of the growing pauses before asking again; jitter adds up to as much.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// A result of a listing.
pub(crate) trait Item {
    /// What tells it from every other of the listing; empty if Atlas gave it none.
    fn id(&mut self) -> &mut String;
}

/// The results of every page.
#[derive(Debug)]
pub(crate) struct All<T> {
    /// In Atlas's order, each id once.
    pub(crate) results: Vec<T>,
    /// How many times Atlas sent a result that it had already sent.
    pub(crate) duplicates: u64,
}

impl Client {
    /// Lists completely; one missing page fails the whole listing. After a passing failure a page is asked for again,
    /// up to `retries` times, with pauses that grow. Never takes longer than `deadline`, repetitions included.
    pub(crate) async fn all<W: DeserializeOwned, T: Item>(
        &self,
        resource: Resource,
        deadline: Duration,
        retries: usize,
        parse: impl Fn(W) -> Result<T, ErrorKind>,
    ) -> Result<All<T>, ListError> {
        let mut reading = Reading::default();
        let pauses = ExponentialBuilder::new().with_min_delay(FIRST_PAUSE).with_max_times(retries).with_jitter();
        let kind = match timeout(deadline, self.read_pages(&resource, pauses, &parse, &mut reading)).await {
            Ok(Ok(())) => return Ok(reading.all),
            Ok(Err(kind)) => kind,
            Err(_) => ErrorKind::Deadline { deadline, last: reading.last },
        };
        Err(ListError { resource, page: reading.page, kind })
    }

    async fn read_pages<W: DeserializeOwned, T: Item>(
        &self,
        resource: &Resource,
        pauses: ExponentialBuilder,
        parse: &impl Fn(W) -> Result<T, ErrorKind>,
        reading: &mut Reading<T>,
    ) -> Result<(), ErrorKind> {
        while reading.page < MAX_PAGES {
            reading.page += 1;
            let number = reading.page;
            let page = (|| self.page(resource, number))
                .retry(pauses)
                .when(ErrorKind::is_transient)
                .adjust(|kind, pause| wait(pause?, kind.retry_after().unwrap_or_default()))
                .notify(|kind, _| reading.last = Some(kind.into()))
                .await?;
            reading.last = None;
            if reading.take(page, parse, self.items_per_page)? {
                return Ok(());
            }
        }
        Err(ErrorKind::Pagination("the listing has no end: page 100 is not the last"))
    }
}

/// The pause before asking again; none if Atlas asks for more time than a listing should wait.
fn wait(pause: Duration, asked: Duration) -> Option<Duration> {
    (asked <= LONGEST_WAIT).then(|| pause.max(asked))
}

/// A listing in the making.
struct Reading<T> {
    all: All<T>,
    page: u32,
    seen: HashSet<String>,
    unidentified: u32,
    last: Option<TransientError>,
}

impl<T> Default for Reading<T> {
    fn default() -> Self {
        let all = All { results: Vec::new(), duplicates: 0 };
        Self { all, page: 0, seen: HashSet::new(), unidentified: 0, last: None }
    }
}

impl<T: Item> Reading<T> {
    /// Adds a page; says whether it was the last.
    fn take<W>(
        &mut self,
        page: Page<W>,
        parse: &impl Fn(W) -> Result<T, ErrorKind>,
        items_per_page: u16,
    ) -> Result<bool, ErrorKind> {
        let is_last = page.is_last(items_per_page);
        let before = self.all.results.len();
        for wire in page.into_results() {
            self.add(parse(wire)?);
        }
        if self.all.results.len() > MAX_RESULTS {
            return Err(ErrorKind::TooMany { limit: MAX_RESULTS });
        }
        if !is_last && self.all.results.len() == before {
            return Err(ErrorKind::Pagination("a page that is not the last brings nothing new"));
        }
        Ok(is_last)
    }

    fn add(&mut self, mut item: T) {
        let id = item.id();
        if id.is_empty() {
            // Two without an id must not become one.
            self.unidentified += 1;
            *id = format!("unidentified-{}", self.unidentified);
        }
        if self.seen.insert(id.clone()) {
            self.all.results.push(item);
        } else {
            self.all.duplicates += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::{Peering, Provider, model::peering::WirePeering};

    fn parse(wire: WirePeering) -> Result<Peering, ErrorKind> {
        wire.into_peering(Provider::Aws)
    }

    fn page(results: &[Value], has_next: bool) -> Page<WirePeering> {
        let links = if has_next { json!([{"rel": "self"}, {"rel": "next"}]) } else { json!([{"rel": "self"}]) };
        serde_json::from_value(json!({ "results": results, "links": links })).unwrap()
    }

    fn read(pages: Vec<Page<WirePeering>>) -> Result<All<Peering>, ErrorKind> {
        let mut reading = Reading::default();
        for page in pages {
            reading.last = None;
            if reading.take(page, &parse, 2)? {
                return Ok(reading.all);
            }
        }
        panic!("the last page is not the last");
    }

    fn peering(id: u32) -> Value {
        json!({ "id": format!("64c0ffee{id:016x}"), "vpcId": "vpc-1", "statusName": "AVAILABLE" })
    }

    #[test]
    fn a_peering_sent_twice_is_counted_once_and_reported() {
        let pages = vec![page(&[peering(1), peering(2)], true), page(&[peering(2), peering(3)], false)];
        let listing = read(pages).unwrap();
        assert_eq!((listing.results.len(), listing.duplicates), (3, 1));
    }

    #[test]
    fn a_repeated_page_is_an_error() {
        let pages = vec![page(&[peering(1)], true), page(&[peering(1)], true)];
        assert!(matches!(read(pages), Err(ErrorKind::Pagination(_))));
    }

    #[test]
    fn a_listing_of_more_than_there_can_be_is_an_error() {
        let mut reading = Reading::default();
        let thousand = |n: u32| page(&(0..1000).map(|m| peering(n * 1000 + m)).collect::<Vec<_>>(), true);
        let last = (0..20).map(|n| reading.take(thousand(n), &parse, 500)).find_map(Result::err);
        assert!(matches!(last, Some(ErrorKind::TooMany { .. })));
        assert!(reading.all.results.len() <= MAX_RESULTS + 1000);
    }

    #[test]
    fn an_empty_page_with_a_successor_is_an_error() {
        assert!(matches!(read(vec![page(&[], true)]), Err(ErrorKind::Pagination(_))));
    }

    #[test]
    fn without_links_a_full_page_has_a_successor() {
        let without_links = |results: &[Value]| serde_json::from_value(json!({ "results": results })).unwrap();
        let pages = vec![without_links(&[peering(1), peering(2)]), without_links(&[peering(3)])];
        assert_eq!(read(pages).unwrap().results.len(), 3);
    }

    #[test]
    fn peerings_without_an_id_stay_apart() {
        let listing = read(vec![page(&[json!({"vpcId": "a"}), json!({"vpcId": "a"})], false)]).unwrap();
        let ids: Vec<&str> = listing.results.iter().map(|peering| peering.id.as_str()).collect();
        assert_eq!(ids, ["unidentified-1", "unidentified-2"]);
    }

    #[test]
    fn a_long_wait_is_not_begun() {
        let seconds = Duration::from_secs;
        assert_eq!(wait(seconds(1), seconds(0)), Some(seconds(1)));
        assert_eq!(wait(seconds(1), seconds(5)), Some(seconds(5)));
        assert_eq!(wait(seconds(1), seconds(6)), None);
    }

    proptest! {
        #[test]
        fn any_split_into_pages_gives_the_same_listing(
            ids in prop::collection::vec(0u32..40, 1..60),
            cuts in prop::collection::vec(1usize..10, 60),
        ) {
            // A peering may come twice, but a page must not consist of nothing else: that is a loop.
            let mut pages = Vec::new();
            let mut rest: Vec<Value> = ids.iter().map(|id| peering(*id)).collect();
            let mut seen = HashSet::new();
            let mut cuts = cuts.into_iter();
            while !rest.is_empty() {
                let mut cut = cuts.next().unwrap_or(1).min(rest.len());
                while cut < rest.len() && rest[..cut].iter().all(|peer| seen.contains(&peer.to_string())) {
                    cut += 1;
                }
                let tail = rest.split_off(cut);
                seen.extend(rest.iter().map(ToString::to_string));
                pages.push(page(&rest, !tail.is_empty()));
                rest = tail;
            }
            let whole = page(&ids.iter().map(|id| peering(*id)).collect::<Vec<_>>(), false);
            let (paged, whole) = (read(pages).unwrap(), read(vec![whole]).unwrap());
            prop_assert_eq!((paged.results, paged.duplicates), (whole.results, whole.duplicates));
        }

        #[test]
        fn no_bytes_make_the_parser_panic(bytes: Vec<u8>, text in r#"[\[\]{}",:a-z0-9 ]{0,200}"#) {
            for body in [bytes.as_slice(), text.as_bytes()] {
                if let Ok(page) = serde_json::from_slice::<Page<WirePeering>>(body) {
                    let _ = Reading::default().take(page, &parse, 1);
                }
            }
        }

        #[test]
        fn no_json_makes_the_parser_panic(
            field in prop::sample::select(vec!["id", "status", "statusName", "vpcId", "networkName", "errorState"]),
            value in prop_oneof![
                any::<String>().prop_map(Value::from), any::<i64>().prop_map(Value::from), Just(Value::Null),
                any::<bool>().prop_map(Value::from), Just(json!({})), Just(json!([null])),
            ],
        ) {
            let body = json!({ "results": [{ field: value }] });
            if let Ok(page) = serde_json::from_value::<Page<WirePeering>>(body) {
                let mut reading = Reading::default();
                if reading.take(page, &|wire: WirePeering| wire.into_peering(Provider::Gcp), 500).is_ok() {
                    prop_assert_eq!(reading.all.results.len(), 1);
                    let _ = (reading.all.results[0].created(), reading.all.results[0].error_word());
                }
            }
        }
    }
}
