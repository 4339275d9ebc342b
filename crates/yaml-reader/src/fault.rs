//! What is wrong with a file, and where.

use std::cell::RefCell;

/// Further faults or warnings are only counted: nobody reads them, and a file may have one in every byte.
const MAX_FAULTS: usize = 100;

/// The faults and warnings found so far.
#[derive(Default)]
pub struct ConfigFaults {
    pub(crate) faults: RefCell<FaultList>,
    pub(crate) warnings: RefCell<FaultList>,
}

/// The first faults, and the number of the others.
#[derive(Default)]
pub(crate) struct FaultList {
    kept: Vec<ConfigFault>,
    more: usize,
}

impl FaultList {
    pub(crate) fn push(&mut self, fault: ConfigFault) {
        if self.kept.len() < MAX_FAULTS { self.kept.push(fault) } else { self.more += 1 }
    }

    pub(crate) fn extend(&mut self, faults: Vec<ConfigFault>) {
        for fault in faults {
            self.push(fault);
        }
    }

    fn into_vec(mut self) -> Vec<ConfigFault> {
        if self.more > 0 {
            self.kept.push(ConfigFault { path: String::new(), message: format!("and {} more", self.more) });
        }
        self.kept
    }
}

impl ConfigFaults {
    /// The warnings, if there are no faults.
    ///
    /// # Errors
    /// All faults at once; if there are more than a hundred, the first hundred and the number of the others.
    pub fn into_result(self) -> Result<Vec<ConfigFault>, ConfigError> {
        let faults = self.faults.into_inner().into_vec();
        if faults.is_empty() { Ok(self.warnings.into_inner().into_vec()) } else { Err(ConfigError { faults }) }
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
