//! How groups change.

use std::time::Duration;

use super::*;
use crate::{
    scenario::{peering::Dialect, provider::ScenarioProvider},
    state::change::MAX_REPEAT,
};

const GROUP: &str = "5f3a556351db42631e16f301";
const NOW: SystemTime = SystemTime::UNIX_EPOCH;

fn with(peerings: Vec<ScenarioPeering>) -> Groups {
    let mut groups = Groups::default();
    let now = NOW + Duration::from_secs(0x6000_0000);
    groups.add(&ScenarioGroup::new(GROUP, "payments", peerings), MAX_REPEAT, now).unwrap();
    groups
}

fn named(name: &str) -> ScenarioPeering {
    ScenarioPeering { name: Some(name.to_owned()), ..ScenarioPeering::new(ScenarioProvider::Aws, "INITIATING") }
}

#[test]
fn a_peering_without_id_gets_one_that_says_its_age() {
    let peering = ScenarioPeering {
        age: Some(Duration::from_secs(0x10)),
        ..ScenarioPeering::new(ScenarioProvider::Aws, "AVAILABLE")
    };
    let groups = with(vec![peering.clone(), peering]);
    let ids: Vec<_> = groups.get(GROUP).unwrap().peerings.iter().map(|live| live.id.as_str()).collect();
    assert_eq!(ids, ["5ffffff00000000000000001", "5ffffff00000000000000002"]);
}

#[test]
fn a_change_of_status_forgets_the_old_error() {
    let mut groups = with(vec![named("p")]);
    for (status, error) in [("FAILED", Some("REJECTED")), ("AVAILABLE", None)] {
        let change =
            Change::Status { peering: "p".to_owned(), status: status.to_owned(), error: error.map(str::to_owned) };
        groups.change(GROUP, &change, NOW).unwrap();
        let peering = &groups.get(GROUP).unwrap().peerings[0].peering;
        assert_eq!((peering.status.as_str(), peering.error.as_deref()), (status, error));
    }
}

#[test]
fn adding_a_name_again_replaces_and_removing_takes_away() {
    let mut groups = with(vec![named("p")]);
    groups.change(GROUP, &Change::Add(named("p")), NOW).unwrap();
    assert_eq!(groups.get(GROUP).unwrap().peerings.len(), 1);
    let remove = Change::Remove { peering: "p".to_owned() };
    groups.change(GROUP, &remove, NOW).unwrap();
    assert!(groups.get(GROUP).unwrap().peerings.is_empty());
    let again = groups.change(GROUP, &remove, NOW).unwrap_err();
    assert_eq!(again.to_string(), format!("there is no peering `p` in group `{GROUP}`"));
}

#[test]
fn many_copies_cost_no_more_than_their_number() {
    let many = ScenarioPeering { repeat: Some(1000), name: Some("p{n}".to_owned()), ..named("") };
    let crowd = ScenarioPeering { repeat: Some(98_000), ..ScenarioPeering::new(ScenarioProvider::Gcp, "AVAILABLE") };
    let start = std::time::Instant::now();
    let mut groups = with(vec![crowd]);
    for _ in 0..10 {
        assert_eq!(groups.change(GROUP, &Change::Add(many.clone()), NOW).unwrap().len(), 1000);
    }
    assert_eq!(groups.get(GROUP).unwrap().peerings.len(), 99_000);
    // Pair by pair these are a thousand million comparisons.
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn a_change_adds_at_most_a_thousand_and_a_group_is_full_some_day() {
    let crowd =
        |repeat| ScenarioPeering { repeat: Some(repeat), ..ScenarioPeering::new(ScenarioProvider::Gcp, "AVAILABLE") };
    let mut groups = with(vec![crowd(99_500)]);
    for repeat in [0, 1001, u32::MAX] {
        let error = groups.change(GROUP, &Change::Add(crowd(repeat)), NOW).unwrap_err();
        assert_eq!(error, ChangeError::BadRepeat { repeat, most: 1000 });
    }
    let error = groups.change(GROUP, &Change::Add(crowd(501)), NOW).unwrap_err();
    assert_eq!(error, ChangeError::Full(GROUP.to_owned()));
    groups.change(GROUP, &Change::Add(crowd(500)), NOW).unwrap();
    assert_eq!(groups.get(GROUP).unwrap().peerings.len(), 100_000);
}

#[test]
fn an_addition_that_would_make_a_name_stand_for_two_changes_nothing() {
    let id = "5f3a556351db42631e16f303";
    let mut groups = with(vec![named("p"), ScenarioPeering { id: Some(id.to_owned()), ..named("q") }]);
    let copies = ScenarioPeering { repeat: Some(2), ..named("r") };
    let mixed = ScenarioPeering { id: Some(id.to_owned()), ..named("p") };
    for (peering, key) in [(copies, "r"), (mixed, "p")] {
        let error = groups.change(GROUP, &Change::Add(peering), NOW).unwrap_err();
        assert_eq!(error, ChangeError::Twice { group: GROUP.to_owned(), peering: key.to_owned() });
    }
    let names: Vec<_> = groups.get(GROUP).unwrap().peerings.iter().map(|live| live.peering.name.as_deref()).collect();
    assert_eq!(names, [Some("p"), Some("q")]);
}

#[test]
fn nothing_of_an_old_status_is_left_under_any_name() {
    let fields = |provider| {
        ScenarioPeering { name: Some("p".to_owned()), ..ScenarioPeering::new(provider, "FAILED") }
            .with("errorMessage", "old")
            .with(provider.status_fields().1, "old")
            .with(provider.status_fields().0, "FAILED")
    };
    for provider in ScenarioProvider::ALL {
        let mut groups = with(vec![fields(provider)]);
        let change = Change::Status { peering: "p".to_owned(), status: "AVAILABLE".to_owned(), error: None };
        groups.change(GROUP, &change, NOW).unwrap();
        let peering = &groups.get(GROUP).unwrap().peerings[0].peering;
        let dialect = Dialect { nulls: false, provider_name: false };
        let body = peering.body("i", dialect);
        assert_eq!(body, serde_json::json!({"id": "i", provider.status_fields().0: "AVAILABLE"}));
    }
}

#[test]
fn a_container_without_id_gets_one_and_no_id_is_there_twice() {
    let id = "5f3a8b6b0000000000000001".to_owned();
    let named = || ScenarioContainer { id: Some(id.clone()), ..ScenarioContainer::new(ScenarioProvider::Aws) };
    let group = |containers| ScenarioGroup { containers, ..ScenarioGroup::new(GROUP, "payments", Vec::new()) };
    let mut groups = Groups::default();
    let now = NOW + Duration::from_secs(0x6000_0000);
    groups.add(&group(vec![named(), ScenarioContainer::new(ScenarioProvider::Gcp)]), MAX_REPEAT, now).unwrap();
    let ids: Vec<_> = groups.get(GROUP).unwrap().containers.iter().map(|live| live.id.as_str()).collect();
    assert_eq!(ids, [&id, "5fd873000000000000000001"]);
    let error = groups.add(&group(vec![named(), named()]), MAX_REPEAT, now).unwrap_err();
    assert_eq!(error, ChangeError::ContainerTwice { group: GROUP.to_owned(), container: id });
    let odd = ScenarioContainer { id: Some("c1".to_owned()), ..ScenarioContainer::new(ScenarioProvider::Aws) };
    assert_eq!(groups.add(&group(vec![odd]), MAX_REPEAT, now), Err(ChangeError::BadId("c1".to_owned())));
    assert_eq!(groups.get(GROUP).unwrap().containers.len(), 2, "a mistake changes nothing");
}

#[test]
fn a_group_begins_with_at_most_so_many_peerings_and_in_a_real_organization() {
    let mut groups = Groups::default();
    let crowd = || ScenarioPeering { repeat: Some(3), ..ScenarioPeering::new(ScenarioProvider::Gcp, "AVAILABLE") };
    let group = ScenarioGroup::new(GROUP, "payments", vec![crowd(), crowd()]);
    let error = groups.add(&group, 5, NOW).unwrap_err();
    assert_eq!(error, ChangeError::TooMany { group: GROUP.to_owned(), most: 5 });
    groups.add(&group, 6, NOW).unwrap();
    let homeless = ScenarioGroup { org_id: Some("o".to_owned()), ..group };
    assert_eq!(groups.add(&homeless, 6, NOW), Err(ChangeError::BadId("o".to_owned())));
}

#[test]
fn there_is_an_end_to_groups() {
    let mut groups = Groups::default();
    let group = |number: usize| ScenarioGroup::new(&format!("{number:024x}"), "g", Vec::new());
    for number in 0..MAX_GROUPS {
        groups.groups.push(LiveGroup::new(&group(number), 1, NOW, &mut 0).unwrap());
    }
    assert_eq!(groups.add(&group(MAX_GROUPS), 1, NOW), Err(ChangeError::TooManyGroups));
    groups.add(&group(7), 1, NOW).unwrap();
}
