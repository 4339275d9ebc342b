//! Reading listings: pages, formats, API versions.

use std::time::Duration;

use atlas::{ApiVersion, Peering, Provider, Reason};
use atlas_simulator::{self, Effect, Fault, StatusFault};
use serde_json::json;

use crate::setup::{Atlas, GROUP, OTHER, RecordingClient, TestExporter, quick};

fn scenario(peerings: &str) -> String {
    format!("groups: [{{id: {GROUP}, name: g, peerings: [{peerings}]}}]")
}

const NINE: &str = "{provider: AWS, status: AVAILABLE, vpcId: 'vpc-{n}', repeat: 9},
    {provider: AZURE, status: AVAILABLE, vnetName: 'vnet-{n}', repeat: 8},
    {provider: GCP, status: AVAILABLE, networkName: 'net-{n}', repeat: 7}";

#[tokio::test]
async fn three_providers_are_read_page_by_page() {
    let atlas = Atlas::start(&scenario(NINE)).await;
    let mut settings = atlas.settings();
    settings.items_per_page = 3;
    let client = RecordingClient::new(settings);
    for (provider, count) in [(Provider::Aws, 9), (Provider::Azure, 8), (Provider::Gcp, 7)] {
        let listing = client.list(provider).await.unwrap();
        assert_eq!(listing.peerings.len(), count, "{provider}");
        atlas.take_requests();
        client.list(provider).await.unwrap();
        let requests = atlas.take_requests();
        assert_eq!(requests.iter().map(|request| request.page_num.unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(requests[0].query, format!("providerName={provider}&itemsPerPage=3&pageNum=1"));
        assert_eq!(requests[1].query, format!("providerName={provider}&itemsPerPage=3&pageNum=2&includeCount=false"));
    }
}

#[tokio::test]
async fn a_gateway_that_removes_links_and_shortens_pages_loses_no_peering() {
    let atlas = Atlas::start(&scenario("")).await;
    let body = |ids: &[u32], total: u32| {
        let results: Vec<_> = ids.iter().map(|id| json!({"id": format!("64c0ffee{id:016x}"), "vpcId": "v"})).collect();
        Effect::Body(json!({"results": results, "totalCount": total}).to_string())
    };
    for (last, total, count) in [(&[5][..], 5, 5), (&[], 4, 4), (&[], 9, 4)] {
        atlas.simulator.clear_faults();
        for (page, ids) in [(1, &[1, 2][..]), (2, &[3, 4]), (3, last)] {
            atlas.simulator.fail(Fault { page: Some(page), ..Fault::new(body(ids, total)) });
        }
        assert_eq!(atlas.client().list(Provider::Aws).await.unwrap().peerings.len(), count, "{total}");
    }
}

#[tokio::test]
async fn any_page_size_gives_the_same_listing() {
    let atlas = Atlas::start(&scenario(NINE)).await;
    let whole = atlas.client().list(Provider::Aws).await.unwrap();
    for items_per_page in [1, 2, 4, 5, 8, 9, 10, 499] {
        let mut settings = atlas.settings();
        settings.items_per_page = items_per_page;
        assert_eq!(RecordingClient::new(settings).list(Provider::Aws).await.unwrap(), whole, "{items_per_page} a page");
    }
}

#[tokio::test]
async fn both_api_versions_return_the_same_and_each_gets_its_own_request() {
    let atlas = Atlas::start(&scenario(NINE)).await;
    let v2 = atlas.client().list(Provider::Gcp).await.unwrap();
    let request = atlas.take_requests().pop().unwrap();
    assert_eq!(request.path, format!("/api/atlas/v2/groups/{GROUP}/peers"));
    assert_eq!(request.accept.as_deref(), Some("application/vnd.atlas.2023-01-01+json"));
    assert_eq!(request.accept_encoding.as_deref(), Some("gzip"));
    assert!(request.user_agent.unwrap().starts_with("mongodbatlas-peering-exporter/"));

    let mut settings = atlas.settings();
    settings.api_version = ApiVersion::V1;
    let v1 = RecordingClient::new(settings).list(Provider::Gcp).await.unwrap();
    assert_eq!(atlas.take_requests().pop().unwrap().path, format!("/api/atlas/v1.0/groups/{GROUP}/peers"));
    assert_eq!(v1, v2);
}

#[tokio::test]
async fn nulls_and_missing_fields_and_plain_bodies_are_the_same() {
    let expected = Atlas::start(&scenario(NINE)).await.client().list(Provider::Aws).await.unwrap().peerings;
    for settings in ["nulls: true", "gzip: false", "count_error: -9", "count_error: 500"] {
        let atlas = Atlas::start(&format!("{settings}\n{}", scenario(NINE))).await;
        let listing = atlas.client().list(Provider::Aws).await.unwrap();
        let names = |peerings: &[Peering]| peerings.iter().map(|peering| peering.vpc_id.clone()).collect::<Vec<_>>();
        assert_eq!(names(&listing.peerings), names(&expected), "{settings}");
    }
}

#[tokio::test]
async fn a_base_url_may_have_a_path_and_no_redirect_is_followed() {
    let atlas = Atlas::start(&scenario(NINE)).await;
    let mut settings = atlas.settings();
    settings.base_url = format!("http://{}/proxy/", atlas.address).parse().unwrap();
    let error = RecordingClient::new(settings).list(Provider::Aws).await.unwrap_err();
    assert_eq!(error.kind.reason(), Reason::UnexpectedStatus);
    assert_eq!(atlas.take_requests()[0].path, format!("/proxy/api/atlas/v2/groups/{GROUP}/peers"));

    atlas.simulator.fail(Fault::new(Effect::Status(StatusFault { code: 302, ..StatusFault::default() })));
    let error = atlas.client().list(Provider::Aws).await.unwrap_err();
    assert_eq!(error.kind.reason(), Reason::UnexpectedStatus);
}

#[tokio::test]
async fn unknown_statuses_and_fields_are_accepted_and_duplicates_count_once() {
    let atlas = Atlas::start(&scenario("")).await;
    let peering =
        json!({"id": "64c0ffee0000000000000001", "vpcId": "v", "statusName": "HIBERNATING", "novel": {"a": []}});
    let body = json!({"results": [peering, peering, {}], "links": [], "totalCount": null});
    atlas.simulator.fail(Fault::new(Effect::Body(body.to_string())));
    let listing = atlas.client().list(Provider::Aws).await.unwrap();
    assert_eq!((listing.peerings.len(), listing.duplicates), (2, 1));
    assert_eq!(listing.peerings[0].status, "HIBERNATING");
    assert_eq!(listing.peerings[1].status, "UNKNOWN");
}

#[tokio::test]
async fn repeated_network_names_do_not_merge_series() {
    let peerings = |vpc: &str| {
        format!(
            "{{provider: AWS, status: AVAILABLE, vpcId: {vpc}}},
             {{provider: AWS, status: FAILED, error: EXPIRED, vpcId: {vpc}}},
             {{provider: GCP, status: AVAILABLE, networkName: default, gcpProjectId: a}},
             {{provider: GCP, status: AVAILABLE, networkName: default, gcpProjectId: b}}"
        )
    };
    let exporter = TestExporter::start(&format!(
        "groups: [{{id: {GROUP}, name: one, peerings: [{}]}}, {{id: {OTHER}, name: two, peerings: [{}]}}]",
        peerings("vpc-1"),
        peerings("vpc-1")
    ))
    .await;
    let metrics =
        exporter.until("all eight peerings", |metrics| metrics.count("mongodbatlas_network_peering_status") == 8).await;
    let status = "mongodbatlas_network_peering_status";
    assert_eq!(
        metrics.labels(status, "vpcId"),
        ["default", "default", "default", "default", "vpc-1", "vpc-1", "vpc-1", "vpc-1"]
    );
    assert_eq!(metrics.count("mongodbatlas_network_peering_available"), 8);
    let failed = [("group_id", OTHER), ("provider", "AWS"), ("status", "FAILED")];
    assert_eq!(metrics.value("mongodbatlas_network_peerings", &failed), Some(1.0));
    assert_eq!(metrics.labels("mongodbatlas_group_info", "group_name"), ["one", "two"]);
}

#[tokio::test]
async fn a_failing_second_page_fails_the_whole_listing() {
    let atlas = Atlas::start(&scenario(NINE)).await;
    let mut poll = quick();
    poll.items_per_page = 5;
    let exporter = TestExporter::on(atlas, poll).await;
    let labels = [("group_id", GROUP), ("provider", "AWS")];
    exporter
        .until("nine peerings", |metrics| metrics.all("mongodbatlas_network_peering_status", &labels).len() == 9)
        .await;

    let fault = Fault { provider: Some(atlas_simulator::ScenarioProvider::Aws), page: Some(2), ..Fault::status(400) };
    exporter.atlas.simulator.fail(fault);
    exporter.atlas.simulator.set_status(GROUP, &first_id(&exporter), "FAILED", None).unwrap();
    let metrics = exporter
        .until("a failure", |metrics| metrics.value("mongodbatlas_peering_poll_success", &labels) == Some(0.0))
        .await;
    assert_eq!(metrics.all("mongodbatlas_network_peering_status", &labels).len(), 9);
    let available = metrics.all("mongodbatlas_network_peering_available", &labels);
    assert!(available.iter().all(|sample| sample.value == 1.0), "page 1 of the failed poll must not show");

    exporter.atlas.simulator.clear_faults();
    let failed = |sample: &&crate::exposition::Sample| sample.value == 0.0;
    exporter
        .until("the change of status", |metrics| {
            metrics.all("mongodbatlas_network_peering_available", &labels).iter().filter(|s| failed(s)).count() == 1
        })
        .await;
}

fn first_id(exporter: &TestExporter) -> String {
    exporter.atlas.simulator.groups()[0]["peerings"][0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn transient_failures_are_retried_and_others_are_not() {
    let atlas = Atlas::start(&scenario(NINE)).await;
    let client = atlas.client();
    client.list(Provider::Aws).await.unwrap();
    for fault in [
        Fault::status(500),
        Fault::new(Effect::Status(StatusFault { code: 503, html: true, ..StatusFault::default() })),
        Fault::new(Effect::Close),
        Fault::new(Effect::Cut),
    ] {
        atlas.take_requests();
        atlas.simulator.fail(Fault { times: Some(1), ..fault.clone() });
        client.list(Provider::Aws).await.unwrap_or_else(|error| panic!("{fault:?}: {error:?}"));
        let requests = atlas.take_outcomes();
        assert_eq!(requests.iter().filter(|outcome| **outcome == "ok").count(), 1, "{fault:?}: {requests:?}");
    }
    for code in [400, 403, 404, 410, 429] {
        atlas.take_requests();
        atlas.simulator.fail(Fault { times: Some(1), ..Fault::status(code) });
        client.list(Provider::Aws).await.unwrap_err();
        assert_eq!(atlas.take_outcomes(), ["fault"], "{code}");
    }
}

#[tokio::test]
async fn the_retry_after_of_a_503_is_respected() {
    let atlas = Atlas::start(&scenario(NINE)).await;
    let busy = StatusFault { code: 503, retry_after: Some(2), ..StatusFault::default() };
    atlas.simulator.fail(Fault { times: Some(1), ..Fault::new(Effect::Status(busy.clone())) });
    let started = std::time::Instant::now();
    atlas.client().list(Provider::Aws).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(2));

    let longer = StatusFault { retry_after: Some(3600), ..busy };
    atlas.simulator.fail(Fault::new(Effect::Status(longer)));
    let started = std::time::Instant::now();
    let error = atlas.client().list(Provider::Aws).await.unwrap_err();
    assert_eq!(error.kind.reason(), Reason::Server);
    assert!(started.elapsed() < Duration::from_secs(2), "no wait beyond the deadline");
}
