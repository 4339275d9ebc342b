//! The log on standard error: one line per event, as text or JSON.

use tracing::Level;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt::{self, writer::BoxMakeWriter},
    layer::SubscriberExt,
    registry,
    util::SubscriberInitExt,
};

use crate::cli::{Command, LogFormat, LogLevel};

/// Starts the log, until the returned guard is dropped. Libraries log from `warn` on. The requests to the simulator are
/// logged by `simulate` only, or at level `debug`.
///
/// Commands that serve log through a queue: if nobody reads standard error, lines are lost, but nothing blocks.
#[must_use]
pub fn init(command: Command, level: LogLevel, format: LogFormat) -> Option<WorkerGuard> {
    let level = match level {
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Info => Level::INFO,
        LogLevel::Warn => Level::WARN,
        LogLevel::Error => Level::ERROR,
    };
    let simulator = if command == Command::Simulate || level == Level::DEBUG { level } else { level.min(Level::WARN) };
    let filter = Targets::new()
        .with_target("mongodbatlas_peering_exporter", level)
        .with_target("web_config", level)
        .with_target("atlas_simulator", simulator)
        .with_default(LevelFilter::WARN);
    let (writer, guard) = match command {
        Command::Serve | Command::Simulate | Command::Demo => {
            let (writer, guard) = tracing_appender::non_blocking(std::io::stderr());
            (BoxMakeWriter::new(writer), Some(guard))
        }
        Command::CheckConfig | Command::Once | Command::Doctor | Command::Healthcheck => {
            (BoxMakeWriter::new(std::io::stderr), None)
        }
    };
    let layer = fmt::layer().with_writer(writer).with_target(false);
    match format {
        LogFormat::Text => registry().with(layer.with_ansi(false)).with(filter).init(),
        LogFormat::Json => registry().with(layer.json().flatten_event(true)).with(filter).init(),
    }
    guard
}
