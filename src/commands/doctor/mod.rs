//! Checks every account and group of a config against Atlas, and says what to do about what is wrong.

mod checks;
mod report;
mod trouble;

use std::sync::Arc;

use anyhow::Context;
use futures_util::future::join_all;

pub use self::report::Diagnosis;
use crate::config::{AccountConfig, Config, PollConfig};
use atlas::Client;

/// Asks Atlas everything once: for each account whether its credential is accepted and which groups it sees, for each
/// group how many peerings each provider has.
///
/// # Errors
/// No HTTP client can be made on this machine; whatever Atlas says is no error but part of the diagnosis.
pub async fn examine(config: &Config) -> anyhow::Result<Diagnosis> {
    let accounts: anyhow::Result<Vec<_>> = config.accounts.iter().map(|account| visit(account, &config.poll)).collect();
    Ok(Diagnosis::new(join_all(accounts?).await))
}

fn visit<'a>(
    account: &'a AccountConfig,
    poll: &'a PollConfig,
) -> anyhow::Result<impl Future<Output = report::Account> + 'a> {
    let heard = Arc::new(checks::Heard::default());
    let client = Client::new(account.settings(poll), {
        let heard = heard.clone();
        move |report| heard.listen(report)
    });
    let client = client.context("make the HTTP client; are CA certificates installed?")?;
    Ok(async move {
        let found = checks::examine(account, poll, &client, &heard).await;
        client.close().await;
        found
    })
}
