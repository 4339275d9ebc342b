//! `simulate`: serves a simulated Atlas API.

use std::{process::ExitCode, slice};

use anyhow::Context;
use atlas_simulator::{Scenario, Simulator};
use tokio::net::TcpListener;
use tracing::info;
use yaml_reader::{MAX_YAML_BYTES, Shown};

use super::{UsageError, bind, signals};
use crate::cli::Args;

/// Serves the scenario until a signal arrives.
///
/// # Errors
/// A usage error, or the address cannot be bound.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let shutdown = signals::listen(None)?;
    let scenario = scenario(args)?;
    let listener = listen(args).await?;
    info!("simulator listening on http://{}; its control API is at /simulator/", listener.local_addr()?);
    Simulator::new(scenario).serve(listener, shutdown.cancelled_owned()).await;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn scenario(args: &Args) -> Result<Scenario, UsageError> {
    let Some(file) = &args.scenario else { return Ok(Scenario::demo()) };
    let shown = Shown::from(&**file);
    let text = file_reader::read_text(file, MAX_YAML_BYTES).with_context(|| format!("read the scenario `{shown}`"));
    let text = text.map_err(UsageError::new)?;
    let scenario = Scenario::parse(&text).with_context(|| format!("parse the scenario `{shown}`"));
    scenario.map_err(UsageError::new)
}

pub(super) async fn listen(args: &Args) -> anyhow::Result<TcpListener> {
    bind(slice::from_ref(&args.simulator_address)).await?.pop().context("no listener")
}
