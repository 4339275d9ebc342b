//! The log on standard error: one line per event, as text or JSON.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

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

/// Libraries that log warnings about what a client does, such as resetting a stream. Any client could flood the log.
const LIBRARIES_OF_CLIENTS: [&str; 4] = ["h2", "hyper", "rustls", "tokio_rustls"];

/// Starts the log, until the returned guard is dropped. Libraries log at level `warn` and above, or only at `error` if
/// clients can cause their warnings. Requests to the simulator are logged by `simulate` only, or at level `debug`.
///
/// Commands that serve log through a queue: if nobody reads standard error, lines are lost, but nothing blocks.
#[must_use]
pub fn init(command: Command, level: LogLevel, format: LogFormat) -> Option<WorkerGuard> {
    let filter = filter(command, level);
    let (writer, guard) = match command {
        Command::Serve | Command::Simulate | Command::Demo => {
            let (writer, guard) = tracing_appender::non_blocking(io::stderr());
            (BoxMakeWriter::new(move || EscapingWriter { inner: writer.clone(), format }), Some(guard))
        }
        Command::CheckConfig | Command::Once | Command::Doctor | Command::Healthcheck => {
            (BoxMakeWriter::new(move || EscapingWriter { inner: io::stderr(), format }), None)
        }
    };
    let layer = fmt::layer().with_writer(writer).with_target(false);
    match format {
        LogFormat::Text => registry().with(layer.with_ansi(false)).with(filter).init(),
        LogFormat::Json => registry().with(layer.json().flatten_event(true)).with(filter).init(),
    }
    guard
}

fn filter(command: Command, level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Info => Level::INFO,
        LogLevel::Warn => Level::WARN,
        LogLevel::Error => Level::ERROR,
    };
    let simulator = if command == Command::Simulate || level == Level::DEBUG { level } else { level.min(Level::WARN) };
    Targets::new()
        .with_target("mongodbatlas_peering_exporter", level)
        .with_target("web_config", level)
        .with_target("atlas_simulator", simulator)
        .with_targets(LIBRARIES_OF_CLIENTS.map(|library| (library, LevelFilter::ERROR)))
        .with_default(LevelFilter::WARN)
}

/// Writes one event per call, and escapes hidden characters in it.
struct EscapingWriter<W> {
    inner: W,
    format: LogFormat,
}

impl<W: Write> Write for EscapingWriter<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = match self.format {
            LogFormat::Text => escape_hidden(line),
            LogFormat::Json => escape(line, push_json_escape),
        };
        self.inner.write_all(format!("{line}\n").as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Escapes hidden characters as in Rust, such as `\u{202e}`, so that external text cannot look like other text.
#[must_use]
pub fn escape_hidden(text: &str) -> String {
    escape(text, |escaped, c| escaped.extend(c.escape_unicode()))
}

fn escape(text: &str, push_escape: impl Fn(&mut String, char)) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) { push_escape(&mut escaped, c) } else { escaped.push(c) }
    }
    escaped
}

fn push_json_escape(escaped: &mut String, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        // Writing to a string cannot fail.
        let _ = write!(escaped, "\\u{unit:04x}");
    }
}

/// Control characters, line separators, and the characters that Unicode calls default ignorable: those that control the
/// direction of text, join or separate letters, select variants, or have no width.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: LogFormat, event: &str) -> String {
        let mut written = Vec::new();
        EscapingWriter { inner: &mut written, format }.write_all(event.as_bytes()).unwrap();
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn hidden_characters_are_escaped_and_a_line_stays_one() {
        for (character, text, json) in [
            ('\n', r"\u{a}", r"\u000a"),
            ('\u{1b}', r"\u{1b}", r"\u001b"),
            ('\u{85}', r"\u{85}", r"\u0085"),
            ('\u{200b}', r"\u{200b}", r"\u200b"),
            ('\u{200d}', r"\u{200d}", r"\u200d"),
            ('\u{2028}', r"\u{2028}", r"\u2028"),
            ('\u{2029}', r"\u{2029}", r"\u2029"),
            ('\u{202e}', r"\u{202e}", r"\u202e"),
            ('\u{2066}', r"\u{2066}", r"\u2066"),
            ('\u{feff}', r"\u{feff}", r"\ufeff"),
            ('\u{e0041}', r"\u{e0041}", r"\udb40\udc41"),
        ] {
            assert_eq!(written(LogFormat::Text, &format!("a{character}b\n")), format!("a{text}b\n"));
            assert_eq!(
                written(LogFormat::Json, &format!("{{\"a{character}b\":1}}\n")),
                format!("{{\"a{json}b\":1}}\n")
            );
            let parsed: String = serde_json::from_str(&format!("\"{json}\"")).unwrap();
            assert_eq!(parsed, character.to_string());
        }
        let plain = "Shop, é & cö \u{1f468} e\u{301} 東京 \"x\" \\ 100 %\n";
        assert_eq!(written(LogFormat::Text, plain), plain);
        assert_eq!(written(LogFormat::Json, plain), plain);
    }

    #[test]
    fn clients_cannot_make_libraries_warn() {
        for level in [LogLevel::Debug, LogLevel::Info, LogLevel::Warn] {
            let filter = filter(Command::Serve, level);
            for library in ["h2::proto::streams::recv", "hyper::proto::h1::conn", "hyper_util::server", "rustls::conn"]
            {
                assert!(!filter.would_enable(library, &Level::WARN), "{library}");
                assert!(filter.would_enable(library, &Level::ERROR), "{library}");
            }
            for own in ["mongodbatlas_peering_exporter::http", "web_config::tls::reload", "tokio"] {
                assert!(filter.would_enable(own, &Level::WARN), "{own}");
            }
        }
    }
}
