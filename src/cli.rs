//! Commands and flags, named as in other Prometheus exporters.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use clap::{Parser, Subcommand, ValueEnum, error::ContextValue};
use yaml_reader::Shown;

use crate::shard::ShardIndex;

/// Exports the state of MongoDB Atlas network peerings to Prometheus.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = false)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    /// Path of the config file.
    #[arg(long = "config.file", value_name = "FILE", default_value = "config.yaml", global = true)]
    pub config_file: PathBuf,

    /// Address to listen on; repeatable. `:10917` means every address of this machine.
    #[arg(long = "web.listen-address", value_name = "ADDRESS", default_value = ":10917", global = true)]
    pub listen_addresses: Vec<String>,

    /// Path of a web config file for TLS, basic auth and more, in the format of Prometheus exporters [default: none].
    #[arg(long = "web.config.file", value_name = "FILE", global = true)]
    web_config_file: Option<OsString>,

    /// Path under which to serve the metrics.
    #[arg(
        long = "web.telemetry-path", value_name = "PATH", default_value = "/metrics", global = true,
        value_parser = telemetry_path,
    )]
    pub telemetry_path: String,

    /// Listen on the sockets that systemd passes, instead of `--web.listen-address`.
    #[arg(long = "web.systemd-socket", global = true)]
    pub systemd_socket: bool,

    /// Allow `POST /-/reload`, which reloads the config like SIGHUP.
    #[arg(long = "web.enable-lifecycle", global = true)]
    pub enable_lifecycle: bool,

    /// Address of the simulated Atlas API, for `simulate` and `demo`.
    #[arg(long = "simulator.listen-address", value_name = "ADDRESS", default_value = "127.0.0.1:10918", global = true)]
    pub simulator_address: String,

    /// Path of a scenario for the simulated Atlas API, for `simulate` and `demo` [default: built in].
    #[arg(long = "simulator.scenario", value_name = "FILE", global = true)]
    pub scenario: Option<PathBuf>,

    /// Let `healthcheck` check whether the exporter is ready, not whether it is healthy.
    #[arg(long = "healthcheck.ready", global = true)]
    pub healthcheck_ready: bool,

    /// Index of this exporter among several, from 0; `hostname` takes the number at the end of the hostname.
    #[arg(long = "shard.index", value_name = "INDEX", default_value = "0", global = true)]
    pub shard_index: ShardIndex,

    /// Number of exporters that divide the projects among them.
    #[arg(long = "shard.count", value_name = "COUNT", default_value = "1", global = true)]
    pub shard_count: u32,

    /// Minimum log level.
    #[arg(long = "log.level", value_name = "LEVEL", default_value = "info", global = true)]
    pub log_level: LogLevel,

    /// Format of the log on standard error.
    #[arg(long = "log.format", value_name = "FORMAT", default_value = "text", global = true)]
    pub log_format: LogFormat,
}

impl Args {
    /// Parses the command line. Prints the help and exits if it is requested; prints a usage error and exits if there
    /// is one.
    #[must_use]
    pub fn of_command_line() -> Self {
        Self::try_parse().unwrap_or_else(|error| hide_secrets(error).exit())
    }

    /// The command; `serve` if none is given.
    #[must_use]
    pub fn command(&self) -> Command {
        self.command.unwrap_or(Command::Serve)
    }

    /// The web config file. As in other exporters, an empty path means none; units and charts rely on it.
    #[must_use]
    pub fn web_config_file(&self) -> Option<&Path> {
        self.web_config_file.as_deref().filter(|file| !file.is_empty()).map(Path::new)
    }
}

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Poll Atlas and serve the metrics (default).
    Serve,
    /// Check the config file; exit status 64 if it has errors.
    CheckConfig,
    /// Poll everything once and print the metrics; exit status 1 if a poll failed.
    Once,
    /// Check every account and project against Atlas and explain how to fix problems; exit status 1 if there are any.
    Doctor,
    /// Serve a simulated Atlas API, to test alerts.
    Simulate,
    /// Serve the metrics of a simulated Atlas; needs no credential.
    Demo,
    /// Check whether a running exporter is healthy; for containers without a shell.
    Healthcheck,
}

/// The minimum level of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Every request to Atlas.
    Debug,
    /// Changes.
    Info,
    /// Problems that may need attention.
    Warn,
    /// Problems that need attention.
    Error,
}

/// The format of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object per line.
    Json,
}

/// Removes arguments that may be secrets from the error.
fn hide_secrets(mut error: clap::Error) -> clap::Error {
    let texts = error.context().filter_map(|(kind, value)| match value {
        ContextValue::String(text) => Some((kind, Shown::from(&**text))),
        _ => None,
    });
    let hidden: Vec<_> =
        texts.filter(|(_, text)| text.may_be_secret()).map(|(kind, text)| (kind, text.to_string())).collect();
    for (kind, text) in hidden {
        error.insert(kind, ContextValue::String(text));
    }
    error
}

fn telemetry_path(path: &str) -> Result<String, String> {
    let is_plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte));
    if !path.starts_with('/') || path == "/" || path.starts_with("/-/") || path.starts_with("/api/") || !is_plain {
        return Err("a path such as `/metrics` of plain characters, other than `/`, `/-/…` and `/api/…`".to_owned());
    }
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        <Args as CommandFactory>::command().debug_assert();
    }

    #[test]
    fn flags_may_precede_or_follow_the_command() {
        for line in ["x --config.file=a.yaml once", "x once --config.file a.yaml"] {
            let args = Args::try_parse_from(line.split(' ')).unwrap();
            assert_eq!((args.command(), args.config_file), (Command::Once, "a.yaml".into()));
        }
    }

    #[test]
    fn an_empty_web_config_path_means_none() {
        for (line, file) in [("x", None), ("x --web.config.file=", None), ("x --web.config.file=a", Some("a"))] {
            let args = Args::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(args.web_config_file(), file.map(Path::new), "{line}");
        }
    }

    #[test]
    fn an_argument_that_may_be_a_secret_is_not_repeated() {
        for arguments in [
            &["--web.telemetry-path=KEY"][..],
            &["--log.level", "KEY"],
            &["--shard.index=KEY"],
            &["--shard.count", "KEY"],
            &["--config.file", "a", "KEY"],
            &["--KEY"],
            &["--KEY=a"],
            &["check-config", "KEY"],
            &["KEY"],
        ] {
            let with = |key: &str| {
                let arguments = arguments.iter().map(|argument| argument.replace("KEY", key));
                let error = Args::try_parse_from(["x".to_owned()].into_iter().chain(arguments)).unwrap_err();
                hide_secrets(error).to_string()
            };
            let shown = with("-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----");
            assert!(!shown.contains("hunter2") && !shown.contains("BEGIN"), "{shown}");
            assert!(with("plain").contains("plain"), "{arguments:?}");
        }
    }

    #[test]
    fn a_telemetry_path_cannot_hide_another_path() {
        assert!(["/metrics", "/atlas/metrics"].iter().all(|path| telemetry_path(path).is_ok()));
        for path in ["", "metrics", "/", "/-/ready", "/api/v1/targets", "/a b", "/\"><script>"] {
            assert!(telemetry_path(path).is_err(), "{path}");
        }
    }
}
