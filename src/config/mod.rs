//! The config: YAML text becomes validated types, or a list of everything that is wrong with it.

mod account;
mod connection;
mod credential;
mod discover;

use std::{
    fs,
    io::Read,
    path::Path,
    time::{Duration, SystemTime},
};

use serde_yaml::Value;
use url::Url;

pub use self::discover::Discover;
use atlas::{ApiVersion, Authorities, ClientSettings, Credential, GroupId, Provider, ProxyUrl};
use yaml_reader::{self, ConfigFaults, Section};
pub use yaml_reader::{ConfigError, ConfigFault};

/// What the exporter calls itself in requests to Atlas.
pub const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// A larger config is refused unread. A thousand groups have a tenth of it.
const MAX_SIZE: u64 = 1 << 20;

/// A config without faults, its secrets resolved.
#[derive(Clone, Debug)]
pub struct Config {
    /// How to poll.
    pub poll: PollConfig,
    /// What to poll, with which credential; at least one.
    pub accounts: Vec<AccountConfig>,
}

/// How to poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollConfig {
    /// From the start of one poll of a target to the start of its next.
    pub interval: Duration,
    /// Bound on one HTTP request; not above the deadline.
    pub timeout: Duration,
    /// Bound on one poll, every page and repetition included; at most nine tenths of the interval.
    pub deadline: Duration,
    /// Peerings older than this are dropped from the page; at least two intervals.
    pub max_staleness: Duration,
    /// Polls of one account at the same time; from 1 to 64.
    pub concurrency: usize,
    /// Results asked for with one request; from 1 to 500.
    pub items_per_page: u16,
    /// Whether Atlas is asked, rarely, where peerings end on its side.
    pub containers: bool,
}

/// One Atlas credential and the groups to poll with it.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountConfig {
    /// The label `account`; unique.
    pub name: String,
    /// Where the API is; `https` unless the config allows otherwise.
    pub base_url: Url,
    /// Which version of the API to ask.
    pub api_version: ApiVersion,
    /// What Atlas knows the account by.
    pub credential: Credential,
    /// When the credential ends; Atlas tells nobody but who made it.
    pub credential_expires: Option<SystemTime>,
    /// Where requests go out; if nothing is said, where the environment says.
    pub proxy: Option<ProxyUrl>,
    /// Who is trusted to sign Atlas's certificate.
    pub authorities: Authorities,
    /// How groups are found, if they are; always where none is listed.
    pub discover: Option<Discover>,
    /// The groups that are listed, each in one account only.
    pub groups: Vec<GroupConfig>,
}

impl AccountConfig {
    /// What a client needs to know about it.
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
    /// The id of the Atlas project.
    pub id: GroupId,
    /// The label `group_name`; may be empty.
    pub name: String,
    /// The providers to ask for, each once; at least one.
    pub providers: Vec<Provider>,
}

impl Config {
    /// Reads a config file. Paths of secrets in it are relative to its folder.
    ///
    /// # Errors
    /// All faults at once.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            read_text(path, MAX_SIZE).map_err(|message| ConfigError::whole(format!("cannot be read: {message}")))?;
        Self::parse(&text, path.parent().unwrap_or(Path::new("")), &|name| std::env::var(name).ok())
    }

    /// Parses the text of a config. Secrets come from files, relative to `folder`, or from `env`.
    ///
    /// # Errors
    /// All faults at once.
    pub fn parse(text: &str, folder: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let value: Value = serde_yaml::from_str(text).map_err(|error| ConfigError::whole(syntax(&error)))?;
        let faults = ConfigFaults::default();
        let mut top = Section::new(value, String::new(), &faults);
        let poll = PollConfig::parse(top.section("poll"));
        let accounts = account::parse_all(&mut top, folder, env);
        top.end();
        faults.none_or_error()?;
        Ok(Self { poll, accounts })
    }
}

impl Default for PollConfig {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(60),
            timeout: Duration::from_secs(10),
            deadline: Duration::from_secs(45),
            max_staleness: Duration::from_secs(15 * 60),
            concurrency: 8,
            items_per_page: 500,
            containers: true,
        }
    }
}

impl PollConfig {
    /// Defaults of one setting follow another where they would not fit it.
    fn parse(mut section: Section<'_>) -> Self {
        let default = Self::default();
        let second = Duration::from_secs(1);
        let day = Duration::from_secs(24 * 60 * 60);
        let interval = section.duration("interval", default.interval, second..=day);
        let deadline =
            section.duration("deadline", default.deadline.min(interval * 3 / 4), second / 10..=interval * 9 / 10);
        let timeout = section.duration("timeout", default.timeout.min(deadline), second / 10..=deadline);
        let max_staleness =
            section.duration("max_staleness", default.max_staleness.max(interval * 3), interval * 2..=day * 7);
        let concurrency = section.integer("concurrency", default.concurrency, 1..=64);
        let items_per_page = section.integer("items_per_page", default.items_per_page, 1..=500);
        let containers = section.boolean("containers", default.containers);
        section.end();
        Self { interval, timeout, deadline, max_staleness, concurrency, items_per_page, containers }
    }
}

/// What the library says, with its line; it cannot hold an id of 24 digits as a number.
fn syntax(error: &serde_yaml::Error) -> String {
    let said = error.to_string();
    if said.contains("u128") { format!("{said}; an id that is all digits must be in quotes") } else { said }
}

/// Reads a file of bounded size; what goes wrong is told as a sentence.
fn read_text(path: &Path, limit: u64) -> Result<String, String> {
    let mut text = String::new();
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(limit + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > limit { Err(format!("it is larger than {limit} bytes")) } else { Ok(text) }
}

#[cfg(test)]
mod tests;
