//! `once`: polls everything once and prints the metrics.

use std::{process::ExitCode, time::Instant};

use super::{print, read_config, shard};
use crate::{cli::Args, collector::once, metrics};

/// Prints the metrics; the exit status is 1 if a poll failed.
///
/// # Errors
/// A usage error, or no HTTP client can be created on this machine.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let config = read_config(args)?;
    let state = once(&config, shard(args)?).await?;
    let state = state.read();
    print(metrics::render(&state, Instant::now()))?;
    Ok(if state.all_succeeded() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
