//! The groups as they are now. Each container and peering has an ID, and no ID or name is there twice in a group.

use std::{
    collections::{HashMap, HashSet},
    iter,
    time::{Duration, SystemTime},
};

use super::change::{Change, ChangeError, MAX_ADDED, MAX_GROUPS, MAX_PEERINGS};
use crate::scenario::{container::ScenarioContainer, group::ScenarioGroup, peering::ScenarioPeering};

/// How long ago a container without an ID was created.
const CONTAINER_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Every group in the order of the scenario.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    groups: Vec<LiveGroup>,
    /// Distinguishes IDs of the same second.
    serial: u64,
}

#[derive(Debug)]
pub(crate) struct LiveGroup {
    /// The group without its containers and peerings, which are below.
    pub(crate) group: ScenarioGroup,
    pub(crate) containers: Vec<LiveContainer>,
    pub(crate) peerings: Vec<LivePeering>,
}

#[derive(Debug)]
pub(crate) struct LiveContainer {
    pub(crate) id: String,
    pub(crate) container: ScenarioContainer,
}

#[derive(Debug)]
pub(crate) struct LivePeering {
    pub(crate) id: String,
    pub(crate) peering: ScenarioPeering,
}

impl Groups {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &LiveGroup> {
        self.groups.iter()
    }

    pub(crate) fn get(&self, id: &str) -> Option<&LiveGroup> {
        self.groups.iter().find(|live| live.group.id == id)
    }

    /// Adds a group with at most this many peerings, or replaces the one with the same ID.
    pub(crate) fn add(&mut self, group: &ScenarioGroup, most: u32, now: SystemTime) -> Result<(), ChangeError> {
        let live = LiveGroup::new(group, most, now, &mut self.serial)?;
        match self.groups.iter().position(|known| known.group.id == group.id) {
            Some(index) => self.groups[index] = live,
            None if self.groups.len() >= MAX_GROUPS => return Err(ChangeError::TooManyGroups),
            None => self.groups.push(live),
        }
        Ok(())
    }

    pub(crate) fn remove(&mut self, id: &str) -> Result<(), ChangeError> {
        let index = self.groups.iter().position(|live| live.group.id == id);
        let index = index.ok_or_else(|| ChangeError::NoGroup(id.to_owned()))?;
        self.groups.remove(index);
        Ok(())
    }

    /// Makes a change and returns the IDs of the peerings it affected.
    pub(crate) fn change(&mut self, group: &str, change: &Change, now: SystemTime) -> Result<Vec<String>, ChangeError> {
        let Groups { groups, serial } = self;
        let group = find_group(groups, group)?;
        match change {
            Change::Status { peering, status, error } => {
                let live = group.find(peering)?;
                live.peering.set_status(status, error.as_deref());
                Ok(vec![live.id.clone()])
            }
            Change::Remove { peering } => {
                let id = group.find(peering)?.id.clone();
                group.peerings.retain(|live| live.id != id);
                Ok(vec![id])
            }
            Change::Add(peering) => group.put(peering, now, serial),
        }
    }

    /// Finds a peering by its ID or name.
    pub(crate) fn find(&mut self, group: &str, key: &str) -> Result<&mut LivePeering, ChangeError> {
        find_group(&mut self.groups, group)?.find(key)
    }
}

fn find_group<'a>(groups: &'a mut [LiveGroup], id: &str) -> Result<&'a mut LiveGroup, ChangeError> {
    let group = groups.iter_mut().find(|live| live.group.id == id);
    group.ok_or_else(|| ChangeError::NoGroup(id.to_owned()))
}

impl LiveGroup {
    /// Gives everything in a group its ID. More than `most` peerings are an error.
    fn new(group: &ScenarioGroup, most: u32, now: SystemTime, serial: &mut u64) -> Result<LiveGroup, ChangeError> {
        if let Some(id) = iter::once(&group.id).chain(&group.org_id).find(|id| !is_object_id(id)) {
            return Err(ChangeError::BadId(id.clone()));
        }
        let bare = ScenarioGroup { containers: Vec::new(), peerings: Vec::new(), ..group.clone() };
        let mut live = LiveGroup { group: bare, containers: Vec::new(), peerings: Vec::new() };
        for container in &group.containers {
            let id = new_id(container.id.as_ref(), CONTAINER_AGE, now, serial)?;
            if live.containers.iter().any(|known| known.id == id) {
                return Err(ChangeError::ContainerTwice { group: group.id.clone(), container: id });
            }
            live.containers.push(LiveContainer { id, container: container.clone() });
        }
        let mut known = HashSet::new();
        for peering in &group.peerings {
            for copy in expand(peering, most)? {
                if live.peerings.len() >= most as usize {
                    return Err(ChangeError::TooMany { group: group.id.clone(), most });
                }
                let peering = LivePeering::new(copy, now, serial)?;
                if let Some(key) = peering.keys().find(|key| known.contains(*key)) {
                    return Err(live.twice(key));
                }
                known.extend(peering.keys().map(str::to_owned));
                live.peerings.push(peering);
            }
        }
        Ok(live)
    }

    /// Finds a peering by its ID or name.
    fn find(&mut self, key: &str) -> Result<&mut LivePeering, ChangeError> {
        let live = self.peerings.iter_mut().find(|live| live.keys().any(|known| known == key));
        live.ok_or_else(|| ChangeError::NoPeering { group: self.group.id.clone(), peering: key.to_owned() })
    }

    /// Adds every copy, or replaces the peering with its ID or name. An error leaves the group unchanged.
    fn put(
        &mut self,
        peering: &ScenarioPeering,
        now: SystemTime,
        serial: &mut u64,
    ) -> Result<Vec<String>, ChangeError> {
        let copies = expand(peering, MAX_ADDED)?.map(|copy| LivePeering::new(copy, now, serial));
        let copies = copies.collect::<Result<Vec<_>, _>>()?;
        let positions = self.positions(&copies)?;
        let ids = copies.iter().map(|live| live.id.clone()).collect();
        for (live, position) in copies.into_iter().zip(positions) {
            match position {
                Some(index) => self.peerings[index] = live,
                None => self.peerings.push(live),
            }
        }
        Ok(ids)
    }

    /// The position of the peering that each of the new ones replaces.
    fn positions(&self, new: &[LivePeering]) -> Result<Vec<Option<usize>>, ChangeError> {
        let mut known = HashMap::new();
        for (index, live) in self.peerings.iter().enumerate() {
            known.extend(live.keys().map(|key| (key, index)));
        }
        let mut added = HashSet::new();
        let mut positions = Vec::new();
        for live in new {
            let mut found = live.keys().filter_map(|key| known.get(key).map(|index| (key, *index)));
            let first = found.next();
            let other = found.find(|(_, index)| first.is_some_and(|(_, first)| first != *index));
            let again = live.keys().find(|key| added.contains(key));
            if let Some(key) = other.map(|(key, _)| key).or(again) {
                return Err(self.twice(key));
            }
            added.extend(live.keys());
            positions.push(first.map(|(_, index)| index));
        }
        let more = positions.iter().filter(|position| position.is_none()).count();
        if self.peerings.len() + more > MAX_PEERINGS && more > 0 {
            return Err(ChangeError::Full(self.group.id.clone()));
        }
        Ok(positions)
    }

    fn twice(&self, key: &str) -> ChangeError {
        ChangeError::Twice { group: self.group.id.clone(), peering: key.to_owned() }
    }
}

impl LivePeering {
    fn new(peering: ScenarioPeering, now: SystemTime, serial: &mut u64) -> Result<LivePeering, ChangeError> {
        let id = new_id(peering.id.as_ref(), peering.age(), now, serial)?;
        Ok(LivePeering { id, peering })
    }

    /// Its ID, and its name if it has one.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        let name = self.peering.name.as_deref().filter(|name| *name != self.id);
        iter::once(self.id.as_str()).chain(name)
    }
}

/// Whether a text is an ID as Atlas makes them.
pub(crate) fn is_object_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The chosen ID, or a new one, whose first eight digits are the second of creation.
fn new_id(chosen: Option<&String>, age: Duration, now: SystemTime, serial: &mut u64) -> Result<String, ChangeError> {
    match chosen {
        Some(id) if !is_object_id(id) => Err(ChangeError::BadId(id.clone())),
        Some(id) => Ok(id.clone()),
        None => {
            *serial += 1;
            let created = now.checked_sub(age).and_then(|created| created.duration_since(SystemTime::UNIX_EPOCH).ok());
            let seconds = created.map_or(0, |created| created.as_secs()) & 0xffff_ffff;
            Ok(format!("{seconds:08x}{serial:016x}"))
        }
    }
}

/// The single peerings that this one stands for.
fn expand(peering: &ScenarioPeering, most: u32) -> Result<impl Iterator<Item = ScenarioPeering> + '_, ChangeError> {
    let limit = if peering.id.is_some() { 1 } else { most };
    match peering.repeat {
        Some(repeat) if !(1..=limit).contains(&repeat) => Err(ChangeError::BadRepeat { repeat, most }),
        _ => Ok(peering.expand()),
    }
}

#[cfg(test)]
mod tests;
