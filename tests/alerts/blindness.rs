//! What cannot be known.

use serde_json::Value;

use crate::{
    process::wait_for,
    system::{SHOP, System},
};

/// Every notification, in the end: the ticket about failing polls is the last that could come, and is held back.
fn all(system: &System) -> Vec<String> {
    system.wait_for(r#"ALERTS{alertname="AtlasPeeringPollFailing", alertstate="firing"}"#);
    wait_for("the inhibition", || system.inhibited().contains(&"AtlasPeeringPollFailing".to_owned()).then_some(()));
    system.receiver.summaries()
}

#[test]
fn while_atlas_is_down_one_page_says_so_and_nothing_speaks_of_peerings() {
    let system = System::start(1);
    system.tell("faults", r#"{"effect": {"status": {"code": 503}}}"#);
    // It cannot be seen.
    system.tell(&format!("groups/{SHOP}/peers/shop"), r#"{"status": "FAILED", "error": "REJECTED"}"#);
    assert_eq!(all(&system), ["firing pager AtlasAccountBlind"]);
    let page = &system.receiver.received()[0].alerts[0];
    assert_eq!(page["labels"]["account"], "production");
    let description = page["annotations"]["description"].as_str().unwrap();
    assert!(
        description.contains("no fresh data of 100% of its targets; most often the reason is server."),
        "{description}"
    );
}

#[test]
fn a_group_that_loses_its_access_is_the_only_one_that_is_told_of() {
    let system = System::start(1);
    let refused =
        format!(r#"{{"effect": {{"status": {{"code": 401, "error_code": "NOT_IN_GROUP"}}}}, "group": "{SHOP}"}}"#);
    system.tell("faults", &refused);
    assert_eq!(all(&system), ["firing tickets AtlasPeeringDataStale"]);
    let alerts = &system.receiver.received()[0].alerts;
    let told: Vec<_> =
        alerts.iter().map(|alert| (&alert["labels"]["group_id"], &alert["labels"]["provider"])).collect();
    let shop = Value::from(SHOP);
    assert_eq!(told.iter().filter(|(group, _)| **group == shop).count(), told.len());
    assert_eq!(told.len(), 3, "{told:?}");
    let description = alerts[0]["annotations"]["description"].as_str().unwrap();
    assert!(description.contains("group shop (5e57d85c854180642f784401)"), "{description}");
    assert!(description.contains("the reason is forbidden"), "{description}");
}
