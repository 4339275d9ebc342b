//! What is wrong with a file, and where.

use std::{cell::RefCell, fmt};

/// The faults found so far.
#[derive(Default)]
pub struct ConfigFaults(RefCell<Vec<ConfigFault>>);

impl ConfigFaults {
    pub fn note(&self, path: String, message: impl Into<String>) {
        self.0.borrow_mut().push(ConfigFault { path, message: message.into() });
    }

    pub fn into_inner(self) -> Vec<ConfigFault> {
        self.0.into_inner()
    }

    /// All of them, as an error.
    pub fn none_or_error(self) -> Result<(), ConfigError> {
        let faults = self.into_inner();
        if faults.is_empty() { Ok(()) } else { Err(ConfigError { faults }) }
    }
}

/// Everything that is wrong with a config.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// At least one, in the order they were found.
    pub faults: Vec<ConfigFault>,
}

/// One thing that is wrong with a config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFault {
    /// Where, such as `accounts[0].groups[2].id`; empty for the file as a whole.
    pub path: String,
    /// What, without the values of secrets.
    pub message: String,
}

impl ConfigError {
    /// A fault of the file as a whole.
    pub fn whole(message: String) -> Self {
        Self { faults: vec![ConfigFault { path: String::new(), message }] }
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.faults.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let colon = if self.path.is_empty() { "" } else { ": " };
        write!(f, "{}{colon}{}", self.path, self.message)
    }
}
