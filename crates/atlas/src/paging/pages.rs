//! Every page of a listing, or an error.

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};

use super::page::{Page, Successor};
use crate::{
    backoff::Retries,
    error::ErrorKind,
    model::wire::{HasId, InvalidContent},
};

/// A longer listing is an error. Atlas allows 50 peerings per group and 250 groups per organization, so 100 pages are a
/// loop.
const MAX_PAGES: u32 = 100;

/// More results in one listing are not real, and would become series without bound.
const MAX_RESULTS: usize = 10_000;

/// Reads a whole listing; one missing page fails it. `fetch` requests the page of a number, from 1, and is retried up
/// to `retries` times per page after transient failures. Never takes longer than `deadline`, retries included. Returns
/// the results in Atlas's order, each id once, and how many times Atlas sent a result that it had already sent; or an
/// error with the number of the page that failed.
pub(crate) async fn read_all<W: HasId, T, F: Future<Output = Result<Page<W>, ErrorKind>>>(
    items_per_page: u16,
    deadline: Duration,
    retries: u32,
    fetch: impl Fn(u32) -> F,
    parse: impl Fn(W) -> Result<T, InvalidContent>,
) -> Result<(Vec<T>, u64), (u32, ErrorKind)> {
    let mut paginator = Paginator::new(items_per_page);
    let read = async {
        while paginator.page < MAX_PAGES {
            paginator.page += 1;
            let page = paginator.fetch_page(retries, &fetch).await?;
            if paginator.add_page(page, &parse)? {
                return Ok(());
            }
        }
        Err(ErrorKind::TooManyPages(MAX_PAGES))
    };
    let kind = match timeout(deadline, read).await {
        Ok(Ok(())) => return Ok((paginator.results, paginator.duplicates)),
        Ok(Err(kind)) => kind,
        Err(_) => ErrorKind::Deadline { deadline, last: paginator.last_failure },
    };
    Err((paginator.page, kind))
}

/// A listing while it is read.
struct Paginator<T> {
    results: Vec<T>,
    duplicates: u64,
    items_per_page: u16,
    /// The number of the current page, from 1.
    page: u32,
    seen: HashSet<String>,
    without_id: u32,
    /// How many results the whole listing has, as Atlas last estimated.
    total: Option<u64>,
    /// Why the current page is retried.
    last_failure: Option<Arc<ErrorKind>>,
}

impl<T> Paginator<T> {
    fn new(items_per_page: u16) -> Self {
        let (results, seen) = (Vec::new(), HashSet::new());
        Self { results, duplicates: 0, items_per_page, page: 0, seen, without_id: 0, total: None, last_failure: None }
    }

    async fn fetch_page<W, F: Future<Output = Result<Page<W>, ErrorKind>>>(
        &mut self,
        retries: u32,
        fetch: impl Fn(u32) -> F,
    ) -> Result<Page<W>, ErrorKind> {
        self.last_failure = None;
        let mut retries = Retries::new(retries);
        loop {
            let error = match fetch(self.page).await {
                Ok(page) => return Ok(page),
                Err(error) => error,
            };
            if !error.is_transient() {
                return Err(error);
            }
            let Some(delay) = retries.next_delay(error.retry_after().unwrap_or_default()) else { return Err(error) };
            self.last_failure = Some(Arc::new(error));
            sleep(delay).await;
        }
    }

    /// Adds the results of a page. Returns whether it was the last page.
    fn add_page<W: HasId>(
        &mut self,
        page: Page<W>,
        parse: impl Fn(W) -> Result<T, InvalidContent>,
    ) -> Result<bool, ErrorKind> {
        self.total = page.total().or(self.total);
        let (successor, is_empty) = (page.successor(self.items_per_page), page.is_empty());
        let before = self.results.len();
        for mut wire in page.into_results() {
            let id = wire.id().get_or_insert_default();
            if id.is_empty() {
                // Two items without an ID must not become one.
                self.without_id += 1;
                *id = format!("unidentified-{}", self.without_id);
            }
            if self.seen.insert(id.clone()) {
                self.results.push(parse(wire)?);
            } else {
                self.duplicates += 1;
            }
        }
        if self.results.len() > MAX_RESULTS {
            return Err(ErrorKind::TooManyResults(MAX_RESULTS));
        }
        match successor {
            Successor::None => Ok(true),
            // The estimate is too high, and the page before was the last.
            Successor::IfTotalSaysMore if is_empty && self.page > 1 => Ok(true),
            Successor::IfTotalSaysMore if self.total.is_none_or(|total| total <= self.received()) => Ok(true),
            Successor::IfTotalSaysMore if is_empty => Ok(false),
            Successor::IfTotalSaysMore | Successor::Some if self.results.len() == before => Err(ErrorKind::NoProgress),
            Successor::IfTotalSaysMore | Successor::Some => Ok(false),
        }
    }

    /// The results so far, duplicates included.
    fn received(&self) -> u64 {
        u64::try_from(self.results.len()).unwrap_or(u64::MAX).saturating_add(self.duplicates)
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future::ready};

    use proptest::prelude::*;
    use serde_json::{Value, json};
    use tokio::time::Instant;

    use super::*;
    use crate::{
        error_response::ErrorResponse,
        model::{
            peering::{Peering, WirePeering},
            provider::Provider,
        },
    };

    fn parse(wire: WirePeering) -> Result<Peering, InvalidContent> {
        wire.into_peering(Provider::Aws)
    }

    fn parsed(page: &Value) -> Page<WirePeering> {
        serde_json::from_str(&page.to_string()).unwrap()
    }

    fn page(results: &[Value], has_next: bool) -> Page<WirePeering> {
        let links = if has_next { json!([{"rel": "self"}, {"rel": "next"}]) } else { json!([{"rel": "self"}]) };
        parsed(&json!({ "results": results, "links": links }))
    }

    fn read(pages: Vec<Page<WirePeering>>) -> Result<(Vec<Peering>, u64), ErrorKind> {
        let mut paginator = Paginator::new(2);
        for page in pages {
            paginator.page += 1;
            if paginator.add_page(page, parse)? {
                return Ok((paginator.results, paginator.duplicates));
            }
        }
        panic!("no page is the last");
    }

    fn peering(id: u32) -> Value {
        json!({ "id": format!("64c0ffee{id:016x}"), "vpcId": "vpc-1", "statusName": "AVAILABLE" })
    }

    #[test]
    fn a_page_without_new_results_that_is_not_the_last_is_an_error() {
        for pages in [vec![page(&[peering(1)], true), page(&[peering(1)], true)], vec![page(&[], true)]] {
            assert!(matches!(read(pages), Err(ErrorKind::NoProgress)));
        }
    }

    #[test]
    fn a_listing_with_too_many_results_is_an_error() {
        let mut paginator = Paginator::new(500);
        let thousand = |n: u32| page(&(0..1000).map(|m| peering(n * 1000 + m)).collect::<Vec<_>>(), true);
        let error = (0..20).map(|n| paginator.add_page(thousand(n), parse)).find_map(Result::err);
        assert!(matches!(error, Some(ErrorKind::TooManyResults(_))));
        assert!(paginator.results.len() <= MAX_RESULTS + 1000);
    }

    #[test]
    fn without_links_a_full_page_has_a_successor() {
        let without_links = |results: &[Value]| parsed(&json!({ "results": results }));
        let pages = vec![without_links(&[peering(1), peering(2)]), without_links(&[peering(3)])];
        assert_eq!(read(pages).unwrap().0.len(), 3);
    }

    /// Reads a listing of these pages, each with its results and `totalCount`, from a server without links that has
    /// empty pages after them. Returns the number of results and of duplicates, or `None` if reading fails, and the
    /// number of requests.
    async fn without_links(items_per_page: u16, pages: &[(&[u32], Option<u64>)]) -> (Option<(usize, u64)>, usize) {
        let requests = Cell::new(0);
        let fetch = |number: u32| {
            requests.set(requests.get() + 1);
            let (ids, total) = pages.get(number as usize - 1).copied().unwrap_or((&[], None));
            let results: Vec<_> = ids.iter().map(|id| peering(*id)).collect();
            ready(Ok(parsed(&json!({ "results": results, "totalCount": total, "links": [] }))))
        };
        let read = read_all(items_per_page, Duration::from_secs(60), 0, fetch, parse).await;
        (read.ok().map(|(results, duplicates)| (results.len(), duplicates)), requests.get())
    }

    #[tokio::test]
    async fn without_links_a_short_page_has_a_successor_only_if_the_total_says_more() {
        type Pages<'a> = &'a [(&'a [u32], Option<u64>)];
        type Read = Option<(usize, u64)>;
        let cases: [(Pages<'_>, Read, usize); 11] = [
            // No total, an exact one, one that is too low.
            (&[(&[1, 2, 3], None)], Some((3, 0)), 1),
            (&[(&[1, 2, 3], Some(3))], Some((3, 0)), 1),
            (&[(&[1, 2, 3], Some(0))], Some((3, 0)), 1),
            // The server limits its pages to three results; only the first page has a total.
            (&[(&[1, 2, 3], Some(7)), (&[4, 5, 6], None), (&[7], None)], Some((7, 0)), 3),
            (&[(&[1, 2, 3], Some(6)), (&[4, 5, 6], None)], Some((6, 0)), 2),
            // A total that is too high costs one more page.
            (&[(&[1, 2, 3], Some(4))], Some((3, 0)), 2),
            (&[(&[1, 2, 3], Some(u64::MAX)), (&[4], Some(u64::MAX))], Some((4, 0)), 3),
            (&[(&[], Some(5))], Some((0, 0)), 2),
            // A later total corrects an earlier one.
            (&[(&[1, 2, 3], Some(9)), (&[4], Some(4))], Some((4, 0)), 2),
            // A result that moved to the next page counts for the total.
            (&[(&[1, 2, 3], Some(5)), (&[3, 4], None)], Some((4, 1)), 2),
            // A server that ignores the number of the page.
            (&[(&[1, 2, 3], Some(9)), (&[1, 2, 3], Some(9)), (&[1, 2, 3], Some(9))], None, 2),
        ];
        for (pages, expected, requests) in cases {
            assert_eq!(without_links(10, pages).await, (expected, requests), "{pages:?}");
        }
    }

    #[tokio::test]
    async fn without_links_an_empty_page_after_a_full_one_ends_the_listing() {
        assert_eq!(without_links(3, &[(&[1, 2, 3], Some(4))]).await, (Some((3, 0)), 2));
        assert_eq!(without_links(3, &[(&[1, 2, 3], None)]).await, (Some((3, 0)), 2));
    }

    #[test]
    fn a_link_takes_precedence_over_the_total() {
        let mut last = json!({ "results": [peering(1)], "links": [{"rel": "self"}], "totalCount": 9 });
        assert_eq!(read(vec![parsed(&last)]).unwrap().0.len(), 1);
        last["links"][0]["rel"] = json!("next");
        last["totalCount"] = json!(1);
        let pages = vec![parsed(&last), page(&[peering(2)], false)];
        assert_eq!(read(pages).unwrap().0.len(), 2);
    }

    #[test]
    fn peerings_without_an_id_stay_separate() {
        let (peerings, _) = read(vec![page(&[json!({"vpcId": "a"}), json!({"vpcId": "a"})], false)]).unwrap();
        let ids: Vec<&str> = peerings.iter().map(|peering| peering.id.as_str()).collect();
        assert_eq!(ids, ["unidentified-1", "unidentified-2"]);
    }

    /// Reads one page that fails a few times with status 503 and `Retry-After`. Returns whether it succeeded, the
    /// number of attempts and the time taken.
    async fn retried(failures: u32, retry_after: u64) -> (bool, u32, Duration) {
        let (attempts, started) = (Cell::new(0), Instant::now());
        let fetch = |_| {
            attempts.set(attempts.get() + 1);
            let response = ErrorResponse::new(503, b"", Some(Duration::from_secs(retry_after)));
            let failed = attempts.get() <= failures;
            ready(if failed { Err(ErrorKind::ErrorResponse(response)) } else { Ok(page(&[], false)) })
        };
        let result = read_all(2, Duration::from_secs(60), 3, fetch, parse).await;
        (result.is_ok(), attempts.get(), started.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_is_retried_with_growing_delays_at_least_as_long_as_atlas_asks() {
        for (failures, retry_after, succeeds, attempts, shortest, longest) in [
            (3, 0, true, 4, 3500, 7010),
            (4, 0, false, 4, 3500, 7010),
            (1, 5, true, 2, 5000, 5010),
            (1, 6, false, 1, 0, 0),
        ] {
            let (succeeded, attempted, elapsed) = retried(failures, retry_after).await;
            assert_eq!((succeeded, attempted), (succeeds, attempts));
            assert!((shortest..=longest).contains(&elapsed.as_millis()), "{elapsed:?}");
        }
    }

    proptest! {
        #[test]
        fn any_split_into_pages_gives_the_same_listing(
            ids in prop::collection::vec(0u32..40, 1..60),
            cuts in prop::collection::vec(1usize..10, 60),
        ) {
            // A peering may appear twice, but a page of duplicates only is a loop.
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
        fn no_body_causes_a_panic(
            bytes: Vec<u8>,
            text in r#"[\[\]{}",:a-z0-9 ]{0,200}"#,
            field in prop::sample::select(vec!["id", "status", "statusName", "vpcId", "networkName", "errorState"]),
            value in prop_oneof![
                any::<String>().prop_map(Value::from), any::<i64>().prop_map(Value::from), Just(Value::Null),
                any::<bool>().prop_map(Value::from), Just(json!({})), Just(json!([null])),
            ],
        ) {
            let json = json!({ "results": [{ field: value }] }).to_string();
            for body in [bytes, text.into_bytes(), json.into_bytes()] {
                let Ok(page) = serde_json::from_slice::<Page<WirePeering>>(&body) else { continue };
                let mut paginator = Paginator::new(500);
                let _ = paginator.add_page(page, |wire: WirePeering| wire.into_peering(Provider::Gcp));
                for peering in &paginator.results {
                    let _ = (peering.created(), peering.error_code());
                }
            }
        }
    }
}
