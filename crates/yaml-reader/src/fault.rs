//! What is wrong with a file, and where.

use std::cell::RefCell;

/// The faults and warnings found so far.
#[derive(Default)]
pub struct ConfigFaults {
    pub(crate) faults: RefCell<Vec<ConfigFault>>,
    pub(crate) warnings: RefCell<Vec<ConfigFault>>,
}

impl ConfigFaults {
    /// The warnings, if there are no faults.
    ///
    /// # Errors
    /// All faults at once.
    pub fn into_result(self) -> Result<Vec<ConfigFault>, ConfigError> {
        let faults = self.faults.into_inner();
        if faults.is_empty() { Ok(self.warnings.into_inner()) } else { Err(ConfigError { faults }) }
    }
}

/// Everything that is wrong with a file, one fault per line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError {
    /// At least one, in the order in which they were found.
    pub faults: Vec<ConfigFault>,
}

impl ConfigError {
    /// A single fault of the file as a whole.
    #[must_use]
    pub fn whole(message: String) -> Self {
        Self { faults: vec![ConfigFault { path: String::new(), message }] }
    }
}

/// One thing that is wrong with a file, or a warning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}{}{message}", if path.is_empty() { "" } else { ": " })]
pub struct ConfigFault {
    /// The path of the key, such as `accounts[0].groups[2].id`; empty for the file as a whole.
    pub path: String,
    /// What is wrong. Never contains a secret.
    pub message: String,
}
