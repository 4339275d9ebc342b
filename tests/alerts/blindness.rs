//! Notifications while the state of peerings is unknown.

use serde_json::Value;

use crate::{
    process::wait_for,
    system::{SHOP, System},
};

/// All notifications. The warning about failing polls would be the last one, and is inhibited.
fn all_notifications(system: &System) -> Vec<String> {
    system.wait_for(r#"ALERTS{alertname="AtlasPeeringPollFailing", alertstate="firing"}"#);
    wait_for("the inhibition", || system.inhibited().contains(&"AtlasPeeringPollFailing".to_owned()).then_some(()));
    system.receiver.summaries()
}

#[test]
fn while_atlas_is_down_only_one_critical_notification_is_sent() {
    let system = System::start(1);
    system.simulate("faults", r#"{"effect": {"status": {"code": 503}}}"#);
    // The exporter cannot detect this failure.
    system.simulate(&format!("groups/{SHOP}/peers/shop"), r#"{"status": "FAILED", "error": "REJECTED"}"#);
    assert_eq!(all_notifications(&system), ["firing pager AtlasAccountBlind"]);
    let alert = &system.receiver.received()[0].alerts[0];
    assert_eq!(alert["labels"]["account"], "production");
    let description = alert["annotations"]["description"].as_str().unwrap();
    assert!(
        description.contains(
            "no fresh data for 100% of its listings (one per project and provider); the most common reason is server."
        ),
        "{description}"
    );
}

#[test]
fn only_the_listings_of_a_project_that_denies_access_are_notified() {
    let system = System::start(1);
    let refused =
        format!(r#"{{"effect": {{"status": {{"code": 401, "error_code": "NOT_IN_GROUP"}}}}, "group": "{SHOP}"}}"#);
    system.simulate("faults", &refused);
    assert_eq!(all_notifications(&system), ["firing tickets AtlasPeeringDataStale"]);
    let alerts = &system.receiver.received()[0].alerts;
    let listings: Vec<_> =
        alerts.iter().map(|alert| (&alert["labels"]["group_id"], &alert["labels"]["provider"])).collect();
    let shop = Value::from(SHOP);
    assert_eq!(listings.iter().filter(|(group, _)| **group == shop).count(), listings.len());
    assert_eq!(listings.len(), 3, "{listings:?}");
    let description = alerts[0]["annotations"]["description"].as_str().unwrap();
    assert!(description.contains("project shop (5e57d85c854180642f784401)"), "{description}");
    assert!(description.contains("the reason is forbidden"), "{description}");
}
