//! Divides the groups of an organization among several exporters.

use std::str::FromStr;

use sha2::{Digest, Sha256};

/// The most exporters, far more than an organization needs.
const MAX_SHARDS: u32 = 1000;

/// One of several exporters, each of which polls its own groups. They do not communicate: the ID of a group alone
/// decides which of them owns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 0.
    pub index: u32,
    /// From 1.
    pub count: u32,
}

/// Where the index of a shard comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShardIndex {
    /// The flag itself, from 0.
    Number(u32),
    /// The number at the end of the hostname, as a Kubernetes `StatefulSet` assigns it to its pods.
    HostName,
}

/// The flags do not describe a shard.
#[derive(Debug, thiserror::Error)]
pub enum InvalidShard {
    /// Neither a number nor `hostname`.
    #[error("must be a number from 0, or `hostname`")]
    Index,
    /// Not from 1 to the maximum.
    #[error("--shard.count must be from 1 to {MAX_SHARDS}")]
    Count,
    /// The index is too large for the number of shards.
    #[error("--shard.index is {0}, but must be below --shard.count, which is {1}")]
    OutOfRange(u32, u32),
    /// The hostname does not end with a hyphen and a number.
    #[error("the hostname `{0}` does not end with a number, as in `exporter-0`")]
    HostName(String),
}

impl Shard {
    /// The only exporter, which owns every group.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// The shard that the flags describe.
    ///
    /// # Errors
    /// A number is out of range, or the hostname has none.
    pub fn new(index: ShardIndex, count: u32, host_name: &str) -> Result<Self, InvalidShard> {
        if !(1..=MAX_SHARDS).contains(&count) {
            return Err(InvalidShard::Count);
        }
        let index = match index {
            ShardIndex::Number(number) => number,
            ShardIndex::HostName => ordinal(host_name).ok_or_else(|| InvalidShard::HostName(host_name.to_owned()))?,
        };
        if index < count { Ok(Self { index, count }) } else { Err(InvalidShard::OutOfRange(index, count)) }
    }

    /// Whether this shard owns the group (rendezvous hashing: the shard with the highest hash owns it). Adding a shard
    /// moves groups to the new shard only, an equal share from each of the others.
    #[must_use]
    pub fn owns(self, group: &str) -> bool {
        let hash = |index: &u32| Sha256::digest(format!("{index}/{group}"));
        (0..self.count).max_by_key(hash) == Some(self.index)
    }
}

fn ordinal(host_name: &str) -> Option<u32> {
    let pod = host_name.split('.').next()?;
    pod.rsplit_once('-')?.1.parse().ok()
}

impl FromStr for ShardIndex {
    type Err = InvalidShard;

    fn from_str(text: &str) -> Result<Self, InvalidShard> {
        match text {
            "hostname" => Ok(Self::HostName),
            number => number.parse().map(Self::Number).map_err(|_| InvalidShard::Index),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(count: u32) -> impl Iterator<Item = String> {
        // Consecutive IDs, as in an organization whose groups were created at the same time.
        (0..count).map(|n| format!("5e57d85c854180642f{n:06x}"))
    }

    fn owner(group: &str, count: u32) -> u32 {
        let owners: Vec<u32> = (0..count).filter(|index| Shard { index: *index, count }.owns(group)).collect();
        assert_eq!(owners.len(), 1, "{group} of {count}: {owners:?}");
        owners[0]
    }

    #[test]
    fn three_shards_divide_a_thousand_groups_evenly() {
        let mut sizes = [0u32; 3];
        for group in ids(1000) {
            sizes[owner(&group, 3) as usize] += 1;
        }
        let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
        assert!(most * 100 <= least * 120, "{sizes:?}");
    }

    #[test]
    fn a_fourth_shard_takes_its_share_and_moves_no_other_group() {
        let mut moved = 0;
        for group in ids(1000) {
            let (before, after) = (owner(&group, 3), owner(&group, 4));
            assert!(before == after || after == 3, "{group} moved from {before} to {after}");
            moved += u32::from(before != after);
        }
        assert!((200..=300).contains(&moved), "{moved} of 1000");
    }

    #[test]
    fn the_owners_stay_the_same_from_one_version_to_the_next() {
        let owners: Vec<u32> = ids(12).map(|group| owner(&group, 5)).collect();
        assert_eq!(owners, [4, 4, 2, 2, 2, 0, 0, 3, 3, 3, 2, 3]);
    }

    #[test]
    fn the_hostname_of_a_stateful_set_pod_holds_the_index() {
        let shard = |name| Shard::new(ShardIndex::HostName, 3, name).map(|shard| shard.index);
        assert_eq!(shard("peering-exporter-2").unwrap(), 2);
        assert_eq!(shard("peering-exporter-0.monitoring.svc").unwrap(), 0);
        for name in ["", "exporter", "exporter-", "exporter-x", "exporter-3"] {
            assert!(shard(name).is_err(), "{name}");
        }
    }

    #[test]
    fn invalid_indexes_and_counts_are_rejected() {
        let error = |index, count| Shard::new(index, count, "").unwrap_err().to_string();
        assert_eq!(error(ShardIndex::Number(3), 3), "--shard.index is 3, but must be below --shard.count, which is 3");
        assert_eq!(error(ShardIndex::Number(0), 0), "--shard.count must be from 1 to 1000");
        assert!("first".parse::<ShardIndex>().is_err() && "-1".parse::<ShardIndex>().is_err());
        assert_eq!("hostname".parse::<ShardIndex>().unwrap(), ShardIndex::HostName);
    }
}
