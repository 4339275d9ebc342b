//! The groups and their peerings as they are now, and the changes that can happen to them.

use std::{
    collections::{HashMap, HashSet},
    iter,
    time::SystemTime,
};

use super::{
    Change, ChangeError, Group, Peering,
    change::{MAX_ADDED, MAX_PEERINGS, MAX_REPEAT},
    object_id,
};

/// Every group in the order of the scenario.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: Vec<Inhabited>,
    serial: u64,
}

/// A group with its peerings, each of which has an id by now.
#[derive(Debug)]
pub(super) struct Inhabited {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) access: bool,
    pub(super) peerings: Vec<Placed>,
}

#[derive(Debug)]
pub(super) struct Placed {
    pub(super) id: String,
    pub(super) peering: Peering,
}

impl Groups {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Inhabited> {
        self.groups.iter()
    }

    pub(super) fn get(&self, id: &str) -> Option<&Inhabited> {
        self.groups.iter().find(|group| group.id == id)
    }

    /// Adds a group, or replaces the one with the same id.
    pub(super) fn add(&mut self, group: &Group, now: SystemTime) -> Result<(), ChangeError> {
        if !object_id::is_valid(&group.id) {
            return Err(ChangeError::BadId(group.id.clone()));
        }
        let mut inhabited =
            Inhabited { id: group.id.clone(), name: group.name.clone(), access: group.access, peerings: Vec::new() };
        let mut known = HashSet::new();
        for peering in &group.peerings {
            for copy in copies(peering, MAX_REPEAT)? {
                let placed = place(copy, now, &mut self.serial)?;
                if let Some(key) = placed.keys().find(|key| known.contains(*key)) {
                    return Err(inhabited.twice(key));
                }
                known.extend(placed.keys().map(str::to_owned));
                inhabited.peerings.push(placed);
            }
        }
        match self.groups.iter_mut().find(|known| known.id == group.id) {
            Some(known) => *known = inhabited,
            None => self.groups.push(inhabited),
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, id: &str) -> Result<(), ChangeError> {
        let index = self.groups.iter().position(|group| group.id == id);
        let index = index.ok_or_else(|| ChangeError::NoGroup(id.to_owned()))?;
        self.groups.remove(index);
        Ok(())
    }

    /// Makes a change and returns the ids of the peerings it touched.
    pub(super) fn change(&mut self, group: &str, change: &Change, now: SystemTime) -> Result<Vec<String>, ChangeError> {
        let Groups { groups, serial } = self;
        let group = find_group(groups, group)?;
        match change {
            Change::Status { peering, status, error } => {
                let placed = group.find(peering)?;
                placed.peering.set_status(status, error.as_deref());
                Ok(vec![placed.id.clone()])
            }
            Change::Remove { peering } => {
                let id = group.find(peering)?.id.clone();
                group.peerings.retain(|placed| placed.id != id);
                Ok(vec![id])
            }
            Change::Add(peering) => group.put(peering, now, serial),
        }
    }

    /// Finds a peering by its id or its name.
    pub(super) fn find(&mut self, group: &str, key: &str) -> Result<&mut Placed, ChangeError> {
        find_group(&mut self.groups, group)?.find(key)
    }
}

impl Inhabited {
    fn find(&mut self, key: &str) -> Result<&mut Placed, ChangeError> {
        let placed = self.peerings.iter_mut().find(|placed| placed.keys().any(|known| known == key));
        placed.ok_or_else(|| ChangeError::NoPeering { group: self.id.clone(), peering: key.to_owned() })
    }

    /// Adds every copy, or puts it in place of the one with its id or name. Makes all of the change or nothing.
    fn put(&mut self, peering: &Peering, now: SystemTime, serial: &mut u64) -> Result<Vec<String>, ChangeError> {
        let copies = copies(peering, MAX_ADDED)?.map(|copy| place(copy, now, serial));
        let copies = copies.collect::<Result<Vec<_>, _>>()?;
        let places = self.places(&copies)?;
        let ids = copies.iter().map(|placed| placed.id.clone()).collect();
        for (placed, index) in copies.into_iter().zip(places) {
            match index {
                Some(index) => self.peerings[index] = placed,
                None => self.peerings.push(placed),
            }
        }
        Ok(ids)
    }

    /// Which peering each of the new ones replaces, if any.
    fn places(&self, new: &[Placed]) -> Result<Vec<Option<usize>>, ChangeError> {
        let mut known = HashMap::new();
        for (index, placed) in self.peerings.iter().enumerate() {
            known.extend(placed.keys().map(|key| (key, index)));
        }
        let mut added = HashSet::new();
        let mut places = Vec::new();
        for placed in new {
            let mut found = placed.keys().filter_map(|key| known.get(key).map(|index| (key, *index)));
            let first = found.next();
            let other = found.find(|(_, index)| first.is_some_and(|(_, first)| first != *index));
            let again = placed.keys().find(|key| added.contains(key));
            if let Some(key) = other.map(|(key, _)| key).or(again) {
                return Err(self.twice(key));
            }
            added.extend(placed.keys());
            places.push(first.map(|(_, index)| index));
        }
        let more = places.iter().filter(|place| place.is_none()).count();
        if self.peerings.len() + more > MAX_PEERINGS && more > 0 {
            return Err(ChangeError::Full(self.id.clone()));
        }
        Ok(places)
    }

    fn twice(&self, key: &str) -> ChangeError {
        ChangeError::Twice { group: self.id.clone(), peering: key.to_owned() }
    }
}

impl Placed {
    /// What it can be called: its id, and its name if it has one.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        let name = self.peering.name.as_deref().filter(|name| *name != self.id);
        iter::once(self.id.as_str()).chain(name)
    }
}

fn find_group<'a>(groups: &'a mut [Inhabited], id: &str) -> Result<&'a mut Inhabited, ChangeError> {
    let group = groups.iter_mut().find(|group| group.id == id);
    group.ok_or_else(|| ChangeError::NoGroup(id.to_owned()))
}

/// Gives a peering its id.
fn place(peering: Peering, now: SystemTime, serial: &mut u64) -> Result<Placed, ChangeError> {
    let id = match &peering.id {
        Some(id) if !object_id::is_valid(id) => return Err(ChangeError::BadId(id.clone())),
        Some(id) => id.clone(),
        None => {
            *serial += 1;
            let created = now.checked_sub(peering.age());
            object_id::new(created.unwrap_or(SystemTime::UNIX_EPOCH), *serial)
        }
    };
    Ok(Placed { id, peering })
}

/// The single peerings that this one stands for.
fn copies(peering: &Peering, most: u32) -> Result<impl Iterator<Item = Peering> + '_, ChangeError> {
    let limit = if peering.id.is_some() { 1 } else { most };
    match peering.repeat {
        Some(repeat) if !(1..=limit).contains(&repeat) => Err(ChangeError::BadRepeat { repeat, most }),
        _ => Ok(peering.copies()),
    }
}

#[cfg(test)]
mod tests;
