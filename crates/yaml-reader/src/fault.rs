//! What is wrong with a file, and where.

use std::cell::RefCell;

/// The faults found so far.
#[derive(Default)]
pub struct ConfigFaults(RefCell<Vec<ConfigFault>>);

impl ConfigFaults {
    /// Adds a fault at a path.
    pub fn note(&self, path: String, message: impl Into<String>) {
        self.0.borrow_mut().push(ConfigFault { path, message: message.into() });
    }

    /// The faults in the order in which they were found.
    #[must_use]
    pub fn into_inner(self) -> Vec<ConfigFault> {
        self.0.into_inner()
    }

    /// Fails if any fault was found.
    ///
    /// # Errors
    /// All faults at once.
    pub fn into_result(self) -> Result<(), ConfigError> {
        let faults = self.into_inner();
        if faults.is_empty() { Ok(()) } else { Err(ConfigError { faults }) }
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

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}{}{message}", if path.is_empty() { "" } else { ": " })]
pub struct ConfigFault {
    /// The path of the key, such as `accounts[0].groups[2].id`; empty for the file as a whole.
    pub path: String,
    /// What is wrong. Never contains a secret.
    pub message: String,
}
