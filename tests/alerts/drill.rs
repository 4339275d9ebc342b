//! A drill: a peering of the demo breaks, and somebody is told. `make drill` runs it and shows what happens.

use std::time::Instant;

use serde_json::Value;

use crate::{process::wait_for, system::System};

/// The only peering of this group, which nothing else changes; the README breaks it too.
const PEERING: &str = "groups/5e57d85c854180642f784402/peers/payments-staging";

#[test]
fn a_peering_of_the_demo_breaks_and_the_pager_hears_of_it() {
    let system = System::demo();
    let change = r#"{"status": "FAILED", "error": "REJECTED"}"#;
    println!("\ncurl http://{}/simulator/{PEERING} -d '{change}'", system.atlas);
    let start = Instant::now();
    system.tell(PEERING, change);
    let page = wait_for("the page", || {
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
        println!("{}", page.pointer(pointer).and_then(Value::as_str).unwrap());
    }
    println!();
    assert_eq!(page["status"], "firing");
    assert_eq!(page["labels"]["vpcId"], "vpc-0c1d7a5e9f3b28461");
}
