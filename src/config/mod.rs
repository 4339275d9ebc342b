//! The config: turns YAML text into validated types, or into a list of every fault.

mod account;
mod connection;
mod credential;
mod discover;

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use serde_yaml::Value;
use url::Url;

pub use self::discover::Discover;
use atlas::{ApiVersion, Authorities, ClientSettings, Credential, GroupId, Provider, ProxyUrl};
pub use yaml_reader::{ConfigError, ConfigFault};
use yaml_reader::{ConfigFaults, MAX_YAML_BYTES, Section};

/// The `User-Agent` of requests to Atlas.
pub const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// A usual duration of a poll: one request, to which Atlas responds in tenths of a second.
const POLL_DURATION: Duration = Duration::from_millis(200);

/// The default of `poll.timeout`, unless `poll.deadline` is shorter.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// A valid config with its secrets.
#[derive(Clone, Debug)]
pub struct Config {
    /// How to poll.
    pub poll: PollConfig,
    /// The accounts to poll; at least one.
    pub accounts: Vec<AccountConfig>,
    /// Settings that are allowed, but may expose a secret.
    pub warnings: Vec<ConfigFault>,
}

/// How to poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollConfig {
    /// The time from the start of one poll of a listing to the start of the next.
    pub interval: Duration,
    /// The limit for one HTTP request; not above the deadline.
    pub timeout: Duration,
    /// The limit for one poll with all its pages and retries; at most nine tenths of the interval.
    pub deadline: Duration,
    /// How long peerings stay in the exposition while polls fail; at least two intervals.
    pub max_staleness: Duration,
    /// Concurrent polls per account; from 1 to 64.
    pub concurrency: usize,
    /// Results per page; from 1 to 500.
    pub items_per_page: u16,
    /// Whether to read the containers, Atlas's side of the peerings.
    pub containers: bool,
}

/// One Atlas credential and the groups to poll with it.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountConfig {
    /// The label `account`; unique.
    pub name: String,
    /// The URL of the API; `https` unless the config allows `http`.
    pub base_url: Url,
    /// The version of the API.
    pub api_version: ApiVersion,
    /// The credential, an API key or a service account.
    pub credential: Credential,
    /// When the credential expires, if the config says so; the API does not.
    pub credential_expires: Option<SystemTime>,
    /// The proxy, of the config or of the environment.
    pub proxy: Option<ProxyUrl>,
    /// The certificate authorities to trust.
    pub authorities: Authorities,
    /// The settings of discovery, if it is on; always on if no group is listed.
    pub discover: Option<Discover>,
    /// The listed groups, each in one account only.
    pub groups: Vec<GroupConfig>,
}

impl AccountConfig {
    /// The settings of the API client.
    #[must_use]
    pub fn settings(&self, poll: &PollConfig) -> ClientSettings {
        ClientSettings {
            user_agent: USER_AGENT,
            base_url: self.base_url.clone(),
            api_version: self.api_version,
            credential: self.credential.clone(),
            proxy: self.proxy.clone(),
            authorities: self.authorities.clone(),
            timeout: poll.timeout,
            items_per_page: poll.items_per_page,
            interval: poll.interval,
        }
    }
}

/// A group to poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupConfig {
    /// Its ID.
    pub id: GroupId,
    /// The label `group_name`; may be empty.
    pub name: String,
    /// The providers to poll, without duplicates; at least one.
    pub providers: Vec<Provider>,
}

impl Config {
    /// Reads a config file. Paths of secrets in it are relative to its directory.
    ///
    /// # Errors
    /// All faults at once.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = file_reader::read_text(path, MAX_YAML_BYTES);
        let text = text.map_err(|error| ConfigError::whole(format!("cannot be read: {error}")))?;
        Self::parse(&text, path.parent().unwrap_or(Path::new("")), &variable)
    }

    /// Parses the text of a config. Secrets come from files, relative to `folder`, or from `env`.
    ///
    /// # Errors
    /// All faults at once.
    pub fn parse(text: &str, folder: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let value: Value = yaml_reader::from_str(text).map_err(|error| ConfigError::whole(error.to_string()))?;
        let faults = ConfigFaults::default();
        let mut top = Section::new(&value, String::new(), &faults);
        let poll = PollConfig::parse(top.section("poll"));
        let accounts = account::parse_all(&mut top, folder, env);
        top.finish();
        let warnings = faults.into_result()?;
        Ok(Self { poll, accounts, warnings })
    }
}

impl Default for PollConfig {
    fn default() -> Self {
        Self::for_interval(Duration::from_secs(60))
    }
}

impl PollConfig {
    /// The defaults, adjusted to the interval.
    #[must_use]
    pub fn for_interval(interval: Duration) -> Self {
        let deadline = Duration::from_secs(45).min(interval * 3 / 4);
        Self {
            interval,
            timeout: REQUEST_TIMEOUT.min(deadline),
            deadline,
            max_staleness: Duration::from_secs(15 * 60).max(interval * 3),
            concurrency: 8,
            items_per_page: 500,
            containers: true,
        }
    }

    /// If this many listings of one account need more permits than there are, how many they need at least.
    #[must_use]
    pub fn missing_permits(&self, listings: usize) -> Option<usize> {
        let milliseconds = listings as u128 * POLL_DURATION.as_millis();
        let needed = usize::try_from(milliseconds.div_ceil(self.interval.as_millis().max(1))).unwrap_or(usize::MAX);
        (needed > self.concurrency).then_some(needed)
    }

    fn parse(mut section: Section<'_>) -> Self {
        let second = Duration::from_secs(1);
        let day = Duration::from_secs(24 * 60 * 60);
        let interval = section.duration("interval", Self::default().interval, second..=day);
        let default = Self::for_interval(interval);
        let deadline = section.duration("deadline", default.deadline, second / 10..=interval * 9 / 10);
        let timeout = section.duration("timeout", REQUEST_TIMEOUT.min(deadline), second / 10..=deadline);
        let max_staleness = section.duration("max_staleness", default.max_staleness, interval * 2..=day * 7);
        let concurrency = section.integer("concurrency", default.concurrency, 1..=64);
        let items_per_page = section.integer("items_per_page", default.items_per_page, 1..=500);
        let containers = section.boolean("containers", default.containers);
        section.finish();
        Self { interval, timeout, deadline, max_staleness, concurrency, items_per_page, containers }
    }
}

/// A variable of the environment. Bytes that are not UTF-8 become a character that neither secrets nor proxies allow.
fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests;
