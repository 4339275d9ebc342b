//! `demo`: the exporter on top of the simulator, in one process and without a credential.

use std::{
    net::SocketAddr,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use anyhow::Context;
use atlas::{ApiVersion, Authorities, Credential, CredentialKind, KeyPair, Secret};
use atlas_simulator::{Scenario, Simulator};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{listen, load_web_config, signals, simulate};
use crate::{
    cli::Args,
    config::{AccountConfig, Config, Discover, PollConfig},
    exporter,
    shard::Shard,
};

/// The longest that Atlas lets the secret of a service account live.
const SECRET_LIFETIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Short enough to watch the peerings change.
const DEMO_INTERVAL: Duration = Duration::from_secs(5);
const DISCOVERY_INTERVAL: Duration = Duration::from_secs(10);

/// Simulates Atlas and exports its peerings until a signal arrives.
///
/// # Errors
/// A usage error, an address that cannot be bound, or a failure of the exporter.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let shutdown = signals::listen(None)?;
    let scenario = simulate::scenario(args)?;
    let atlas = simulate::listen(args).await?;
    let web = load_web_config(args)?;
    let listeners = listen(args).await?;
    let atlas_address = reachable(atlas.local_addr()?);
    let config = config(&scenario, &atlas_address).context("poll the scenario")?;
    let scheme = if web.borrow().has_tls() { "https" } else { "http" };
    for listener in &listeners {
        let site = format!("{scheme}://{}", reachable(listener.local_addr()?));
        info!("open {site}/ and {site}{}", args.telemetry_path);
    }
    info!("break a peering: see http://{atlas_address}/simulator/");
    // The simulator stops last: on exit, the exporter revokes its access token.
    let end = CancellationToken::new();
    let simulator = tokio::spawn(Simulator::new(scenario).serve(atlas, end.clone().cancelled_owned()));
    exporter::run(&config, Shard::WHOLE, listeners, &args.telemetry_path, web, shutdown, None).await?;
    end.cancel();
    simulator.await.context("the simulator panicked")?;
    Ok(ExitCode::SUCCESS)
}

/// The address as a client on this machine writes it.
fn reachable(address: SocketAddr) -> String {
    if address.ip().is_unspecified() { format!("localhost:{}", address.port()) } else { address.to_string() }
}

/// One service account that discovers every group.
fn config(scenario: &Scenario, atlas_address: &str) -> anyhow::Result<Config> {
    let mut discover = Discover::default();
    discover.interval = DISCOVERY_INTERVAL;
    let account = AccountConfig {
        name: "demo".to_owned(),
        base_url: format!("http://{atlas_address}").parse()?,
        api_version: ApiVersion::V2,
        credential: Credential {
            kind: CredentialKind::ServiceAccount,
            pair: KeyPair {
                id: Secret::from_text(&scenario.service_account.client_id)?,
                secret: Secret::from_text(&scenario.service_account.client_secret)?,
            },
        },
        credential_expires: Some(SystemTime::now() + SECRET_LIFETIME),
        proxy: None,
        authorities: Authorities::default(),
        discover: Some(discover),
        groups: Vec::new(),
    };
    Ok(Config { poll: PollConfig::for_interval(DEMO_INTERVAL), accounts: vec![account], warnings: Vec::new() })
}
