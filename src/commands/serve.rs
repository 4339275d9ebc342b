//! `serve`: polls Atlas and serves the metrics until a signal arrives.

use std::{path::Path, process::ExitCode, sync::Arc};

use tokio::sync::mpsc;
use yaml_reader::Shown;

use super::{listen, load_web_config, read_config, read_config_file, read_web_config, shard, signals};
use crate::{
    cli::Args,
    exporter,
    reload::{ReadConfigs, ReloadError, Reloads},
};

/// Runs the exporter.
///
/// # Errors
/// A usage error, an address that cannot be bound, or a failure of the exporter.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (config, shard) = (read_config(args)?, shard(args)?);
    let (reload_tx, reload_rx) = mpsc::channel(1);
    let shutdown = signals::listen(Some(reload_tx.clone()))?;
    let web = load_web_config(args)?;
    let listeners = listen(args).await?;
    let reload_tx = args.enable_lifecycle.then_some(reload_tx);
    let reloads = Reloads { reload_rx, reload_tx, read: reload_configs(args) };
    exporter::run(&config, shard, listeners, &args.telemetry_path, web, shutdown, Some(reloads)).await?;
    Ok(ExitCode::SUCCESS)
}

/// Reads both configs, so that a fault in either keeps both unchanged.
fn reload_configs(args: &Args) -> ReadConfigs {
    let (config, web) = (args.config_file.clone(), args.web_config_file().map(Path::to_owned));
    Box::new(move || {
        let config = read_config_file(&config).map_err(ReloadError::Config)?;
        let web = web.as_deref().map(|file| {
            read_web_config(file).map_err(|error| ReloadError::WebConfig(Shown::from(file).to_string(), error))
        });
        Ok((config, Arc::new(web.transpose()?.unwrap_or_default())))
    })
}
