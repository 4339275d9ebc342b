//! How groups change.

use super::*;
use crate::{
    scenario::{container::ScenarioContainer, peering::Dialect, provider::ScenarioProvider},
    state::change::MAX_REPEAT,
};

const FIRST_GROUP: &str = "5f3a556351db42631e16f301";
const ID: &str = "5f3a556351db42631e16f303";

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(0x6000_0000)
}

fn with(peerings: Vec<ScenarioPeering>) -> Groups {
    let mut groups = Groups::default();
    groups.add(&ScenarioGroup::new(FIRST_GROUP, "payments", peerings), MAX_REPEAT, now()).unwrap();
    groups
}

fn named(name: &str) -> ScenarioPeering {
    ScenarioPeering { name: Some(name.to_owned()), ..ScenarioPeering::new(ScenarioProvider::Aws, "INITIATING") }
}

fn copies(repeat: u32) -> ScenarioPeering {
    ScenarioPeering { repeat: Some(repeat), ..ScenarioPeering::new(ScenarioProvider::Gcp, "AVAILABLE") }
}

fn peerings(groups: &Groups) -> &[ScenarioPeering] {
    &groups.get(FIRST_GROUP).unwrap().peerings
}

fn set_status(groups: &mut Groups, status: &str, error: Option<&str>) {
    let (status, error) = (status.to_owned(), error.map(str::to_owned));
    groups.change(FIRST_GROUP, &Change::Status { peering: "p".to_owned(), status, error }, now()).unwrap();
}

#[test]
fn a_peering_without_an_id_gets_one_with_its_time_of_creation() {
    let peering = ScenarioPeering { age: Some(Duration::from_secs(0x10)), ..copies(2) };
    let groups = with(vec![peering]);
    let ids: Vec<_> = peerings(&groups).iter().map(|peering| peering.id.as_deref().unwrap()).collect();
    assert_eq!(ids, ["5ffffff00000000000000001", "5ffffff00000000000000002"]);
    assert!(is_object_id(ids[0]));
    assert!(["5f3a556351db42631e16f33", "5f3a556351db42631e16f33z"].iter().all(|id| !is_object_id(id)));
}

#[test]
fn a_new_status_removes_the_old_status_and_error_under_any_name() {
    for provider in ScenarioProvider::ALL {
        let (status, error) = provider.status_fields();
        let peering = ScenarioPeering { provider, id: Some(ID.to_owned()), ..named("p") };
        let mut groups = with(vec![peering.with("errorMessage", "old").with(error, "old").with(status, "FAILED")]);
        let body = |groups: &Groups| peerings(groups)[0].body(Dialect { nulls: false, provider_name: false });
        set_status(&mut groups, "FAILED", Some("REJECTED"));
        assert_eq!(body(&groups), serde_json::json!({"id": ID, status: "FAILED", error: "REJECTED"}));
        set_status(&mut groups, "AVAILABLE", None);
        assert_eq!(body(&groups), serde_json::json!({"id": ID, status: "AVAILABLE"}));
    }
}

#[test]
fn a_peering_replaces_the_one_with_its_name_and_can_be_removed_once() {
    let mut groups = with(vec![named("p")]);
    groups.change(FIRST_GROUP, &Change::Add(named("p")), now()).unwrap();
    assert_eq!(peerings(&groups).len(), 1);
    let remove = Change::Remove { peering: "p".to_owned() };
    groups.change(FIRST_GROUP, &remove, now()).unwrap();
    assert!(peerings(&groups).is_empty());
    let error = groups.change(FIRST_GROUP, &remove, now()).unwrap_err();
    assert_eq!(error.to_string(), format!("there is no peering `p` in group `{FIRST_GROUP}`"));
}

#[test]
fn many_copies_take_linear_time() {
    let mut groups = with(vec![copies(98_000)]);
    let start = std::time::Instant::now();
    for _ in 0..10 {
        let many = ScenarioPeering { repeat: Some(1000), ..named("p{n}") };
        assert_eq!(groups.change(FIRST_GROUP, &Change::Add(many), now()).unwrap().len(), 1000);
    }
    assert_eq!(peerings(&groups).len(), 99_000);
    // Pairwise these are a billion comparisons.
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn a_change_and_a_group_have_a_maximum_of_peerings() {
    let mut groups = with(vec![copies(99_500)]);
    for (repeat, error) in [
        (0, ChangeError::BadRepeat { repeat: 0, most: 1000 }),
        (1001, ChangeError::BadRepeat { repeat: 1001, most: 1000 }),
        (u32::MAX, ChangeError::BadRepeat { repeat: u32::MAX, most: 1000 }),
        (501, ChangeError::Full(FIRST_GROUP.to_owned())),
    ] {
        assert_eq!(groups.change(FIRST_GROUP, &Change::Add(copies(repeat)), now()), Err(error));
    }
    groups.change(FIRST_GROUP, &Change::Add(copies(500)), now()).unwrap();
    assert_eq!(peerings(&groups).len(), 100_000);
    let group = ScenarioGroup::new(FIRST_GROUP, "payments", vec![copies(3), copies(3)]);
    let error = ChangeError::TooMany { group: FIRST_GROUP.to_owned(), most: 5 };
    assert_eq!(groups.add(&group, 5, now()), Err(error));
    groups.add(&group, 6, now()).unwrap();
}

#[test]
fn an_ambiguous_peering_changes_nothing() {
    let id = || Some(ID.to_owned());
    let mut groups = with(vec![named("p"), ScenarioPeering { id: id(), ..named("q") }]);
    let repeated = ScenarioPeering { repeat: Some(2), ..named("r") };
    for (peering, key) in [(repeated, "r"), (ScenarioPeering { id: id(), ..named("p") }, "p")] {
        let error = ChangeError::Twice { group: FIRST_GROUP.to_owned(), peering: key.to_owned() };
        assert_eq!(groups.change(FIRST_GROUP, &Change::Add(peering), now()), Err(error));
    }
    let names: Vec<_> = peerings(&groups).iter().map(|peering| peering.name.as_deref()).collect();
    assert_eq!(names, [Some("p"), Some("q")]);
}

#[test]
fn ids_of_containers_are_generated_valid_and_unique() {
    let container =
        |id: &str| ScenarioContainer { id: Some(id.to_owned()), ..ScenarioContainer::new(ScenarioProvider::Aws) };
    let group = |containers| ScenarioGroup { containers, ..ScenarioGroup::new(FIRST_GROUP, "payments", Vec::new()) };
    let mut groups = Groups::default();
    let generated = ScenarioContainer::new(ScenarioProvider::Gcp);
    groups.add(&group(vec![container(ID), generated]), MAX_REPEAT, now()).unwrap();
    let error = ChangeError::ContainerTwice { group: FIRST_GROUP.to_owned(), container: ID.to_owned() };
    assert_eq!(groups.add(&group(vec![container(ID), container(ID)]), MAX_REPEAT, now()), Err(error));
    assert_eq!(groups.add(&group(vec![container("c1")]), MAX_REPEAT, now()), Err(ChangeError::BadId("c1".to_owned())));
    let no_org = ScenarioGroup { org_id: Some("o".to_owned()), ..group(Vec::new()) };
    assert_eq!(groups.add(&no_org, MAX_REPEAT, now()), Err(ChangeError::BadId("o".to_owned())));
    let ids: Vec<_> =
        groups.get(FIRST_GROUP).unwrap().containers.iter().map(|container| container.id.as_deref().unwrap()).collect();
    assert_eq!(ids, [ID, "5fd873000000000000000001"], "an error changes nothing");
}

#[test]
fn there_is_a_maximum_of_groups() {
    let mut groups = Groups::default();
    let group = |number: usize| ScenarioGroup::new(&format!("{number:024x}"), "g", Vec::new());
    for number in 0..MAX_GROUPS {
        groups.groups.push(group(number));
    }
    assert_eq!(groups.add(&group(MAX_GROUPS), 1, now()), Err(ChangeError::TooManyGroups));
    groups.add(&group(7), 1, now()).unwrap();
}
