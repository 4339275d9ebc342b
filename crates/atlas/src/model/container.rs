//! The network containers of a group: the Atlas side of a peering.

use serde::Deserialize;

use super::wire::{FirstItems, HasId, LabelText, Lenient, Text, first_non_empty};

/// Longer IDs, regions and CIDR blocks are truncated to this many bytes: they become labels.
const MAX_CONTAINER_FIELD: usize = 128;

/// More regions than any container has; further ones are skipped.
const MAX_REGIONS: usize = 100;

/// A network of Atlas that peerings connect to. A field that Atlas omitted is empty.
///
/// `vpcId`, `vnetName` and `networkName` mean Atlas's network here but the user's in a peering, so they are not read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// The `containerId` of its peerings.
    pub id: String,
    /// In Atlas's spelling, such as `EU_WEST_1`: AWS `regionName`, Azure `region`. A GCP container is global, and has a
    /// region only if Atlas lists regions.
    pub region: String,
    /// `atlasCidrBlock`: the addresses of Atlas's network.
    pub cidr_block: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct WireContainer {
    id: Text<MAX_CONTAINER_FIELD>,
    region_name: LabelText<MAX_CONTAINER_FIELD>,
    region: LabelText<MAX_CONTAINER_FIELD>,
    regions: Lenient<FirstItems<LabelText<MAX_CONTAINER_FIELD>, MAX_REGIONS>>,
    atlas_cidr_block: LabelText<MAX_CONTAINER_FIELD>,
}

impl HasId for WireContainer {
    fn id(&mut self) -> &mut Option<String> {
        &mut self.id.kept
    }
}

impl From<WireContainer> for Container {
    fn from(wire: WireContainer) -> Self {
        let regions = wire.regions.0.0.into_iter().filter_map(|region| region.0.kept).collect::<Vec<_>>().join(",");
        let region = first_non_empty([wire.region_name.0, wire.region.0, Text::cut(&regions)]);
        Self {
            id: wire.id.kept.unwrap_or_default(),
            region: region.kept.unwrap_or_default(),
            cidr_block: wire.atlas_cidr_block.into_cut(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(json: &str) -> Container {
        serde_json::from_str::<WireContainer>(json).unwrap().into()
    }

    #[test]
    fn every_provider_has_its_own_field_for_the_region_of_a_container() {
        for (json, region) in [
            (r#"{"providerName":"AWS","regionName":"EU_WEST_1","vpcId":"vpc-1"}"#, "EU_WEST_1"),
            (r#"{"providerName":"AZURE","region":"US_EAST_2","vnetName":"vnet_1"}"#, "US_EAST_2"),
            (r#"{"providerName":"GCP","regions":["EASTERN_US",null,"CENTRAL_US"]}"#, "EASTERN_US,CENTRAL_US"),
            (r#"{"providerName":"GCP","networkName":"nt-1"}"#, ""),
            (r#"{"regionName":7,"region":{},"regions":["A",7],"atlasCidrBlock":1e999}"#, "A"),
            (r#"{"regionName":null,"region":null,"regions":null}"#, ""),
            (r#"{"regions":"EU"}"#, ""),
        ] {
            assert_eq!(container(json).region, region, "{json}");
        }
        assert_eq!(container(r#"{"atlasCidrBlock":"192.168.248.0/21"}"#).cidr_block, "192.168.248.0/21");
    }
}
