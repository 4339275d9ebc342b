//! Parses the command line, runs the command and sets the exit status.

use std::process::ExitCode;

use anyhow::Context;
use mongodbatlas_peering_exporter::{
    cli::{Args, Command},
    commands::{UsageError, check_config, check_listen_addresses, demo, doctor, healthcheck, once, serve, simulate},
    core_dumps, logging,
};
use tokio::runtime::Runtime;
use tracing::{error, warn};

/// The exit status for a usage error, as in `sysexits.h`.
const EX_USAGE: u8 = 64;

fn main() -> ExitCode {
    let args = Args::of_command_line();
    let _log = logging::init(args.command(), args.log_level, args.log_format);
    if let Err(error) = core_dumps::disable() {
        warn!("core dumps cannot be disabled, and would contain the credentials: {error}");
    }
    match run(&args).map_err(anyhow::Error::downcast::<UsageError>) {
        Ok(code) => code,
        Err(Ok(usage)) => {
            usage.problems.iter().for_each(|problem| error!("{problem}"));
            ExitCode::from(EX_USAGE)
        }
        Err(Err(error)) => {
            error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let runtime = Runtime::new().context("start the runtime")?;
    let result = runtime.block_on(execute(args));
    // Do not wait for DNS lookups in progress: the system may need many seconds to give up.
    runtime.shutdown_background();
    result
}

async fn execute(args: &Args) -> anyhow::Result<ExitCode> {
    check_listen_addresses(args)?;
    match args.command() {
        Command::Serve => serve::run(args).await,
        Command::CheckConfig => check_config::run(args),
        Command::Once => once::run(args).await,
        Command::Doctor => doctor::run(args).await,
        Command::Simulate => simulate::run(args).await,
        Command::Demo => demo::run(args).await,
        Command::Healthcheck => healthcheck::run(args).await,
    }
}
