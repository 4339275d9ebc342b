//! A peering that is lost.

use serde_json::json;

use crate::{
    process::wait_for,
    system::{SHOP, System},
};

#[test]
fn a_peering_that_fails_is_one_page_of_both_replicas_and_its_recovery_resolves_it() {
    let system = System::start(2);
    system.tell(&format!("groups/{SHOP}/peers/shop"), r#"{"status": "FAILED", "error": "REJECTED"}"#);
    let page = wait_for("the page", || system.receiver.received().first().cloned());
    assert_eq!((page.summary.as_str(), page.alerts.len()), ("firing pager AtlasPeeringLost", 1));
    let labels = json!({
        "alertname": "AtlasPeeringLost", "severity": "critical", "group_id": SHOP, "provider": "AWS",
        "vpcId": "vpc-0a1b2c3d4e5f60718", "peering_id": "64c0ffee00000000000000a1",
    });
    assert_eq!(page.alerts[0]["labels"], labels);
    let annotations = &page.alerts[0]["annotations"];
    assert_eq!(annotations["summary"], "AWS peering of vpc-0a1b2c3d4e5f60718 is lost");
    let description = annotations["description"].as_str().unwrap();
    let begin = "Peering 64c0ffee00000000000000a1 of vpc-0a1b2c3d4e5f60718 (AWS) in group shop (5e57d85c854180642f784401) \
                 was AVAILABLE and is FAILED; Atlas's reason is REJECTED. ";
    assert!(description.starts_with(begin), "{description}");
    assert!(annotations["runbook_url"].as_str().unwrap().ends_with("/docs/runbooks/AtlasPeeringLost.md"));
    // The ticket about its status is held back.
    system.wait_for(r#"ALERTS{alertname="AtlasPeeringFailed", alertstate="firing"}"#);
    wait_for("the inhibition", || (system.inhibited() == ["AtlasPeeringFailed"]).then_some(()));

    system.tell(&format!("groups/{SHOP}/peers/shop"), r#"{"status": "AVAILABLE"}"#);
    let end = wait_for("the end", || system.receiver.received().get(1).cloned());
    assert_eq!(end.alerts[0]["labels"], labels);
    assert_eq!(system.receiver.summaries(), ["firing pager AtlasPeeringLost", "resolved pager AtlasPeeringLost"]);
}

#[test]
fn an_exporter_that_ends_is_the_page_and_does_not_resolve_what_is_lost() {
    let mut system = System::start(1);
    system.tell(&format!("groups/{SHOP}/peers/shop"), r#"{"status": "FAILED"}"#);
    wait_for("the page", || system.receiver.received().first().cloned());
    system.end_exporters();
    // What is kept firing ends in Prometheus, and Alertmanager would tell within its `group_interval`, five seconds.
    system.wait_for(r#"absent_over_time(ALERTS{alertname="AtlasPeeringLost"}[7s])"#);
    let expected = ["firing pager AtlasPeeringLost", "firing pager AtlasPeeringExporterDown"];
    assert_eq!(system.receiver.summaries(), expected);
    assert_eq!(system.inhibited(), ["AtlasPeeringDataStale"]);
}
