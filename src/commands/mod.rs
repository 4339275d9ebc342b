//! The commands of the program, and what they share.

pub mod check_config;
pub mod demo;
pub mod doctor;
pub mod healthcheck;
pub mod once;
pub mod serve;
mod signals;
pub mod simulate;

use std::{
    fmt::Display,
    io::{self, Write},
    path::Path,
    sync::Arc,
};

use anyhow::{Context, anyhow};
use tokio::{net::TcpListener, sync::watch};
use tracing::{info, warn};
use web_config::WebConfig;
use yaml_reader::Shown;

use crate::{
    cli::Args,
    config::{Config, ConfigError, ConfigFault},
    http,
    shard::Shard,
    systemd,
};

/// A mistake in the config, a scenario or a flag. Starting the program again cannot fix it.
#[derive(Debug, thiserror::Error)]
#[error("{}", .problems.join("; "))]
pub struct UsageError {
    /// At least one, each a line for the log.
    pub problems: Vec<String>,
}

impl UsageError {
    /// A mistake in a flag or a scenario.
    fn new(error: impl Into<anyhow::Error>) -> Self {
        Self { problems: vec![format!("{:#}", error.into())] }
    }

    /// Every fault of a config file.
    fn in_file(file: &Path, error: &ConfigError) -> Self {
        Self { problems: error.faults.iter().map(|fault| format!("{}: {fault}", Shown::from(file))).collect() }
    }
}

fn read_config(args: &Args) -> Result<Config, UsageError> {
    read_config_file(&args.config_file).map_err(|error| UsageError::in_file(&args.config_file, &error))
}

/// Logs the warnings of a config and returns it.
fn read_config_file(file: &Path) -> Result<Config, ConfigError> {
    let config = Config::read(file)?;
    log_warnings(file, &config.warnings);
    Ok(config)
}

/// Logs the warnings of a web config and returns it.
fn read_web_config(file: &Path) -> Result<WebConfig, ConfigError> {
    let (web, warnings) = WebConfig::read(file)?;
    log_warnings(file, &warnings);
    Ok(web)
}

fn log_warnings(file: &Path, warnings: &[ConfigFault]) {
    for warning in warnings {
        warn!("{}: {warning}", Shown::from(file));
    }
}

/// The web config behind a channel, so that a reload can replace it; without a file, one without restrictions.
fn load_web_config(args: &Args) -> Result<watch::Sender<Arc<WebConfig>>, UsageError> {
    let Some(file) = args.web_config_file() else { return Ok(watch::Sender::default()) };
    let web = read_web_config(file).map_err(|error| UsageError::in_file(file, &error))?;
    info!("TLS is {}, as set in {}", if web.has_tls() { "on" } else { "off" }, Shown::from(file));
    Ok(watch::Sender::new(Arc::new(web)))
}

/// Checks `--web.listen-address` as `serve` does, so that every command rejects what `serve` rejects.
///
/// # Errors
/// An address is not valid.
pub fn check_listen_addresses(args: &Args) -> Result<(), UsageError> {
    if args.systemd_socket { Ok(()) } else { http::check_addresses(&args.listen_addresses).map_err(UsageError::new) }
}

fn shard(args: &Args) -> Result<Shard, UsageError> {
    let host_name = gethostname::gethostname();
    Shard::new(args.shard_index, args.shard_count, &host_name.to_string_lossy()).map_err(UsageError::new)
}

/// The sockets for `/metrics`: systemd's or our own.
async fn listen(args: &Args) -> anyhow::Result<Vec<TcpListener>> {
    let listeners = if args.systemd_socket {
        systemd::listeners().context("cannot use a socket passed by systemd")?
    } else {
        bind(&args.listen_addresses).await?
    };
    if listeners.is_empty() {
        let problem = "systemd passed no socket: is the exporter started by a socket unit?";
        return Err(UsageError::new(anyhow!(problem)).into());
    }
    for listener in &listeners {
        info!("listening on {}", listener.local_addr()?);
    }
    Ok(listeners)
}

async fn bind(addresses: &[String]) -> anyhow::Result<Vec<TcpListener>> {
    http::bind(addresses).await.map_err(|error| {
        if error.is_invalid_address() { UsageError::new(error).into() } else { anyhow::Error::new(error) }
    })
}

fn print(text: impl Display) -> anyhow::Result<()> {
    match write!(io::stdout(), "{text}") {
        // The reader closed the pipe, as in `once | head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("write to standard output"),
    }
}
