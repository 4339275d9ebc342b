//! Containers: Atlas's side of the peerings.

use std::time::Duration;

use atlas_simulator::{
    Effect, Fault, ScenarioContainer, ScenarioGroup, ScenarioPeering, ScenarioProvider, SimulatedEndpoint,
};
use mongodbatlas_peering_exporter::config::PollConfig;
use tokio::time::sleep;

use crate::{
    exposition::Exposition,
    setup::{Atlas, GROUP, OTHER, TestExporter, quick},
};

const A: &str = "64c0ffee0000000000000001";
const B: &str = "64c0ffee0000000000000002";

fn scenario() -> String {
    format!(
        "groups:
  - id: {GROUP}
    name: one
    containers: [{{provider: AWS, id: {A}, regionName: EU_WEST_1, atlasCidrBlock: 192.168.248.0/21, vpcId: vpc-atlas}},
      {{provider: GCP, id: {B}, atlasCidrBlock: 192.168.0.0/18, networkName: nt-atlas}}]
    peerings: [{{provider: AWS, status: AVAILABLE, vpcId: vpc-mine, containerId: {A}}},
      {{provider: GCP, status: AVAILABLE, networkName: mine, containerId: {B}}}]
  - {{id: {OTHER}, name: without peerings}}"
    )
}

/// The region and the CIDR block on Atlas's side.
fn side<'a>(metrics: &'a Exposition, vpc_id: &str) -> Option<(&'a str, &'a str)> {
    let infos = metrics.all("mongodbatlas_network_peering_info", &[("vpcId", vpc_id)]);
    let info = infos.first()?;
    Some((info.labels["atlas_region"].as_str(), info.labels["atlas_cidr_block"].as_str()))
}

#[tokio::test]
async fn one_request_per_group_returns_the_region_and_cidr_block_of_its_containers() {
    let exporter = TestExporter::start(&scenario()).await;
    let known = Some(("EU_WEST_1", "192.168.248.0/21"));
    let metrics = exporter.until("Atlas's side", |metrics| side(metrics, "vpc-mine") == known).await;
    assert_eq!(side(&metrics, "mine"), Some(("", "192.168.0.0/18")), "GCP's container is global");
    exporter.after_polls("AWS", 4).await;
    assert_eq!(exporter.atlas.count("containers", &["ok"]), 1, "and none for the group without peerings");
}

#[tokio::test]
async fn an_unknown_container_is_requested() {
    let exporter = TestExporter::start(&scenario()).await;
    exporter.until("Atlas's side", |metrics| side(metrics, "vpc-mine").is_some_and(|side| !side.0.is_empty())).await;
    let container = ScenarioContainer::new(ScenarioProvider::Azure)
        .with("region", "US_EAST_2")
        .with("atlasCidrBlock", "10.9.0.0/21");
    let container = ScenarioContainer { id: Some("64c0ffee0000000000000003".to_owned()), ..container };
    let peering = ScenarioPeering::new(ScenarioProvider::Azure, "AVAILABLE")
        .with("vnetName", "hub")
        .with("containerId", "64c0ffee0000000000000003");
    let group = ScenarioGroup { containers: vec![container], ..ScenarioGroup::new(GROUP, "one", vec![peering]) };
    exporter.atlas.simulator.add_group(&group).unwrap();
    exporter.until("the new container", |metrics| side(metrics, "hub") == Some(("US_EAST_2", "10.9.0.0/21"))).await;
    exporter.after_polls("AZURE", 3).await;
    assert_eq!(exporter.atlas.count("containers", &["ok"]), 2);
}

#[tokio::test]
async fn failed_container_requests_do_not_affect_polls() {
    for effect in [Effect::Never, Effect::Garbage, Effect::Close] {
        let atlas = Atlas::start(&scenario()).await;
        let fault = Fault { endpoint: Some(SimulatedEndpoint::Containers), ..Fault::new(effect) };
        atlas.simulator.fail(fault.clone());
        let exporter = TestExporter::on(atlas, quick()).await;
        exporter.until("the peerings", |metrics| side(metrics, "vpc-mine") == Some(("", ""))).await;
        let metrics = exporter.after_polls("AWS", 5).await;
        assert!(
            metrics.all("mongodbatlas_peering_poll_success", &[]).iter().all(|poll| poll.value == 1.0),
            "{fault:?}"
        );
        assert_eq!(metrics.sum("mongodbatlas_peering_poll_failures_total"), 0.0);
        assert!(exporter.atlas.count("containers", &["fault"]) <= 1, "not requested with every poll");
    }
}

#[tokio::test]
async fn containers_are_not_requested_if_the_config_disables_them() {
    let exporter = TestExporter::start_with(&scenario(), PollConfig { containers: false, ..quick() }).await;
    exporter.after_polls("AWS", 3).await;
    sleep(Duration::from_millis(300)).await;
    assert!(exporter.atlas.simulator.requests().iter().all(|request| request.endpoint == "peers"));
}
