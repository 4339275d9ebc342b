//! The groups as they are now, and the changes that can happen to them.

use std::time::SystemTime;

use super::{
    Change, ChangeError, Group,
    change::MAX_GROUPS,
    inhabited::{Inhabited, Placed},
};

/// Every group in the order of the scenario.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: Vec<Inhabited>,
    serial: u64,
}

impl Groups {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Inhabited> {
        self.groups.iter()
    }

    pub(super) fn get(&self, id: &str) -> Option<&Inhabited> {
        self.groups.iter().find(|group| group.id == id)
    }

    /// Adds a group with at most so many peerings, or replaces the one with the same id.
    pub(super) fn add(&mut self, group: &Group, most: u32, now: SystemTime) -> Result<(), ChangeError> {
        let inhabited = Inhabited::of(group, most, now, &mut self.serial)?;
        match self.groups.iter().position(|known| known.id == group.id) {
            Some(index) => self.groups[index] = inhabited,
            None if self.groups.len() >= MAX_GROUPS => return Err(ChangeError::TooManyGroups),
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

fn find_group<'a>(groups: &'a mut [Inhabited], id: &str) -> Result<&'a mut Inhabited, ChangeError> {
    let group = groups.iter_mut().find(|group| group.id == id);
    group.ok_or_else(|| ChangeError::NoGroup(id.to_owned()))
}

#[cfg(test)]
mod tests;
