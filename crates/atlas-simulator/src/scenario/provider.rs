//! The three cloud providers, and the fields of their peerings and containers in the API.

use serde::{Deserialize, Serialize};

/// A cloud provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE", try_from = "String")]
pub enum ScenarioProvider {
    /// Amazon Web Services
    Aws,
    /// Microsoft Azure
    Azure,
    /// Google Cloud
    Gcp,
}

impl ScenarioProvider {
    /// All three.
    pub const ALL: [ScenarioProvider; 3] = [ScenarioProvider::Aws, ScenarioProvider::Azure, ScenarioProvider::Gcp];

    /// Its name in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ScenarioProvider::Aws => "AWS",
            ScenarioProvider::Azure => "AZURE",
            ScenarioProvider::Gcp => "GCP",
        }
    }

    /// The fields of the status and of the error of a peering.
    pub(crate) fn status_fields(self) -> (&'static str, &'static str) {
        match self {
            ScenarioProvider::Aws => ("statusName", "errorStateName"),
            ScenarioProvider::Azure => ("status", "errorState"),
            ScenarioProvider::Gcp => ("status", "errorMessage"),
        }
    }

    /// The other documented fields of a peering.
    pub(crate) fn documented_fields(self) -> &'static [&'static str] {
        match self {
            ScenarioProvider::Aws => {
                &["containerId", "awsAccountId", "vpcId", "routeTableCidrBlock", "accepterRegionName", "connectionId"]
            }
            ScenarioProvider::Azure => {
                &["containerId", "azureDirectoryId", "azureSubscriptionId", "resourceGroupName", "vnetName"]
            }
            ScenarioProvider::Gcp => &["containerId", "gcpProjectId", "networkName"],
        }
    }

    /// The documented fields of a container that can be missing.
    pub(crate) fn container_fields(self) -> &'static [&'static str] {
        match self {
            ScenarioProvider::Aws => &["atlasCidrBlock", "regionName", "vpcId"],
            ScenarioProvider::Azure => &["atlasCidrBlock", "azureSubscriptionId", "region", "vnetName"],
            ScenarioProvider::Gcp => &["atlasCidrBlock", "gcpProjectId", "networkName", "regions"],
        }
    }
}

impl TryFrom<String> for ScenarioProvider {
    type Error = String;

    /// Parses the name in any case.
    fn try_from(text: String) -> Result<ScenarioProvider, String> {
        let mut all = Self::ALL.into_iter();
        let provider = all.find(|provider| provider.name().eq_ignore_ascii_case(&text));
        provider.ok_or_else(|| format!("`{text}` is none of AWS, AZURE and GCP"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_read_in_any_case_and_written_in_upper_case() {
        for (text, provider) in
            [("AWS", ScenarioProvider::Aws), ("Azure", ScenarioProvider::Azure), ("gcp", ScenarioProvider::Gcp)]
        {
            let read: ScenarioProvider = serde_json::from_value(text.into()).unwrap();
            assert_eq!(read, provider);
            assert_eq!(serde_json::to_value(read).unwrap(), provider.name());
        }
        let error = serde_json::from_str::<ScenarioProvider>(r#""all""#).unwrap_err();
        assert!(error.to_string().contains("`all` is none of AWS, AZURE and GCP"), "{error}");
    }
}
