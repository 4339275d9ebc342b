//! Network peerings: three dialects in JSON, one type here.

use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::{
    provider::Provider,
    wire::{HasId, InvalidContent, LabelText, Text, first_non_empty},
};

/// A longer name, ID or status is not real, and must not become a label.
const MAX_PEERING_FIELD: usize = 1024;

/// Free text is truncated to this many bytes: it is logged.
const MAX_PEERING_ERROR: usize = 1024;

/// All peerings of one group and provider at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// In Atlas's order, each ID once.
    pub peerings: Vec<Peering>,
    /// How many times Atlas sent a peering that it had already sent.
    pub duplicates: u64,
}

/// A network peering between Atlas and a user's network. A field that Atlas omitted is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peering {
    /// The ID, a MongoDB `ObjectId`.
    pub id: String,
    /// The user's network: AWS `vpcId`, Azure `vnetName`, GCP `networkName`. Not unique.
    pub vpc_id: String,
    /// AWS `statusName`, otherwise `status`, verbatim; `UNKNOWN` if Atlas sent none.
    pub status: String,
    /// AWS `errorStateName`, Azure `errorState` or any `errorMessage`: a code or free text.
    pub error: Option<String>,
    /// The Atlas side: the ID of the network container.
    pub container_id: String,
    /// The ID that AWS assigns, `pcx-…`; empty until then.
    pub connection_id: String,
    /// The account of the user's network: AWS `awsAccountId`, Azure `azureSubscriptionId`, GCP `gcpProjectId`.
    pub cloud_account: String,
    /// Azure `resourceGroupName`.
    pub resource_group: String,
    /// AWS `accepterRegionName`; Atlas omits it if both sides are in one region.
    pub accepter_region: String,
    /// AWS `routeTableCidrBlock`: the addresses of the user's network.
    pub cidr_block: String,
}

impl Peering {
    /// The creation time, from the first four bytes of the `ObjectId`: seconds since 1970.
    #[must_use]
    pub fn created(&self) -> Option<SystemTime> {
        let is_object_id = self.id.len() == 24 && self.id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let seconds = u32::from_str_radix(self.id.get(..8).filter(|_| is_object_id)?, 16).ok()?;
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.into()))
    }

    /// Whether Atlas reports the peering as usable.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.status == "AVAILABLE"
    }

    /// The error as one of a bounded set of codes, for a label: `OTHER` for free text.
    #[must_use]
    pub fn error_code(&self) -> Option<&'static str> {
        /// Those of AWS are documented, that of Azure was observed.
        const CODES: [&str; 4] = ["REJECTED", "EXPIRED", "INVALID_ARGUMENT", "RETRYABLE"];
        let error = self.error.as_deref()?;
        // AWS's `errorMessage` starts with the code: "REJECTED: vpc peering connection request was rejected".
        let first = error.split(':').next().unwrap_or_default();
        Some(CODES.into_iter().find(|code| *code == first).unwrap_or("OTHER"))
    }
}

/// Every field of every dialect. The API reference guarantees few of them, so each may be missing or null.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct WirePeering {
    id: Text<MAX_PEERING_FIELD>,
    provider_name: Text<MAX_PEERING_FIELD>,
    container_id: LabelText<MAX_PEERING_FIELD>,
    connection_id: LabelText<MAX_PEERING_FIELD>,
    status_name: Text<MAX_PEERING_FIELD>,
    status: Text<MAX_PEERING_FIELD>,
    error_state_name: LabelText<MAX_PEERING_ERROR>,
    error_state: LabelText<MAX_PEERING_ERROR>,
    error_message: LabelText<MAX_PEERING_ERROR>,
    vpc_id: Text<MAX_PEERING_FIELD>,
    vnet_name: Text<MAX_PEERING_FIELD>,
    network_name: Text<MAX_PEERING_FIELD>,
    aws_account_id: LabelText<MAX_PEERING_FIELD>,
    azure_subscription_id: LabelText<MAX_PEERING_FIELD>,
    gcp_project_id: LabelText<MAX_PEERING_FIELD>,
    resource_group_name: LabelText<MAX_PEERING_FIELD>,
    accepter_region_name: LabelText<MAX_PEERING_FIELD>,
    route_table_cidr_block: LabelText<MAX_PEERING_FIELD>,
}

impl HasId for WirePeering {
    fn id(&mut self) -> &mut Option<String> {
        &mut self.id.kept
    }
}

impl WirePeering {
    /// Interprets it in the dialect of the requested provider.
    pub(crate) fn into_peering(self, provider: Provider) -> Result<Peering, InvalidContent> {
        // A server that ignores `providerName` lists AWS: that is not the requested listing.
        if let Some(found) = self.provider().filter(|found| *found != provider) {
            return Err(InvalidContent::Provider(provider, found));
        }
        let status = first_non_empty([self.status_name, self.status]);
        let error = first_non_empty([self.error_state_name.0, self.error_state.0, self.error_message.0]).kept;
        let (vpc_id, cloud_account) = match provider {
            Provider::Aws => (self.vpc_id, self.aws_account_id),
            Provider::Azure => (self.vnet_name, self.azure_subscription_id),
            Provider::Gcp => (self.network_name, self.gcp_project_id),
        };
        Ok(Peering {
            id: bounded("id", self.id)?,
            vpc_id: bounded("vpcId", vpc_id)?,
            status: Some(bounded("status", status)?).filter(|status| !status.is_empty()).unwrap_or("UNKNOWN".into()),
            error,
            container_id: label(self.container_id),
            connection_id: label(self.connection_id),
            cloud_account: label(cloud_account),
            resource_group: label(self.resource_group_name),
            accepter_region: label(self.accepter_region_name),
            cidr_block: label(self.route_table_cidr_block),
        })
    }

    /// The provider, if it can be recognized. v1.0 omits `providerName`, but each provider has its own field for
    /// the network.
    fn provider(&self) -> Option<Provider> {
        let named = self.provider_name.kept.as_deref().and_then(|name| name.parse().ok());
        let has = |name: &Text<MAX_PEERING_FIELD>| name.kept.as_deref().is_some_and(|name| !name.is_empty());
        named.or(match (has(&self.vpc_id), has(&self.vnet_name), has(&self.network_name)) {
            (true, false, false) => Some(Provider::Aws),
            (false, true, false) => Some(Provider::Azure),
            (false, false, true) => Some(Provider::Gcp),
            _ => None,
        })
    }
}

/// Empty if it is missing or too long: it does not identify the peering.
fn label(text: LabelText<MAX_PEERING_FIELD>) -> String {
    if text.0.is_cut { String::new() } else { text.into_cut() }
}

fn bounded(field: &'static str, text: Text<MAX_PEERING_FIELD>) -> Result<String, InvalidContent> {
    if text.is_cut { Err(InvalidContent::TooLong(field, MAX_PEERING_FIELD)) } else { Ok(text.kept.unwrap_or_default()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peering(provider: Provider, json: &str) -> Result<Peering, InvalidContent> {
        serde_json::from_str::<WirePeering>(json).unwrap().into_peering(provider)
    }

    #[test]
    fn an_aws_peering_is_parsed() {
        let json = r#"{"accepterRegionName":"eu-west-1","awsAccountId":"123456789012","connectionId":"pcx-0a1b","containerId":"64c0ffee0000000000000001","errorStateName":null,"id":"64c0ffee00000000000000a1","providerName":"AWS","routeTableCidrBlock":"10.1.0.0/16","statusName":"AVAILABLE","vpcId":"vpc-0123"}"#;
        let expected = Peering {
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
        };
        assert_eq!(peering(Provider::Aws, json).unwrap(), expected);
    }

    #[test]
    fn azure_and_gcp_have_their_own_fields() {
        let azure = r#"{"azureDirectoryId":"d","azureSubscriptionId":"s","containerId":"c","errorState":"RETRYABLE","id":"i","resourceGroupName":"rg","status":"FAILED","vnetName":"hub"}"#;
        let gcp = r#"{"containerId":"c","errorMessage":"no such network","gcpProjectId":"p","id":"i","networkName":"default","status":"WAITING_FOR_USER"}"#;
        for (provider, json, expected) in [
            (Provider::Azure, azure, ["hub", "FAILED", "s", "rg", "RETRYABLE"]),
            (Provider::Gcp, gcp, ["default", "WAITING_FOR_USER", "p", "", "OTHER"]),
        ] {
            let Peering { vpc_id, status, cloud_account, resource_group, .. } = &peering(provider, json).unwrap();
            let code = peering(provider, json).unwrap().error_code().unwrap();
            assert_eq!([vpc_id, status, cloud_account, resource_group, code], expected);
        }
    }

    #[test]
    fn every_field_may_be_missing_or_null() {
        for json in ["{}", r#"{"id":null,"vpcId":null,"statusName":null,"errorStateName":null}"#] {
            let peering = peering(Provider::Aws, json).unwrap();
            assert_eq!(peering, Peering { status: "UNKNOWN".into(), ..Peering::default() });
        }
    }

    #[test]
    fn an_empty_field_counts_as_missing() {
        let json = r#"{"statusName":"","errorStateName":"","errorMessage":"REJECTED: vpc peering connection request was rejected"}"#;
        let peering = peering(Provider::Aws, json).unwrap();
        assert_eq!((peering.status.as_str(), peering.error_code()), ("UNKNOWN", Some("REJECTED")));
    }

    #[test]
    fn a_peering_of_another_provider_is_refused() {
        let error = peering(Provider::Azure, r#"{"providerName":"AWS"}"#).unwrap_err();
        assert_eq!(error.to_string(), "requested AZURE peerings, but the response contains one of AWS");
        assert!(peering(Provider::Azure, r#"{"providerName":"Azure"}"#).is_ok());
        assert!(peering(Provider::Azure, r#"{"vpcId":"vpc-1"}"#).is_err(), "v1.0 does not name the provider");
    }

    #[test]
    fn another_type_or_an_overlong_text_costs_only_its_label() {
        let overlong = format!("\"{}\"", "v".repeat(MAX_PEERING_FIELD + 1));
        for other in ["123456789012", "1e999", "true", "[\"a\"]", "{\"a\":[1]}", "\"\\ud800\"", &overlong] {
            for field in ["awsAccountId", "containerId", "connectionId", "accepterRegionName", "routeTableCidrBlock"] {
                let json = format!(r#"{{"id":"i","vpcId":"v","statusName":"AVAILABLE","{field}":{other}}}"#);
                let expected =
                    Peering { id: "i".into(), vpc_id: "v".into(), status: "AVAILABLE".into(), ..Peering::default() };
                assert_eq!(peering(Provider::Aws, &json).unwrap(), expected, "{json}");
            }
        }
        for field in ["errorStateName", "errorState", "errorMessage"] {
            assert_eq!(peering(Provider::Aws, &format!(r#"{{"{field}":7}}"#)).unwrap().error, None);
        }
        for field in ["id", "vpcId", "vnetName", "networkName", "statusName", "status", "providerName"] {
            assert!(serde_json::from_str::<WirePeering>(&format!(r#"{{"{field}":7}}"#)).is_err(), "{field}");
        }
    }

    #[test]
    fn an_overlong_name_is_refused() {
        let json = format!(r#"{{"vpcId":"{}"}}"#, "v".repeat(MAX_PEERING_FIELD + 1));
        assert_eq!(peering(Provider::Aws, &json).unwrap_err().to_string(), "a `vpcId` is longer than 1024 bytes");
    }

    #[test]
    fn the_creation_time_comes_from_the_id() {
        let created = |id: &str| Peering { id: id.into(), ..Peering::default() }.created();
        let at = |seconds| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(created("5f3a556351db42631e16f33a"), at(0x5f3a_5563));
        for id in ["5f3a5563", "+f3a556351db42631e16f33a", "ééééééééabcd"] {
            assert_eq!(created(id), None, "{id}");
        }
    }
}
