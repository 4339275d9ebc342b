//! The network containers of a group: where a peering ends on Atlas's side.

use std::time::Duration;

use serde::Deserialize;

use crate::{Client, ErrorKind, GroupId, ListError, Resource, paging::pages::Item};

/// A longer region or CIDR block is no real one, and would be a label.
const MAX_WORD: usize = 128;

/// A network of Atlas's own that peerings lead to; a text that Atlas left out is empty.
///
/// `vpcId`, `vnetName` and `networkName` mean Atlas's network here and the user's in a peering, so they are not read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// What a peering's `containerId` names.
    pub id: String,
    /// In Atlas's spelling, such as `EU_WEST_1`: AWS `regionName`, Azure `region`. GCP's is global: it has one only
    /// where Atlas lists regions.
    pub region: String,
    /// `atlasCidrBlock`: the addresses of Atlas's network.
    pub cidr_block: String,
}

impl Client {
    /// Lists the containers of a group, of every provider.
    ///
    /// # Errors
    /// The page that failed and why. Never later than `deadline`.
    pub async fn containers(&self, group: &GroupId, deadline: Duration) -> Result<Vec<Container>, ListError> {
        let resource = Resource::Containers { group: group.clone() };
        Ok(self.all(resource, deadline, 0, WireContainer::parse).await?.results)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireContainer {
    id: Option<String>,
    region_name: Option<String>,
    region: Option<String>,
    regions: Option<Vec<Option<String>>>,
    atlas_cidr_block: Option<String>,
}

impl WireContainer {
    #[allow(clippy::unnecessary_wraps, reason = "other results can be refused")]
    fn parse(self) -> Result<Container, ErrorKind> {
        let regions = self.regions.into_iter().flatten().flatten().collect::<Vec<_>>().join(",");
        let region = [self.region_name, self.region, Some(regions)].into_iter().flatten().find(|text| !text.is_empty());
        Ok(Container { id: word(self.id), region: word(region), cidr_block: word(self.atlas_cidr_block) })
    }
}

impl Item for Container {
    fn id(&mut self) -> &mut String {
        &mut self.id
    }
}

/// Cut rather than refused: nothing depends on it.
fn word(text: Option<String>) -> String {
    text.unwrap_or_default().chars().take(MAX_WORD).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(json: &str) -> (String, String) {
        let container = serde_json::from_str::<WireContainer>(json).unwrap().parse().unwrap();
        (container.region, container.cidr_block)
    }

    #[test]
    fn every_provider_has_its_own_word_for_the_region() {
        for (json, region) in [
            (r#"{"providerName":"AWS","regionName":"EU_WEST_1","vpcId":"vpc-1"}"#, "EU_WEST_1"),
            (r#"{"providerName":"AZURE","region":"US_EAST_2","vnetName":"vnet_1"}"#, "US_EAST_2"),
            (r#"{"providerName":"GCP","regions":["EASTERN_US",null,"CENTRAL_US"]}"#, "EASTERN_US,CENTRAL_US"),
            (r#"{"providerName":"GCP","networkName":"nt-1"}"#, ""),
            (r#"{"regionName":null,"region":null,"regions":null}"#, ""),
        ] {
            assert_eq!(container(json).0, region, "{json}");
        }
    }

    #[test]
    fn the_addresses_are_those_of_atlas() {
        assert_eq!(container(r#"{"atlasCidrBlock":"192.168.248.0/21"}"#).1, "192.168.248.0/21");
    }
}
