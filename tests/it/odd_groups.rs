//! Groups that reject a good credential for reasons of their own.

use atlas_simulator::{Credentials, Effect, Fault, SimulatedEndpoint, StatusFault};
use tokio::time::sleep;

use crate::setup::{Atlas, TestExporter, quick};

const MAIN: [(&str, &str); 1] = [("account", "main")];

const GROUPS: [&str; 5] = [
    "5e57d85c854180642f784401",
    "5e57d85c854180642f784402",
    "5e57d85c854180642f784403",
    "5e57d85c854180642f784404",
    "5e57d85c854180642f784405",
];

/// An exporter with an API key or a service account, and the groups that reject every credential with this code.
async fn exporter(has_key: bool, odd: &[&str], code: Option<&str>) -> TestExporter {
    let groups: Vec<String> = GROUPS.iter().map(|id| format!("{{id: {id}, name: g}}")).collect();
    let atlas = Atlas::start(&format!("groups: [{}]", groups.join(", "))).await;
    for group in odd {
        let code = code.map(str::to_owned);
        let effect = Effect::Status(StatusFault { code: 401, error_code: code, ..StatusFault::default() });
        let (endpoint, group) = (Some(SimulatedEndpoint::Peers), Some((*group).to_owned()));
        atlas.simulator.fail(Fault { endpoint, group, ..Fault::new(effect) });
    }
    let groups: Vec<String> = GROUPS.iter().map(|id| format!("{{id: {id}}}")).collect();
    let config = if has_key {
        atlas.config(quick())
    } else {
        atlas.service_account_with(&format!("groups: [{}]", groups.join(", ")), quick())
    };
    TestExporter::run(atlas, config).await
}

#[tokio::test]
async fn groups_that_reject_a_good_credential_affect_no_other_group() {
    let odd: [&[&str]; 4] = [&GROUPS[..1], &GROUPS[3..], &GROUPS[..2], &GROUPS[..4]];
    for (has_key, odd) in [true, false].into_iter().flat_map(|has_key| odd.map(|odd| (has_key, odd))) {
        let exporter = exporter(has_key, odd, None).await;
        exporter
            .until("polls of each listing", |metrics| {
                let polls = metrics.all("mongodbatlas_peering_polls_total", &[]);
                polls.len() == 15 && polls.iter().all(|polls| polls.value >= 4.0)
            })
            .await;
        let metrics = exporter.scrape().await;
        let failed = |group: &&str| {
            let failures = metrics.all("mongodbatlas_peering_poll_failures_total", &[("group_id", *group)]);
            failures.iter().map(|failure| failure.value).sum::<f64>()
        };
        assert!(odd.iter().all(|group| failed(group) >= 9.0), "{odd:?}: {metrics:?}");
        let unauthorized = [MAIN[0], ("reason", "unauthorized")];
        let unauthorized = metrics.value("mongodbatlas_account_poll_failures_total", &unauthorized).unwrap();
        assert!(unauthorized <= odd.iter().map(failed).sum(), "of another group: {odd:?}: {metrics:?}");
        assert_eq!(metrics.value("mongodbatlas_api_credential_refused", &MAIN), Some(0.0), "{odd:?}");
    }
}

#[tokio::test]
async fn a_key_that_is_really_rejected_is_noticed_among_such_groups() {
    let exporter = exporter(true, &GROUPS[..2], Some("SOMETHING_NEW")).await;
    exporter.after_polls("AWS", 3).await;
    let refused = "mongodbatlas_api_credential_refused";
    assert_eq!(exporter.scrape().await.value(refused, &MAIN), Some(0.0));
    let other = Credentials { public_key: "demo".to_owned(), private_key: "other".to_owned() };
    exporter.atlas.simulator.set_credentials(other);
    exporter.until("a rejection", |metrics| metrics.value(refused, &MAIN) == Some(1.0)).await;
    exporter.atlas.simulator.clear_requests();
    sleep(quick().interval * 10).await;
    let tried = exporter.atlas.count("peers", &["bad_credentials"]);
    assert!((5..=15).contains(&tried), "15 listings were due ten times: {tried} tries");
    let good = Credentials { public_key: "demo".to_owned(), private_key: "demo".to_owned() };
    exporter.atlas.simulator.set_credentials(good);
    exporter.until("an accepted key", |metrics| metrics.value(refused, &MAIN) == Some(0.0)).await;
}
