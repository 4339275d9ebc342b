//! Every page of one group and provider, or an error.

use std::{collections::HashSet, time::Duration};

use backon::{ExponentialBuilder, Retryable};
use tokio::time::timeout;

use super::{Client, ErrorKind, GroupId, ListError, Passing, Peering, Provider, page::Page};

/// A longer listing is an error: Atlas allows 50 peerings per group, so a hundred pages mean a loop.
const MAX_PAGES: u32 = 100;

/// If Atlas asks to wait for longer, the poll fails, and the next one is soon enough: this one holds a place.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// More in one listing are no real group's, and would be series without end.
const MAX_PEERINGS: usize = 10_000;

/// The first of the growing pauses before asking again; jitter adds up to as much.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// All peerings of one group and provider, at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// In Atlas's order, each id once.
    pub peerings: Vec<Peering>,
    /// How many times Atlas sent a peering that it had already sent.
    pub duplicates: u64,
}

impl Client {
    /// Lists completely; one missing page fails the whole listing. After a passing failure a page is asked for again,
    /// up to `retries` times, with pauses that grow.
    ///
    /// # Errors
    /// The page that failed and why. Never later than `deadline`, repetitions included.
    pub async fn list(
        &self,
        group: &GroupId,
        provider: Provider,
        deadline: Duration,
        retries: usize,
    ) -> Result<Listing, ListError> {
        let mut reading = Reading::default();
        let pauses = ExponentialBuilder::new().with_min_delay(FIRST_PAUSE).with_max_times(retries).with_jitter();
        let kind = match timeout(deadline, self.read_pages(group, provider, pauses, &mut reading)).await {
            Ok(Ok(())) => return Ok(reading.listing),
            Ok(Err(kind)) => kind,
            Err(_) => ErrorKind::Deadline { deadline, last: reading.last },
        };
        Err(ListError { group: group.clone(), provider, page: reading.page, kind })
    }

    async fn read_pages(
        &self,
        group: &GroupId,
        provider: Provider,
        pauses: ExponentialBuilder,
        reading: &mut Reading,
    ) -> Result<(), ErrorKind> {
        while reading.page < MAX_PAGES {
            reading.page += 1;
            let number = reading.page;
            let page = (|| self.page(group, provider, number))
                .retry(pauses)
                .when(ErrorKind::is_transient)
                .adjust(|kind, pause| wait(pause?, kind.retry_after().unwrap_or_default()))
                .notify(|kind, _| reading.last = Some(kind.into()))
                .await?;
            reading.last = None;
            if reading.take(page, provider, self.items_per_page)? {
                return Ok(());
            }
        }
        Err(ErrorKind::Pagination("the listing has no end: page 100 is not the last"))
    }
}

/// The pause before asking again; none if Atlas asks for more time than a poll should wait.
fn wait(pause: Duration, asked: Duration) -> Option<Duration> {
    (asked <= LONGEST_WAIT).then(|| pause.max(asked))
}

/// A listing in the making.
#[derive(Default)]
struct Reading {
    listing: Listing,
    page: u32,
    seen: HashSet<String>,
    unidentified: u32,
    last: Option<Passing>,
}

impl Reading {
    /// Adds a page; says whether it was the last.
    fn take(&mut self, page: Page, provider: Provider, items_per_page: u16) -> Result<bool, ErrorKind> {
        let is_last = page.is_last(items_per_page);
        let before = self.listing.peerings.len();
        for wire in page.into_results() {
            self.add(wire.into_peering(provider)?);
        }
        if self.listing.peerings.len() > MAX_PEERINGS {
            return Err(ErrorKind::TooMany { limit: MAX_PEERINGS });
        }
        if !is_last && self.listing.peerings.len() == before {
            return Err(ErrorKind::Pagination("a page that is not the last brings nothing new"));
        }
        Ok(is_last)
    }

    fn add(&mut self, mut peering: Peering) {
        if peering.id.is_empty() {
            // Two peerings without an id must not become one series.
            self.unidentified += 1;
            peering.id = format!("unidentified-{}", self.unidentified);
        }
        if self.seen.insert(peering.id.clone()) {
            self.listing.peerings.push(peering);
        } else {
            self.listing.duplicates += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn page(results: &[Value], has_next: bool) -> Page {
        let links = if has_next { json!([{"rel": "self"}, {"rel": "next"}]) } else { json!([{"rel": "self"}]) };
        serde_json::from_value(json!({ "results": results, "links": links })).unwrap()
    }

    fn read(pages: Vec<Page>) -> Result<Listing, ErrorKind> {
        let mut reading = Reading::default();
        for page in pages {
            reading.last = None;
            if reading.take(page, Provider::Aws, 2)? {
                return Ok(reading.listing);
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
        assert_eq!((listing.peerings.len(), listing.duplicates), (3, 1));
    }

    #[test]
    fn a_repeated_page_is_an_error() {
        let pages = vec![page(&[peering(1)], true), page(&[peering(1)], true)];
        assert!(matches!(read(pages), Err(ErrorKind::Pagination(_))));
    }

    #[test]
    fn a_listing_of_more_than_any_group_has_is_an_error() {
        let mut reading = Reading::default();
        let thousand = |n: u32| page(&(0..1000).map(|m| peering(n * 1000 + m)).collect::<Vec<_>>(), true);
        let last = (0..20).map(|n| reading.take(thousand(n), Provider::Aws, 500)).find_map(Result::err);
        assert!(matches!(last, Some(ErrorKind::TooMany { .. })));
        assert!(reading.listing.peerings.len() <= MAX_PEERINGS + 1000);
    }

    #[test]
    fn an_empty_page_with_a_successor_is_an_error() {
        assert!(matches!(read(vec![page(&[], true)]), Err(ErrorKind::Pagination(_))));
    }

    #[test]
    fn without_links_a_full_page_has_a_successor() {
        let without_links = |results: &[Value]| serde_json::from_value(json!({ "results": results })).unwrap();
        let pages = vec![without_links(&[peering(1), peering(2)]), without_links(&[peering(3)])];
        assert_eq!(read(pages).unwrap().peerings.len(), 3);
    }

    #[test]
    fn peerings_without_an_id_stay_apart() {
        let listing = read(vec![page(&[json!({"vpcId": "a"}), json!({"vpcId": "a"})], false)]).unwrap();
        let ids: Vec<&str> = listing.peerings.iter().map(|peering| peering.id.as_str()).collect();
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
            prop_assert_eq!(read(pages).unwrap(), read(vec![whole]).unwrap());
        }

        #[test]
        fn no_bytes_make_the_parser_panic(bytes: Vec<u8>, text in r#"[\[\]{}",:a-z0-9 ]{0,200}"#) {
            for body in [bytes.as_slice(), text.as_bytes()] {
                if let Ok(page) = serde_json::from_slice::<Page>(body) {
                    let _ = Reading::default().take(page, Provider::Gcp, 1);
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
            if let Ok(page) = serde_json::from_value::<Page>(body) {
                let mut reading = Reading::default();
            if reading.take(page, Provider::Gcp, 500).is_ok() {
                    prop_assert_eq!(reading.listing.peerings.len(), 1);
                    let _ = (reading.listing.peerings[0].created(), reading.listing.peerings[0].error_word());
                }
            }
        }
    }
}
