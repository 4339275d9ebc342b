//! A drill: a peering of the demo fails, and a notification is sent. `make drill` runs it and shows the notification.

use std::time::Instant;

use serde_json::Value;

use crate::{process::wait_for, system::System};

/// The only peering of this project. Nothing else changes it; the README uses it too.
const PEERING: &str = "groups/5e57d85c854180642f784402/peers/payments-staging";

#[test]
fn a_failing_peering_of_the_demo_notifies_the_pager() {
    let system = System::demo();
    let change = r#"{"status": "FAILED", "error": "REJECTED"}"#;
    println!("\ncurl http://{}/simulator/{PEERING} -d '{change}'", system.atlas);
    let start = Instant::now();
    system.simulate(PEERING, change);
    let alert = wait_for("the notification", || {
        let received = system.receiver.received().into_iter();
        received.flat_map(|notification| notification.alerts).find(|alert| {
            alert["labels"]["alertname"] == "AtlasPeeringLost"
                && alert["labels"]["group_id"] == "5e57d85c854180642f784402"
        })
    });
    println!("\nThe pager, {} s later:\n", start.elapsed().as_secs());
    let shown =
        ["/status", "/labels/severity", "/labels/alertname", "/annotations/summary", "/annotations/description"];
    for pointer in shown.into_iter().chain(["/annotations/runbook_url"]) {
        println!("{}", alert.pointer(pointer).and_then(Value::as_str).unwrap());
    }
    println!();
    assert_eq!(alert["status"], "firing");
    assert_eq!(alert["labels"]["vpcId"], "vpc-0c1d7a5e9f3b28461");
}
