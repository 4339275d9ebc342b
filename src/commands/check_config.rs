//! `check-config`: validates the config and the web config.

use std::process::ExitCode;

use yaml_reader::Shown;

use super::{UsageError, print, read_config, read_web_config, shard};
use crate::{cli::Args, shard::ShardIndex};

/// Prints a summary of the config.
///
/// # Errors
/// A usage error with every fault.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let config = read_config(args)?;
    // The hostname of the machine that runs the check is not that of the pod.
    if args.shard_index != ShardIndex::HostName {
        shard(args)?;
    }
    let groups = config.accounts.iter().flat_map(|account| &account.groups);
    let listings: usize = groups.clone().map(|group| group.providers.len()).sum();
    let (accounts, groups) = (config.accounts.len(), groups.count());
    let discovering = config.accounts.iter().filter(|account| account.discover.is_some()).count();
    print(format_args!(
        "{} is valid: accounts: {accounts}, with discovery: {discovering}; projects in the config: {groups}, \
         listings: {listings}\n",
        Shown::from(&*args.config_file)
    ))?;
    for account in &config.accounts {
        let listings = account.groups.iter().map(|group| group.providers.len()).sum();
        if let Some(needed) = config.poll.missing_permits(listings) {
            print(format_args!(
                "warning: account {}: {listings} listings need about {needed} concurrent polls, and \
                 `poll.concurrency` is {}; raise it or `poll.interval`\n",
                account.name, config.poll.concurrency
            ))?;
        }
    }
    if let Some(file) = args.web_config_file() {
        read_web_config(file).map_err(|error| UsageError::in_file(file, &error))?;
        print(format_args!("{} is valid\n", Shown::from(file)))?;
    }
    Ok(ExitCode::SUCCESS)
}
