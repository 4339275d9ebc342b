//! Commands and flags, in the manner of Prometheus's exporters.

use std::{
    convert::Infallible,
    path::{Path, PathBuf},
};

use clap::{Parser, Subcommand, ValueEnum};

use crate::shard::ShardIndex;

/// Exports the state of MongoDB Atlas network peerings to Prometheus.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = false)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    /// The config file.
    #[arg(long = "config.file", value_name = "FILE", default_value = "config.yaml", global = true)]
    pub config_file: PathBuf,

    /// Address to serve on, repeatable; `:10917` is every address of this machine.
    #[arg(long = "web.listen-address", value_name = "ADDRESS", default_value = ":10917", global = true)]
    pub listen_addresses: Vec<String>,

    /// TLS, passwords and more, in the format of Prometheus's exporters [default: none].
    #[arg(long = "web.config.file", value_name = "FILE", global = true, value_parser = file_or_nothing)]
    web_config_file: Option<PathBuf>,

    /// Path of the metrics.
    #[arg(
        long = "web.telemetry-path", value_name = "PATH", default_value = "/metrics", global = true,
        value_parser = telemetry_path,
    )]
    pub telemetry_path: String,

    /// Serves on the sockets that systemd hands over, in place of the addresses to serve on.
    #[arg(long = "web.systemd-socket", global = true)]
    pub systemd_socket: bool,

    /// Allows `POST /-/reload`, which reads the config again as SIGHUP does.
    #[arg(long = "web.enable-lifecycle", global = true)]
    pub enable_lifecycle: bool,

    /// Address of the simulated Atlas API, for `simulate` and `demo`.
    #[arg(long = "simulator.listen-address", value_name = "ADDRESS", default_value = "127.0.0.1:10918", global = true)]
    pub simulator_address: String,

    /// Scenario of the simulated Atlas API, for `simulate` and `demo` [default: built in].
    #[arg(long = "simulator.scenario", value_name = "FILE", global = true)]
    pub scenario: Option<PathBuf>,

    /// Lets `healthcheck` ask whether the exporter is ready, rather than healthy.
    #[arg(long = "healthcheck.ready", global = true)]
    pub healthcheck_ready: bool,

    /// Which of several exporters this is, from 0; `hostname` takes the number at the end of the host's name.
    #[arg(long = "shard.index", value_name = "INDEX", default_value = "0", global = true)]
    pub shard_index: ShardIndex,

    /// How many exporters share the groups, each of which watches others.
    #[arg(long = "shard.count", value_name = "COUNT", default_value = "1", global = true)]
    pub shard_count: u32,

    /// The least serious lines to log.
    #[arg(long = "log.level", value_name = "LEVEL", default_value = "info", global = true)]
    pub log_level: LogLevel,

    /// The format of the log, which goes to standard error.
    #[arg(long = "log.format", value_name = "FORMAT", default_value = "text", global = true)]
    pub log_format: LogFormat,
}

impl Args {
    /// What to do.
    #[must_use]
    pub fn command(&self) -> Command {
        self.command.unwrap_or(Command::Serve)
    }

    /// The web config, if there is one.
    #[must_use]
    pub fn web_config_file(&self) -> Option<&Path> {
        self.web_config_file.as_deref().filter(|file| !file.as_os_str().is_empty())
    }
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Poll Atlas and serve the metrics; the default.
    Serve,
    /// Check the config file; exit status 64 if it has faults.
    CheckConfig,
    /// Poll everything once and print the metrics; exit status 1 if a poll failed.
    Once,
    /// Check every account and group against Atlas and say what to do; exit status 1 if something is wrong.
    Doctor,
    /// Serve a simulated Atlas API to drill alerts with.
    Simulate,
    /// Serve the metrics of a simulated Atlas, without any credential.
    Demo,
    /// Ask a running exporter whether it is healthy; for containers without a shell.
    Healthcheck,
}

/// How serious a line must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Every request to Atlas.
    Debug,
    /// What changes.
    Info,
    /// What may need someone.
    Warn,
    /// What needs someone.
    Error,
}

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// As with other exporters, an empty name is none; units and charts rely on it.
#[allow(clippy::unnecessary_wraps, reason = "the shape of a parser")]
fn file_or_nothing(file: &str) -> Result<PathBuf, Infallible> {
    Ok(file.into())
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
    fn the_flags_agree_with_each_other() {
        <Args as CommandFactory>::command().debug_assert();
    }

    #[test]
    fn flags_stand_before_or_after_the_command() {
        for line in ["x --config.file=a.yaml once", "x once --config.file a.yaml"] {
            let args = Args::try_parse_from(line.split(' ')).unwrap();
            assert_eq!((args.command(), args.config_file), (Command::Once, "a.yaml".into()));
        }
    }

    #[test]
    fn an_empty_web_config_is_none() {
        for (line, file) in [("x", None), ("x --web.config.file=", None), ("x --web.config.file=a", Some("a"))] {
            let args = Args::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(args.web_config_file(), file.map(Path::new), "{line}");
        }
    }

    #[test]
    fn listen_addresses_repeat() {
        let line = "x --web.listen-address=127.0.0.1:1 --web.listen-address=[::1]:2";
        let args = Args::try_parse_from(line.split(' ')).unwrap();
        assert_eq!(args.listen_addresses, ["127.0.0.1:1", "[::1]:2"]);
    }

    #[test]
    fn a_telemetry_path_hides_no_other_page() {
        for path in ["/metrics", "/atlas/metrics"] {
            assert!(telemetry_path(path).is_ok(), "{path}");
        }
        for path in ["", "metrics", "/", "/-/ready", "/api/v1/targets", "/a b", "/\"><script>"] {
            assert!(telemetry_path(path).is_err(), "{path}");
        }
    }
}
