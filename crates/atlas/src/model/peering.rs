//! One network peering: three dialects on the wire, one shape for us.

use std::time::{Duration, SystemTime};

use serde::Deserialize;

use crate::{ErrorKind, Provider};

/// A longer name, id or status is no real one, and would be a label.
const MAX_WORD: usize = 1024;

/// Free text is cut here: it goes into the log.
const MAX_ERROR: usize = 1024;

/// A network peering between Atlas and a user's network, as Atlas describes it.
/// A text that Atlas left out is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peering {
    /// The id that Atlas gave it, a MongoDB `ObjectId`.
    pub id: String,
    /// The user's network: AWS `vpcId`, Azure `vnetName`, GCP `networkName`. Not unique.
    pub vpc_id: String,
    /// AWS `statusName`, else `status`, to the letter; `UNKNOWN` where Atlas gave none.
    pub status: String,
    /// AWS `errorStateName`, Azure `errorState` or any `errorMessage`: a word or free text.
    pub error: Option<String>,
    /// The Atlas side of it: the id of the network container.
    pub container_id: String,
    /// AWS's own id, `pcx-…`, once AWS has made it.
    pub connection_id: String,
    /// Whose network: AWS `awsAccountId`, Azure `azureSubscriptionId`, GCP `gcpProjectId`.
    pub cloud_account: String,
    /// Azure `resourceGroupName`.
    pub resource_group: String,
    /// AWS `accepterRegionName`; Atlas leaves it out where both sides are in one region.
    pub accepter_region: String,
    /// AWS `routeTableCidrBlock`: the addresses of the user's network.
    pub cidr_block: String,
}

impl Peering {
    /// When Atlas made it: the first four bytes of an `ObjectId` are seconds since 1970.
    #[must_use]
    pub fn created(&self) -> Option<SystemTime> {
        let is_object_id = self.id.len() == 24 && self.id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let seconds = u32::from_str_radix(self.id.get(..8).filter(|_| is_object_id)?, 16).ok()?;
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.into()))
    }

    /// Whether the network is usable, as far as Atlas knows.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.status == "AVAILABLE"
    }

    /// The error as a word of a bounded set, for a label: `OTHER` for free text.
    #[must_use]
    pub fn error_word(&self) -> Option<&'static str> {
        /// AWS's are documented, Azure's was recorded.
        const WORDS: [&str; 4] = ["REJECTED", "EXPIRED", "INVALID_ARGUMENT", "RETRYABLE"];
        let error = self.error.as_deref()?;
        // AWS's `errorMessage` begins with the word: "REJECTED: vpc peering connection request was rejected".
        let first = error.split(':').next().unwrap_or_default();
        Some(WORDS.into_iter().find(|word| *word == first).unwrap_or("OTHER"))
    }
}

/// Every field of every dialect. The reference promises less than it says, so each may be missing or null.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WirePeering {
    id: Option<String>,
    provider_name: Option<String>,
    container_id: Option<String>,
    connection_id: Option<String>,
    status_name: Option<String>,
    status: Option<String>,
    error_state_name: Option<String>,
    error_state: Option<String>,
    error_message: Option<String>,
    vpc_id: Option<String>,
    vnet_name: Option<String>,
    network_name: Option<String>,
    aws_account_id: Option<String>,
    azure_subscription_id: Option<String>,
    gcp_project_id: Option<String>,
    resource_group_name: Option<String>,
    accepter_region_name: Option<String>,
    route_table_cidr_block: Option<String>,
}

impl WirePeering {
    /// Reads it as the dialect of the provider that was asked for.
    pub(crate) fn into_peering(self, provider: Provider) -> Result<Peering, ErrorKind> {
        self.check_provider(provider)?;
        let status = filled([self.status_name, self.status]);
        let error = filled([self.error_state_name, self.error_state, self.error_message]);
        let (vpc_id, cloud_account) = match provider {
            Provider::Aws => (self.vpc_id, self.aws_account_id),
            Provider::Azure => (self.vnet_name, self.azure_subscription_id),
            Provider::Gcp => (self.network_name, self.gcp_project_id),
        };
        Ok(Peering {
            id: word("id", self.id)?,
            vpc_id: word("vpcId", vpc_id)?,
            status: word("status", status.or_else(|| Some("UNKNOWN".into())))?,
            error: error.map(|text| text.chars().take(MAX_ERROR).collect()),
            container_id: word("containerId", self.container_id)?,
            connection_id: word("connectionId", self.connection_id)?,
            cloud_account: word("cloud account", cloud_account)?,
            resource_group: word("resourceGroupName", self.resource_group_name)?,
            accepter_region: word("accepterRegionName", self.accepter_region_name)?,
            cidr_block: word("routeTableCidrBlock", self.route_table_cidr_block)?,
        })
    }

    /// A server that ignores `providerName` lists AWS whatever was asked: that is not this provider's listing.
    fn check_provider(&self, asked: Provider) -> Result<(), ErrorKind> {
        match self.provider() {
            Some(got) if got != asked => {
                Err(ErrorKind::Content(format!("asked for {asked} peerings, got one of {got}")))
            }
            _ => Ok(()),
        }
    }

    /// As far as it says: v1.0 leaves `providerName` out, but the name of the network is the provider's own.
    fn provider(&self) -> Option<Provider> {
        let said = self.provider_name.as_deref().and_then(|name| name.parse().ok());
        let has = |name: &Option<String>| name.as_deref().is_some_and(|name| !name.is_empty());
        said.or(match (has(&self.vpc_id), has(&self.vnet_name), has(&self.network_name)) {
            (true, false, false) => Some(Provider::Aws),
            (false, true, false) => Some(Provider::Azure),
            (false, false, true) => Some(Provider::Gcp),
            _ => None,
        })
    }
}

/// The first that says something.
fn filled<const N: usize>(texts: [Option<String>; N]) -> Option<String> {
    texts.into_iter().flatten().find(|text| !text.is_empty())
}

fn word(field: &'static str, text: Option<String>) -> Result<String, ErrorKind> {
    let text = text.unwrap_or_default();
    if text.len() > MAX_WORD {
        return Err(ErrorKind::Content(format!("a `{field}` is longer than {MAX_WORD} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peering(provider: Provider, json: &str) -> Result<Peering, ErrorKind> {
        serde_json::from_str::<WirePeering>(json).unwrap().into_peering(provider)
    }

    #[test]
    fn aws_is_read() {
        let json = r#"{"accepterRegionName":"eu-west-1","awsAccountId":"123456789012","connectionId":"pcx-0a1b","containerId":"64c0ffee0000000000000001","errorStateName":null,"id":"64c0ffee00000000000000a1","providerName":"AWS","routeTableCidrBlock":"10.1.0.0/16","statusName":"AVAILABLE","vpcId":"vpc-0123"}"#;
        let peering = peering(Provider::Aws, json).unwrap();
        assert_eq!(
            peering,
            Peering {
                id: "64c0ffee00000000000000a1".into(),
                vpc_id: "vpc-0123".into(),
                status: "AVAILABLE".into(),
                error: None,
                container_id: "64c0ffee0000000000000001".into(),
                connection_id: "pcx-0a1b".into(),
                cloud_account: "123456789012".into(),
                resource_group: String::new(),
                accepter_region: "eu-west-1".into(),
                cidr_block: "10.1.0.0/16".into(),
            }
        );
        assert!(peering.is_available());
    }

    #[test]
    fn azure_is_read() {
        let json = r#"{"azureDirectoryId":"d","azureSubscriptionId":"s","containerId":"c","errorState":"RETRYABLE","id":"i","resourceGroupName":"rg","status":"FAILED","vnetName":"hub"}"#;
        let peering = peering(Provider::Azure, json).unwrap();
        assert_eq!((peering.vpc_id.as_str(), peering.status.as_str()), ("hub", "FAILED"));
        assert_eq!((peering.cloud_account.as_str(), peering.resource_group.as_str()), ("s", "rg"));
        assert_eq!(peering.error_word(), Some("RETRYABLE"));
    }

    #[test]
    fn gcp_is_read() {
        let json = r#"{"containerId":"c","errorMessage":"no such network","gcpProjectId":"p","id":"i","networkName":"default","status":"WAITING_FOR_USER"}"#;
        let peering = peering(Provider::Gcp, json).unwrap();
        assert_eq!((peering.vpc_id.as_str(), peering.status.as_str()), ("default", "WAITING_FOR_USER"));
        assert_eq!((peering.cloud_account.as_str(), peering.error_word()), ("p", Some("OTHER")));
    }

    #[test]
    fn every_field_may_be_missing_or_null() {
        for json in ["{}", r#"{"id":null,"vpcId":null,"statusName":null,"errorStateName":null}"#] {
            let peering = peering(Provider::Aws, json).unwrap();
            assert_eq!(peering, Peering { status: "UNKNOWN".into(), ..Peering::default() });
        }
    }

    #[test]
    fn what_is_empty_is_missing() {
        let json = r#"{"statusName":"","errorStateName":"","errorMessage":"EXPIRED"}"#;
        let peering = peering(Provider::Aws, json).unwrap();
        assert_eq!((peering.status.as_str(), peering.error.as_deref()), ("UNKNOWN", Some("EXPIRED")));
    }

    #[test]
    fn unknown_fields_and_statuses_pass() {
        let peering = peering(Provider::Aws, r#"{"statusName":"HIBERNATING","novelty":{"a":[1]}}"#).unwrap();
        assert_eq!(peering.status, "HIBERNATING");
    }

    #[test]
    fn an_error_message_of_aws_keeps_its_word() {
        let json = r#"{"errorMessage":"REJECTED: vpc peering connection request was rejected"}"#;
        assert_eq!(peering(Provider::Aws, json).unwrap().error_word(), Some("REJECTED"));
    }

    #[test]
    fn a_listing_of_another_provider_is_refused() {
        let error = peering(Provider::Azure, r#"{"providerName":"AWS"}"#).unwrap_err();
        assert_eq!(error.to_string(), "asked for AZURE peerings, got one of AWS");
        assert!(peering(Provider::Azure, r#"{"providerName":"Azure"}"#).is_ok());
        assert!(peering(Provider::Azure, r#"{"vpcId":"vpc-1"}"#).is_err(), "v1.0 does not say the provider");
    }

    #[test]
    fn an_endless_name_is_refused() {
        let json = format!(r#"{{"vpcId":"{}"}}"#, "v".repeat(MAX_WORD + 1));
        assert_eq!(peering(Provider::Aws, &json).unwrap_err().to_string(), "a `vpcId` is longer than 1024 bytes");
    }

    #[test]
    fn creation_is_in_the_id() {
        let created = |id: &str| Peering { id: id.into(), ..Peering::default() }.created();
        let at = |seconds| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(created("5f3a556351db42631e16f33a"), at(0x5f3a_5563));
        assert_eq!(created("5f3a5563"), None);
        assert_eq!(created("+f3a556351db42631e16f33a"), None);
        assert_eq!(created("ééééééééabcd"), None);
    }
}
