//! The peerings of one group and provider.

use std::time::Duration;

use crate::{
    Client, GroupId, ListError, Peering, Provider, Resource,
    model::peering::WirePeering,
    paging::pages::{All, Item},
};

/// All peerings of one group and provider, at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// In Atlas's order, each id once.
    pub peerings: Vec<Peering>,
    /// How many times Atlas sent a peering that it had already sent.
    pub duplicates: u64,
}

impl Client {
    /// Lists completely; one missing page fails the whole listing. After a passing failure a page is asked for again,
    /// up to `retries` times, with pauses that grow.
    ///
    /// # Errors
    /// The page that failed and why. Never later than `deadline`, repetitions included.
    pub async fn list(
        &self,
        group: &GroupId,
        provider: Provider,
        deadline: Duration,
        retries: usize,
    ) -> Result<Listing, ListError> {
        let resource = Resource::Peers { group: group.clone(), provider };
        let parse = |wire: WirePeering| wire.into_peering(provider);
        let All { results, duplicates } = self.all(resource, deadline, retries, parse).await?;
        Ok(Listing { peerings: results, duplicates })
    }
}

impl Item for Peering {
    fn id(&mut self) -> &mut String {
        &mut self.id
    }
}
