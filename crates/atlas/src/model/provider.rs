//! The cloud providers that Atlas peers with.

use std::{fmt, str::FromStr};

/// A cloud provider, as the query parameter `providerName` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provider {
    /// Amazon Web Services: peers a VPC.
    Aws,
    /// Microsoft Azure: peers a virtual network.
    Azure,
    /// Google Cloud: peers a VPC network.
    Gcp,
}

/// The text is not the name of a provider.
#[derive(Debug, thiserror::Error)]
#[error("a provider is `AWS`, `AZURE` or `GCP`")]
pub struct UnknownProvider;

impl Provider {
    /// Every provider. The API has no value for "all": without `providerName` it lists AWS only.
    pub const ALL: [Self; 3] = [Self::Aws, Self::Azure, Self::Gcp];

    /// The value in the API and of the label `provider`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "AWS",
            Self::Azure => "AZURE",
            Self::Gcp => "GCP",
        }
    }

    /// The statuses that the API reference documents for this provider. Atlas may send others.
    #[must_use]
    pub fn documented_statuses(self) -> &'static [&'static str] {
        match self {
            Self::Aws => &["INITIATING", "PENDING_ACCEPTANCE", "FAILED", "FINALIZING", "AVAILABLE", "TERMINATING"],
            Self::Azure => &["ADDING_PEER", "AVAILABLE", "FAILED", "DELETION_FAILED", "DELETING"],
            Self::Gcp => &["ADDING_PEER", "WAITING_FOR_USER", "AVAILABLE", "FAILED", "DELETING"],
        }
    }
}

impl FromStr for Provider {
    type Err = UnknownProvider;

    /// Ignores case: older pages of the API reference write `Azure`.
    fn from_str(text: &str) -> Result<Self, UnknownProvider> {
        let matches = |provider: &Self| provider.as_str().eq_ignore_ascii_case(text);
        Self::ALL.into_iter().find(matches).ok_or(UnknownProvider)
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
