//! The three cloud providers and the dialects in which Atlas speaks of their peerings.

use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// A cloud provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Provider {
    /// Amazon Web Services
    Aws,
    /// Microsoft Azure
    Azure,
    /// Google Cloud
    Gcp,
}

impl Provider {
    /// All three.
    pub const ALL: [Provider; 3] = [Provider::Aws, Provider::Azure, Provider::Gcp];

    /// The API's word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Provider::Aws => "AWS",
            Provider::Azure => "AZURE",
            Provider::Gcp => "GCP",
        }
    }

    /// Reads the API's word in any case.
    pub(super) fn parse(text: &str) -> Option<Provider> {
        Self::ALL.into_iter().find(|provider| provider.name().eq_ignore_ascii_case(text))
    }

    /// The names of the fields with the status and the error.
    pub(super) fn dialect(self) -> (&'static str, &'static str) {
        match self {
            Provider::Aws => ("statusName", "errorStateName"),
            Provider::Azure => ("status", "errorState"),
            Provider::Gcp => ("status", "errorMessage"),
        }
    }

    /// Everything the API may say about a peering besides these two.
    pub(super) fn documented_fields(self) -> &'static [&'static str] {
        match self {
            Provider::Aws => {
                &["containerId", "awsAccountId", "vpcId", "routeTableCidrBlock", "accepterRegionName", "connectionId"]
            }
            Provider::Azure => {
                &["containerId", "azureDirectoryId", "azureSubscriptionId", "resourceGroupName", "vnetName"]
            }
            Provider::Gcp => &["containerId", "gcpProjectId", "networkName"],
        }
    }

    /// What the API may say about a container and does not always know.
    pub(super) fn container_fields(self) -> &'static [&'static str] {
        match self {
            Provider::Aws => &["atlasCidrBlock", "regionName", "vpcId"],
            Provider::Azure => &["atlasCidrBlock", "azureSubscriptionId", "region", "vnetName"],
            Provider::Gcp => &["atlasCidrBlock", "gcpProjectId", "networkName", "regions"],
        }
    }
}

impl<'de> Deserialize<'de> for Provider {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Provider, D::Error> {
        let text = String::deserialize(input)?;
        Provider::parse(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is none of AWS, AZURE and GCP")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_read_in_any_case_and_written_in_one() {
        for (text, provider) in [("AWS", Provider::Aws), ("Azure", Provider::Azure), ("gcp", Provider::Gcp)] {
            let read: Provider = serde_json::from_value(text.into()).unwrap();
            assert_eq!(read, provider);
            assert_eq!(serde_json::to_value(read).unwrap(), provider.name());
        }
        let error = serde_json::from_str::<Provider>(r#""all""#).unwrap_err();
        assert!(error.to_string().contains("`all` is none of AWS, AZURE and GCP"), "{error}");
    }
}
