//! `doctor`: checks every account and group of the config against Atlas, and says how to fix each problem.

mod checks;
mod report;

use std::process::ExitCode;

use futures_util::future::join_all;

use self::checks::AccountCheck;
pub use self::report::Diagnosis;
use super::{print, read_config};
use crate::{cli::Args, config::Config};

/// Prints the diagnosis; the exit status is 1 if there is a problem.
///
/// # Errors
/// A usage error, or no HTTP client can be created on this machine.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let diagnosis = diagnose(&read_config(args)?).await?;
    print(diagnosis.text())?;
    Ok(if diagnosis.problem_count() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Sends every request once: for each account the credential and the groups it sees, for each group the number of
/// peerings of each provider.
///
/// # Errors
/// No HTTP client can be created on this machine. A failed request is part of the diagnosis instead.
pub async fn diagnose(config: &Config) -> anyhow::Result<Diagnosis> {
    let accounts = config.accounts.iter();
    let checks: anyhow::Result<Vec<_>> = accounts.map(|account| AccountCheck::new(account, &config.poll)).collect();
    Ok(Diagnosis::new(join_all(checks?.into_iter().map(AccountCheck::run)).await))
}
