//! The [web configuration file] of Prometheus's exporter-toolkit for any Rust server: TLS with certificates that are
//! reloaded when their files change, client certificates, basic authentication, response headers and a rate limit.
//!
//! The crate accepts no connections. A server asks it three things: the [`rustls::ServerConfig`] of a new connection,
//! whether to handle a request, and which headers to add to the response.
//!
//! ```
//! use std::path::Path;
//!
//! use http::{HeaderMap, HeaderValue, Response, StatusCode, header::AUTHORIZATION};
//! use web_config::WebConfig;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), web_config::ConfigError> {
//! // `WebConfig::read` takes the path of a file instead.
//! let text = "
//! basic_auth_users:
//!   alice: $2y$05$upTwOesjMmkdqKrxYFB4BeRr4Z8pRnPPOc.GZkjHC7y/uAJIj6lSi
//! http_server_config:
//!   headers: {X-Frame-Options: deny}
//! ";
//! let (web, warnings) = WebConfig::parse(text, Path::new(""))?;
//! assert!(warnings.is_empty());
//!
//! // For each connection: with TLS, hand the config to a `tokio_rustls::TlsAcceptor`.
//! assert!(web.server_config().await.is_none(), "the file has no tls_server_config");
//!
//! // For each request:
//! let mut headers = HeaderMap::new();
//! assert_eq!(web.access().authorize(&headers).await, Err(StatusCode::UNAUTHORIZED));
//! headers.insert(AUTHORIZATION, HeaderValue::from_static("Basic YWxpY2U6c2VjcmV0"));
//! assert_eq!(web.access().authorize(&headers).await, Ok(()));
//!
//! // For each response, the refusals included:
//! let mut response = Response::new("hello");
//! web.access().apply_headers(&mut response);
//! assert_eq!(response.headers()["x-frame-options"], "deny");
//! # Ok(())
//! # }
//! ```
//!
//! The crate logs with `tracing` when it reloads a certificate and when it cannot. It runs within a tokio runtime.
//!
//! [web configuration file]: https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md

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
pub use yaml_reader::{ConfigError, ConfigFault};
use yaml_reader::{ConfigFaults, Presence, Section};

/// A web config without faults. The default is that of an empty file: no TLS, no users, no headers, no rate limit.
#[derive(Default)]
pub struct WebConfig {
    tls: Option<CertReloader>,
    access: AccessControl,
}

impl WebConfig {
    /// Reads a file; paths in it are relative to its folder. Also returns warnings about settings without effect, or
    /// with another effect than their author may expect.
    ///
    /// # Errors
    /// All faults at once, those of the certificates included.
    pub fn read(path: &Path) -> Result<(Self, Vec<ConfigFault>), ConfigError> {
        let text = fs::read_to_string(path);
        let text = text.map_err(|error| ConfigError::whole(format!("cannot be read: {error}")))?;
        Self::parse(&text, path.parent().unwrap_or(Path::new("")))
    }

    /// Parses the text of a file, as [`read`](Self::read) does; paths in it are relative to `folder`.
    ///
    /// # Errors
    /// All faults at once, those of the certificates included.
    pub fn parse(text: &str, folder: &Path) -> Result<(Self, Vec<ConfigFault>), ConfigError> {
        let mut value: Value = serde_yaml::from_str(text).map_err(|error| ConfigError::whole(error.to_string()))?;
        value.apply_merge().map_err(|error| ConfigError::whole(error.to_string()))?;
        let (faults, warnings) = (ConfigFaults::default(), ConfigFaults::default());
        let mut top = Section::new(&value, String::new(), &faults);
        let tls_section = top.section("tls_server_config");
        // To the toolkit, the keys of an empty section are empty too.
        let http2_default = top.presence("http_server_config") != Presence::Empty;
        let mut http = top.section("http_server_config");
        let http2 = go_yaml::boolean(&mut http, "http2", http2_default);
        let headers = headers::parse(&mut http);
        http.finish();
        let tls = tls::parse(tls_section, folder, http2, &warnings);
        let users = Users::parse(&mut top, &warnings);
        let rate_limiter = RateLimiter::parse(top.section("rate_limit"), &warnings);
        top.finish();
        faults.into_result()?;
        Ok((Self { tls, access: AccessControl { rate_limiter, users, headers } }, warnings.into_inner()))
    }

    /// Whether connections are encrypted.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The TLS settings for a new connection, if connections are encrypted. Looks for changes of the files at most once
    /// a second, off the async threads and for at most a second.
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
