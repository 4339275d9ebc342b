//! The groups as they are now. Each container and peering has an ID, and IDs and names are unique in a group.

use std::{
    collections::{HashMap, HashSet},
    iter,
    time::{Duration, SystemTime},
};

use serde_json::Value;

use super::change::{Change, ChangeError, MAX_ADDED, MAX_GROUPS, MAX_PEERINGS};
use crate::scenario::{group::ScenarioGroup, peering::ScenarioPeering};

/// How long ago something without an ID and an age was created.
const DEFAULT_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Every group in the order of the scenario.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    groups: Vec<ScenarioGroup>,
    /// Distinguishes IDs of the same second.
    serial: u64,
}

impl Groups {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &ScenarioGroup> {
        self.groups.iter()
    }

    pub(crate) fn get(&self, id: &str) -> Option<&ScenarioGroup> {
        self.groups.iter().find(|group| group.id == id)
    }

    /// Adds a group with at most this many peerings, or replaces the one with the same ID.
    pub(crate) fn add(&mut self, group: &ScenarioGroup, most: u32, now: SystemTime) -> Result<(), ChangeError> {
        let group = resolve(group, most, now, &mut self.serial)?;
        match self.groups.iter().position(|known| known.id == group.id) {
            Some(index) => self.groups[index] = group,
            None if self.groups.len() >= MAX_GROUPS => return Err(ChangeError::TooManyGroups),
            None => self.groups.push(group),
        }
        Ok(())
    }

    pub(crate) fn remove(&mut self, id: &str) -> Result<(), ChangeError> {
        let index = self.groups.iter().position(|group| group.id == id);
        let index = index.ok_or_else(|| ChangeError::NoGroup(id.to_owned()))?;
        self.groups.remove(index);
        Ok(())
    }

    /// Makes a change and returns the IDs of the peerings it affected.
    pub(crate) fn change(&mut self, group: &str, change: &Change, now: SystemTime) -> Result<Vec<String>, ChangeError> {
        match change {
            Change::Status { peering, status, error } => {
                let peering = self.find(group, peering)?;
                peering.set_status(status, error.as_deref());
                Ok(peering.id.iter().cloned().collect())
            }
            Change::Remove { peering } => {
                let id = self.find(group, peering)?.id.clone();
                find_group(&mut self.groups, group)?.peerings.retain(|peering| peering.id != id);
                Ok(id.into_iter().collect())
            }
            Change::Add(peering) => put(find_group(&mut self.groups, group)?, peering, now, &mut self.serial),
        }
    }

    /// Finds a peering by its ID or name.
    pub(crate) fn find(&mut self, group: &str, key: &str) -> Result<&mut ScenarioPeering, ChangeError> {
        let mut peerings = find_group(&mut self.groups, group)?.peerings.iter_mut();
        let peering = peerings.find(|peering| peering.keys().any(|known| known == key));
        peering.ok_or_else(|| ChangeError::NoPeering { group: group.to_owned(), peering: key.to_owned() })
    }
}

fn find_group<'a>(groups: &'a mut [ScenarioGroup], id: &str) -> Result<&'a mut ScenarioGroup, ChangeError> {
    let group = groups.iter_mut().find(|group| group.id == id);
    group.ok_or_else(|| ChangeError::NoGroup(id.to_owned()))
}

/// Checks a group, expands its peerings and gives everything in it an ID. More than `most` peerings are an error.
fn resolve(group: &ScenarioGroup, most: u32, now: SystemTime, serial: &mut u64) -> Result<ScenarioGroup, ChangeError> {
    if let Some(id) = iter::once(&group.id).chain(&group.org_id).find(|id| !is_object_id(id)) {
        return Err(ChangeError::BadId(id.clone()));
    }
    let mut resolved = ScenarioGroup { peerings: Vec::new(), ..group.clone() };
    let mut known = HashSet::new();
    for container in &mut resolved.containers {
        let id = resolve_id(&mut container.id, None, now, serial)?;
        if !known.insert(id.to_owned()) {
            return Err(ChangeError::ContainerTwice { group: group.id.clone(), container: id.to_owned() });
        }
    }
    for peering in &group.peerings {
        resolved.peerings.extend(expand(peering, most, now, serial)?);
        if resolved.peerings.len() > most as usize {
            return Err(ChangeError::TooMany { group: group.id.clone(), most });
        }
    }
    let mut known = HashSet::new();
    for key in resolved.peerings.iter().flat_map(ScenarioPeering::keys) {
        if !known.insert(key) {
            return Err(twice(group, key));
        }
    }
    Ok(resolved)
}

/// The single peerings that this one stands for, of which there can be `most`, each with an ID.
fn expand(
    peering: &ScenarioPeering,
    most: u32,
    now: SystemTime,
    serial: &mut u64,
) -> Result<Vec<ScenarioPeering>, ChangeError> {
    let repeat = peering.repeat.unwrap_or(1);
    if !(1..=if peering.id.is_some() { 1 } else { most }).contains(&repeat) {
        return Err(ChangeError::BadRepeat { repeat, most });
    }
    let copy = |number: u32| {
        let mut copy = ScenarioPeering { repeat: None, ..peering.clone() };
        if peering.repeat.is_some() {
            let texts = copy.fields.values_mut().filter_map(|value| match value {
                Value::String(text) => Some(text),
                _ => None,
            });
            for text in texts.chain(&mut copy.name) {
                *text = text.replace("{n}", &number.to_string());
            }
        }
        resolve_id(&mut copy.id, copy.age, now, serial)?;
        Ok(copy)
    };
    (1..=repeat).map(copy).collect()
}

/// Adds every copy, or replaces the peering with its ID or name. An error leaves the group unchanged.
fn put(
    group: &mut ScenarioGroup,
    peering: &ScenarioPeering,
    now: SystemTime,
    serial: &mut u64,
) -> Result<Vec<String>, ChangeError> {
    let copies = expand(peering, MAX_ADDED, now, serial)?;
    let ids = copies.iter().filter_map(|copy| copy.id.clone()).collect();
    let positions = positions(group, &copies)?;
    for (copy, position) in copies.into_iter().zip(positions) {
        match position {
            Some(index) => group.peerings[index] = copy,
            None => group.peerings.push(copy),
        }
    }
    Ok(ids)
}

/// The position of the peering that each of the new ones replaces.
fn positions(group: &ScenarioGroup, new: &[ScenarioPeering]) -> Result<Vec<Option<usize>>, ChangeError> {
    let mut known = HashMap::new();
    for (index, peering) in group.peerings.iter().enumerate() {
        known.extend(peering.keys().map(|key| (key, index)));
    }
    let mut added = HashSet::new();
    let mut positions = Vec::new();
    for peering in new {
        let mut found = peering.keys().filter_map(|key| known.get(key).map(|index| (key, *index)));
        let first = found.next();
        let other = found.find(|(_, index)| first.is_some_and(|(_, first)| first != *index));
        let again = peering.keys().find(|key| added.contains(key));
        if let Some(key) = other.map(|(key, _)| key).or(again) {
            return Err(twice(group, key));
        }
        added.extend(peering.keys());
        positions.push(first.map(|(_, index)| index));
    }
    let more = positions.iter().filter(|position| position.is_none()).count();
    if group.peerings.len() + more > MAX_PEERINGS && more > 0 {
        return Err(ChangeError::Full(group.id.clone()));
    }
    Ok(positions)
}

fn twice(group: &ScenarioGroup, key: &str) -> ChangeError {
    ChangeError::Twice { group: group.id.clone(), peering: key.to_owned() }
}

/// Whether a text is an ID as Atlas makes them.
pub(crate) fn is_object_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The chosen ID, or a new one, whose first eight digits are the second of creation.
fn resolve_id<'a>(
    id: &'a mut Option<String>,
    age: Option<Duration>,
    now: SystemTime,
    serial: &mut u64,
) -> Result<&'a str, ChangeError> {
    if let Some(id) = id.as_ref().filter(|id| !is_object_id(id)) {
        return Err(ChangeError::BadId(id.clone()));
    }
    Ok(id.get_or_insert_with(|| {
        *serial += 1;
        let created = now
            .checked_sub(age.unwrap_or(DEFAULT_AGE))
            .and_then(|created| created.duration_since(SystemTime::UNIX_EPOCH).ok());
        let seconds = created.map_or(0, |created| created.as_secs()) & 0xffff_ffff;
        format!("{seconds:08x}{serial:016x}")
    }))
}

#[cfg(test)]
mod tests;
