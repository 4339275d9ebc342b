//! The exporter on top of the simulator, in one process and without any credential.

use std::{net::SocketAddr, path::Path};

use anyhow::{Context, anyhow};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::{
    config::Config,
    simulator::{Group, Scenario, Simulator},
};

/// Simulates Atlas and exports its peerings until `shutdown`.
///
/// # Errors
/// What keeps the exporter from its work.
pub async fn run(
    scenario: Scenario,
    atlas: TcpListener,
    listeners: Vec<TcpListener>,
    telemetry_path: &str,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let address = atlas.local_addr().context("find the simulator's address")?;
    let address = local(address);
    let config = config(&scenario, &address)?;
    for listener in &listeners {
        let address = local(listener.local_addr().context("find the exporter's address")?);
        info!("look at http://{address}{telemetry_path}");
    }
    info!("break a peering: see http://{address}/simulator/");
    let simulator = tokio::spawn(Simulator::new(scenario).serve(atlas, shutdown.clone().cancelled_owned()));
    crate::run(&config, listeners, telemetry_path, shutdown).await?;
    simulator.await.context("the simulator panicked")
}

/// Where to reach what listens on the address.
fn local(address: SocketAddr) -> String {
    if address.ip().is_unspecified() { format!("localhost:{}", address.port()) } else { address.to_string() }
}

/// A config for every group of the scenario, polled often enough to watch it change.
fn config(scenario: &Scenario, address: &str) -> anyhow::Result<Config> {
    let group = |group: &Group| match group.name.as_str() {
        "" => json!({"id": group.id}),
        name => json!({"id": group.id, "name": name}),
    };
    let groups: Vec<_> = scenario.groups.iter().map(group).collect();
    // JSON is YAML too, and quotes whatever a name may hold.
    let groups = json!(groups);
    let text = format!(
        "poll: {{interval: 5s}}
accounts:
  - name: demo
    base_url: http://{address}
    allow_http: true
    public_key_env: PUBLIC
    private_key_env: PRIVATE
    groups: {groups}
"
    );
    let key = |name: &str| match name {
        "PUBLIC" => Some(scenario.credentials.public_key.clone()),
        _ => Some(scenario.credentials.private_key.clone()),
    };
    // The config is ours, so a fault in it is not the user's config's.
    Config::parse(&text, Path::new(""), &key).map_err(|error| anyhow!("the scenario cannot be polled: {error}"))
}
