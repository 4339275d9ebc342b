#![doc = include_str!("../README.md")]

mod access;
mod basic_auth;
mod comparison_queue;
mod go_yaml;
mod hash;
mod headers;
mod rate_limit;
mod tls;

use std::{path::Path, sync::Arc};

use file_reader::{READABLE_BY_OTHERS, is_readable_by_others};
use rustls::ServerConfig;
use serde_yaml::Value;

pub use self::{access::AccessControl, comparison_queue::client_network};
use self::{basic_auth::Users, rate_limit::RateLimiter, tls::reload::CertReloader};
pub use yaml_reader::{ConfigError, ConfigFault};
use yaml_reader::{ConfigFaults, MAX_YAML_BYTES, Presence, Section};

/// A web config without faults. The default is that of an empty file: no TLS, no users, no headers, no rate limit.
#[derive(Default)]
pub struct WebConfig {
    tls: Option<CertReloader>,
    access: AccessControl,
}

impl WebConfig {
    /// Reads a file; paths in it are relative to its directory. Blocks for at most 5 s for each file. Also returns
    /// warnings about settings without effect, with an effect that their author may not expect, or that expose a
    /// secret.
    ///
    /// # Errors
    /// All faults at once, those of the certificates included.
    pub fn read(path: &Path) -> Result<(Self, Vec<ConfigFault>), ConfigError> {
        let text = file_reader::read_text(path, MAX_YAML_BYTES);
        let text = text.map_err(|error| ConfigError::whole(format!("cannot be read: {error}")))?;
        let (web, mut warnings) = Self::parse(&text, path.parent().unwrap_or(Path::new("")))?;
        let has_secret = web.access.users.is_some() || web.tls.as_ref().is_some_and(CertReloader::has_inline_key);
        if has_secret && is_readable_by_others(path) {
            let message = format!("contains password hashes or a private key and {READABLE_BY_OTHERS}");
            warnings.push(ConfigFault { path: String::new(), message });
        }
        Ok((web, warnings))
    }

    /// Parses the text of a file, as [`read`](Self::read) does; paths in it are relative to `folder`.
    ///
    /// # Errors
    /// All faults at once, those of the certificates included.
    pub fn parse(text: &str, folder: &Path) -> Result<(Self, Vec<ConfigFault>), ConfigError> {
        let parsed: Result<Value, _> = yaml_reader::from_str(text);
        let mut value = parsed.map_err(|error| ConfigError::whole(error.to_string()))?;
        value.apply_merge().map_err(|error| ConfigError::whole(error.to_string()))?;
        let faults = ConfigFaults::default();
        let mut top = Section::new(&value, String::new(), &faults);
        let tls_section = top.section("tls_server_config");
        // To the toolkit, the keys of an empty section are empty too.
        let http2_default = top.presence("http_server_config") != Presence::Empty;
        let mut http = top.section("http_server_config");
        let http2 = go_yaml::boolean(&mut http, "http2", http2_default);
        let headers = headers::parse(&mut http);
        http.finish();
        let tls = tls::parse(tls_section, folder, http2);
        let users = Users::parse(&mut top);
        let rate_limiter = RateLimiter::parse(top.section("rate_limit"));
        top.finish();
        let warnings = faults.into_result()?;
        Ok((Self { tls, access: AccessControl { rate_limiter, users, headers } }, warnings))
    }

    /// Whether connections are encrypted.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The TLS settings for a new connection, if connections are encrypted. Checks the files for changes at most once
    /// a second, off the async threads, and waits for at most a quarter of a second.
    pub async fn server_config(&self) -> Option<Arc<ServerConfig>> {
        match &self.tls {
            Some(tls) => Some(tls.server_config().await),
            None => None,
        }
    }

    /// What applies to each request and its response.
    #[must_use]
    pub fn access(&self) -> &AccessControl {
        &self.access
    }
}

#[cfg(test)]
mod tests;
