//! How the server is guarded: the file of `--web.config.file`, in the format of Prometheus's exporter-toolkit.
//!
//! ```text
//! tls, names, client  what rustls makes of `tls_server_config`
//! source, pem         certificates and keys: where from, and what is in them
//! renewal             they are read again when their files change
//! users, hash         `basic_auth_users`: who may ask
//! bucket, headers     `rate_limit`, and `headers` of `http_server_config`
//! guard               what a request must pass
//! loose               values as the toolkit reads them
//! ```

mod access;
mod basic_auth;
mod go_yaml;
mod hash;
mod headers;
mod rate_limit;
mod tls;

use std::{fs, path::Path, sync::Arc};

use rustls::ServerConfig;
use serde_yaml::Value;

pub use self::access::AccessControl;
use self::{basic_auth::Users, rate_limit::RateLimiter, tls::reload::CertReloader};
use yaml_reader::{ConfigError, ConfigFault, ConfigFaults, Section};

/// What a web config says. It may be replaced while the server runs; every connection and request asks for it anew.
#[derive(Default)]
pub struct WebConfig {
    tls: Option<CertReloader>,
    guard: AccessControl,
}

impl WebConfig {
    /// Reads a file. Paths in it are relative to its folder. What cannot be done but is no fault, comes along.
    ///
    /// # Errors
    /// All faults at once.
    pub fn read(path: &Path) -> Result<(Self, Vec<ConfigFault>), ConfigError> {
        let text = fs::read_to_string(path);
        let text = text.map_err(|error| ConfigError::whole(format!("cannot be read: {error}")))?;
        Self::parse(&text, path.parent().unwrap_or(Path::new("")))
    }

    /// Parses the text of a file, with its warnings.
    ///
    /// # Errors
    /// All faults at once.
    pub fn parse(text: &str, folder: &Path) -> Result<(Self, Vec<ConfigFault>), ConfigError> {
        let mut value: Value = serde_yaml::from_str(text).map_err(|error| ConfigError::whole(error.to_string()))?;
        value.apply_merge().map_err(|error| ConfigError::whole(error.to_string()))?;
        let (faults, warnings) = (ConfigFaults::default(), ConfigFaults::default());
        let mut top = Section::new(value, String::new(), &faults);
        let tls_section = top.section("tls_server_config");
        // The toolkit takes a section with nothing behind it for one whose keys have nothing behind them.
        let is_empty = top.is_null("http_server_config");
        let mut http = top.section("http_server_config");
        let http2 = go_yaml::flag(&mut http, "http2", !is_empty);
        let headers = headers::parse(&mut http);
        http.end();
        let tls = tls::parse(tls_section, folder, http2, &warnings);
        let users = Users::parse(&mut top, &warnings);
        let bucket = RateLimiter::parse(top.section("rate_limit"), &warnings);
        top.end();
        faults.none_or_error()?;
        Ok((Self { tls, guard: AccessControl { bucket, users, headers } }, warnings.into_inner()))
    }

    /// Whether connections are encrypted.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// What to shake hands with, if connections are encrypted. It reads files that changed, off the async threads.
    pub async fn tls(&self) -> Option<Arc<ServerConfig>> {
        match &self.tls {
            Some(tls) => Some(tls.server().await),
            None => None,
        }
    }

    /// What requests must pass.
    #[must_use]
    pub fn guard(&self) -> &AccessControl {
        &self.guard
    }
}

#[cfg(test)]
mod tests;
