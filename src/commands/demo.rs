//! The exporter on top of the simulator, in one process and without any credential.

use std::{
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Context, anyhow};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::{config::Config, shard::Shard};
use atlas_simulator::{Scenario, Simulator};
use web_config::WebConfig;

/// Simulates Atlas and exports its peerings until `shutdown`.
///
/// # Errors
/// What keeps the exporter from its work.
pub async fn run(
    scenario: Scenario,
    atlas: TcpListener,
    listeners: Vec<TcpListener>,
    telemetry_path: &str,
    web: watch::Sender<Arc<WebConfig>>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let address = atlas.local_addr().context("find the simulator's address")?;
    let address = local(address);
    let config = config(&scenario, &address)?;
    let scheme = if web.borrow().has_tls() { "https" } else { "http" };
    for listener in &listeners {
        let address = local(listener.local_addr().context("find the exporter's address")?);
        let site = format!("{scheme}://{address}");
        info!("look at {site}/ and at {site}{telemetry_path}");
    }
    info!("break a peering: see http://{address}/simulator/");
    // It outlives the exporter, whose last request ends its access token.
    let end = CancellationToken::new();
    let simulator = tokio::spawn(Simulator::new(scenario).serve(atlas, end.clone().cancelled_owned()));
    crate::run(&config, Shard::WHOLE, listeners, telemetry_path, web, shutdown, None).await?;
    end.cancel();
    simulator.await.context("the simulator panicked")
}

/// Where to reach what listens on the address.
fn local(address: SocketAddr) -> String {
    if address.ip().is_unspecified() { format!("localhost:{}", address.port()) } else { address.to_string() }
}

/// The longest that Atlas lets the secret of a service account live.
fn in_a_year() -> String {
    let end = SystemTime::now() + Duration::from_secs(365 * 24 * 60 * 60);
    humantime::format_rfc3339_seconds(end).to_string().split('T').next().unwrap_or_default().to_owned()
}

/// A config for a service account that discovers every group, polled often enough to watch it change.
fn config(scenario: &Scenario, address: &str) -> anyhow::Result<Config> {
    let text = format!(
        "poll: {{interval: 5s}}
accounts:
  - name: demo
    base_url: http://{address}
    allow_http: true
    client_id_env: ID
    client_secret_env: SECRET
    credential_expires: {}
    discover: {{interval: 10s}}
",
        in_a_year()
    );
    let account = &scenario.service_account;
    let secret = |name: &str| match name {
        "ID" => Some(account.client_id.clone()),
        _ => Some(account.client_secret.clone()),
    };
    // The config is ours, so a fault in it is not the user's config's.
    Config::parse(&text, Path::new(""), &secret).map_err(|error| anyhow!("the scenario cannot be polled: {error}"))
}
