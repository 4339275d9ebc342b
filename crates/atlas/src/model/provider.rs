//! The cloud providers that Atlas peers with.

/// A cloud provider, as the query parameter `providerName` names it. Parsing ignores case: older pages of the API
/// reference write `Azure`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, strum::Display, strum::EnumString, strum::IntoStaticStr,
)]
#[strum(serialize_all = "UPPERCASE", ascii_case_insensitive)]
#[strum(parse_err_ty = UnknownProvider, parse_err_fn = UnknownProvider::new)]
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

impl UnknownProvider {
    fn new(_text: &str) -> Self {
        Self
    }
}

impl Provider {
    /// Every provider. The API has no value for "all": without `providerName` it lists AWS only.
    pub const ALL: [Self; 3] = [Self::Aws, Self::Azure, Self::Gcp];

    /// The value in the API and of the label `provider`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
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
