//! Atlas's side of the peerings.

use std::time::Duration;

use atlas_simulator::{
    Effect, Fault, ScenarioContainer, ScenarioGroup, ScenarioPeering, ScenarioProvider, SimulatedEndpoint,
};
use mongodbatlas_peering_exporter::config::PollConfig;
use tokio::time::sleep;

use crate::{
    page::Page,
    rig::{Atlas, GROUP, OTHER, Rig, quick},
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

/// The region and the addresses on Atlas's side.
fn side<'a>(page: &'a Page, vpc_id: &str) -> Option<(&'a str, &'a str)> {
    let infos = page.all("mongodbatlas_network_peering_info", &[("vpcId", vpc_id)]);
    let info = infos.first()?;
    Some((info.labels["atlas_region"].as_str(), info.labels["atlas_cidr_block"].as_str()))
}

#[tokio::test]
async fn the_region_and_the_addresses_of_atlas_come_from_one_request_for_a_group() {
    let rig = Rig::start(&scenario()).await;
    let known = Some(("EU_WEST_1", "192.168.248.0/21"));
    let page = rig.until("Atlas's side", |page| side(page, "vpc-mine") == known).await;
    assert_eq!(side(&page, "mine"), Some(("", "192.168.0.0/18")), "GCP's container is global");
    rig.after_polls("AWS", 4).await;
    assert_eq!(rig.atlas.count("containers", &["ok"]), 1, "and none for the group without peerings");
}

#[tokio::test]
async fn an_unknown_container_is_asked_for() {
    let rig = Rig::start(&scenario()).await;
    rig.until("Atlas's side", |page| side(page, "vpc-mine").is_some_and(|side| !side.0.is_empty())).await;
    let container = ScenarioContainer::new(ScenarioProvider::Azure)
        .with("region", "US_EAST_2")
        .with("atlasCidrBlock", "10.9.0.0/21");
    let container = ScenarioContainer { id: Some("64c0ffee0000000000000003".to_owned()), ..container };
    let peering = ScenarioPeering::new(ScenarioProvider::Azure, "AVAILABLE")
        .with("vnetName", "hub")
        .with("containerId", "64c0ffee0000000000000003");
    let group = ScenarioGroup { containers: vec![container], ..ScenarioGroup::new(GROUP, "one", vec![peering]) };
    rig.atlas.simulator.add_group(&group).unwrap();
    rig.until("the new container", |page| side(page, "hub") == Some(("US_EAST_2", "10.9.0.0/21"))).await;
    rig.after_polls("AZURE", 3).await;
    assert_eq!(rig.atlas.count("containers", &["ok"]), 2);
}

#[tokio::test]
async fn containers_that_cannot_be_had_harm_nothing() {
    for effect in [Effect::Never, Effect::Garbage, Effect::Close] {
        let atlas = Atlas::start(&scenario()).await;
        let fault = Fault { endpoint: Some(SimulatedEndpoint::Containers), ..Fault::new(effect) };
        atlas.simulator.fail(fault.clone());
        let rig = Rig::on(atlas, quick()).await;
        rig.until("the peerings", |page| side(page, "vpc-mine") == Some(("", ""))).await;
        let page = rig.after_polls("AWS", 5).await;
        assert!(page.all("mongodbatlas_peering_poll_success", &[]).iter().all(|poll| poll.value == 1.0), "{fault:?}");
        assert_eq!(page.count("mongodbatlas_peering_poll_failures_total"), 0);
        assert!(rig.atlas.count("containers", &["fault"]) <= 1, "not asked for with every poll");
    }
}

#[tokio::test]
async fn containers_are_not_asked_for_where_the_config_says_so() {
    let rig = Rig::with(&scenario(), PollConfig { containers: false, ..quick() }).await;
    rig.after_polls("AWS", 3).await;
    sleep(Duration::from_millis(300)).await;
    assert!(rig.atlas.simulator.requests().iter().all(|request| request.endpoint == "peers"));
}
