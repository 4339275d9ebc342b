//! `doctor`: checks every account and group of the config against Atlas, and says how to fix each problem.

mod checks;
mod report;

use std::{process::ExitCode, sync::Arc};

use anyhow::Context;
use atlas::Client;
use futures_util::future::join_all;

use super::{print, read_config};
use crate::{
    cli::Args,
    config::{AccountConfig, Config, PollConfig},
};
pub use report::Diagnosis;

/// Prints the diagnosis; the exit code is 1 if there is a problem.
///
/// # Errors
/// A usage error, or no HTTP client can be created on this machine.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let diagnosis = diagnose(&read_config(args)?).await?;
    print(diagnosis.text())?;
    Ok(if diagnosis.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Sends every request once: for each account the credential and the groups it sees, for each group the number of
/// peerings of each provider.
///
/// # Errors
/// No HTTP client can be created on this machine. What Atlas answers is part of the diagnosis.
pub async fn diagnose(config: &Config) -> anyhow::Result<Diagnosis> {
    let accounts: anyhow::Result<Vec<_>> =
        config.accounts.iter().map(|account| check_account(account, &config.poll)).collect();
    Ok(Diagnosis::new(join_all(accounts?).await))
}

fn check_account<'a>(
    account: &'a AccountConfig,
    poll: &'a PollConfig,
) -> anyhow::Result<impl Future<Output = report::AccountReport> + 'a> {
    let limits = Arc::new(checks::RateLimits::default());
    let observer = limits.clone();
    let client = Client::new(account.settings(poll), move |event| observer.observe(event));
    let client = client.context("create the HTTP client; are CA certificates installed?")?;
    Ok(async move {
        let report = checks::run(account, poll, &client, &limits).await;
        client.close().await;
        report
    })
}
