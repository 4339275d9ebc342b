//! Notifications of lost peerings.

use serde_json::json;

use crate::{
    process::wait_for,
    system::{SHOP, System},
};

#[test]
fn a_failing_peering_causes_one_notification_for_both_replicas_and_recovery_resolves_it() {
    let system = System::start(2);
    system.simulate(&format!("groups/{SHOP}/peers/shop"), r#"{"status": "FAILED", "error": "REJECTED"}"#);
    let notification = wait_for("the notification", || system.receiver.received().first().cloned());
    assert_eq!((notification.summary.as_str(), notification.alerts.len()), ("firing pager AtlasPeeringLost", 1));
    let labels = json!({
        "alertname": "AtlasPeeringLost", "severity": "critical", "group_id": SHOP, "provider": "AWS",
        "vpcId": "vpc-0a1b2c3d4e5f60718", "peering_id": "64c0ffee00000000000000a1",
    });
    assert_eq!(notification.alerts[0]["labels"], labels);
    let annotations = &notification.alerts[0]["annotations"];
    assert_eq!(annotations["summary"], "AWS peering with vpc-0a1b2c3d4e5f60718 is lost");
    let description = annotations["description"].as_str().unwrap();
    let start = "Peering 64c0ffee00000000000000a1 with vpc-0a1b2c3d4e5f60718 (AWS) in project shop (5e57d85c854180642f784401) \
                 was AVAILABLE and is now FAILED; Atlas reports the error REJECTED. ";
    assert!(description.starts_with(start), "{description}");
    assert!(annotations["runbook_url"].as_str().unwrap().ends_with("/docs/runbooks/AtlasPeeringLost.md"));
    // The warning about its status is inhibited.
    system.wait_for(r#"ALERTS{alertname="AtlasPeeringFailed", alertstate="firing"}"#);
    wait_for("the inhibition", || (system.inhibited() == ["AtlasPeeringFailed"]).then_some(()));

    system.simulate(&format!("groups/{SHOP}/peers/shop"), r#"{"status": "AVAILABLE"}"#);
    let resolved = wait_for("the resolved notification", || system.receiver.received().get(1).cloned());
    assert_eq!(resolved.alerts[0]["labels"], labels);
    assert_eq!(system.receiver.summaries(), ["firing pager AtlasPeeringLost", "resolved pager AtlasPeeringLost"]);
}

#[test]
fn stopping_the_exporter_notifies_and_does_not_resolve_lost_peerings() {
    let mut system = System::start(1);
    system.simulate(&format!("groups/{SHOP}/peers/shop"), r#"{"status": "FAILED"}"#);
    wait_for("the notification", || system.receiver.received().first().cloned());
    system.kill_exporters();
    // After `keep_firing_for`, Alertmanager would send the resolved notification within `group_interval`, five seconds.
    system.wait_for(r#"absent_over_time(ALERTS{alertname="AtlasPeeringLost"}[7s])"#);
    let expected = ["firing pager AtlasPeeringLost", "firing pager AtlasPeeringExporterDown"];
    assert_eq!(system.receiver.summaries(), expected);
    assert_eq!(system.inhibited(), ["AtlasPeeringDataStale"]);
}
