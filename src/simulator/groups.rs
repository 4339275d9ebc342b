//! The groups and their peerings as they are now, and the changes that can happen to them.

use std::time::SystemTime;

use super::{Change, ChangeError, Group, Peering, change::MAX_REPEAT, object_id};

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
        for peering in &group.peerings {
            for copy in copies(peering)? {
                inhabited.peerings.push(self.place(copy, now)?);
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
        match change {
            Change::Status { peering, status, error } => {
                let placed = self.find(group, peering)?;
                placed.peering.status.clone_from(status);
                placed.peering.error.clone_from(error);
                Ok(vec![placed.id.clone()])
            }
            Change::Remove { peering } => {
                let id = self.find(group, peering)?.id.clone();
                self.group_mut(group)?.peerings.retain(|placed| placed.id != id);
                Ok(vec![id])
            }
            Change::Add(peering) => copies(peering)?.map(|copy| self.put(group, copy, now)).collect(),
        }
    }

    fn put(&mut self, group: &str, peering: Peering, now: SystemTime) -> Result<String, ChangeError> {
        self.group_mut(group)?;
        let placed = self.place(peering, now)?;
        let id = placed.id.clone();
        let peerings = &mut self.group_mut(group)?.peerings;
        let same = |known: &Placed| {
            known.id == id || (known.peering.name.is_some() && known.peering.name == placed.peering.name)
        };
        match peerings.iter().position(same) {
            Some(index) => peerings[index] = placed,
            None => peerings.push(placed),
        }
        Ok(id)
    }

    /// Gives a peering its id.
    fn place(&mut self, peering: Peering, now: SystemTime) -> Result<Placed, ChangeError> {
        let id = match &peering.id {
            Some(id) if !object_id::is_valid(id) => return Err(ChangeError::BadId(id.clone())),
            Some(id) => id.clone(),
            None => {
                self.serial += 1;
                let created = now.checked_sub(peering.age());
                object_id::new(created.unwrap_or(SystemTime::UNIX_EPOCH), self.serial)
            }
        };
        Ok(Placed { id, peering })
    }

    fn group_mut(&mut self, id: &str) -> Result<&mut Inhabited, ChangeError> {
        let group = self.groups.iter_mut().find(|group| group.id == id);
        group.ok_or_else(|| ChangeError::NoGroup(id.to_owned()))
    }

    /// Finds a peering by its id or its name.
    pub(super) fn find(&mut self, group: &str, key: &str) -> Result<&mut Placed, ChangeError> {
        let missing = ChangeError::NoPeering { group: group.to_owned(), peering: key.to_owned() };
        let mut peerings = self.group_mut(group)?.peerings.iter_mut();
        let placed = peerings.find(|placed| placed.id == key || placed.peering.name.as_deref() == Some(key));
        placed.ok_or(missing)
    }
}

/// The single peerings that this one stands for.
fn copies(peering: &Peering) -> Result<impl Iterator<Item = Peering> + '_, ChangeError> {
    let most = if peering.id.is_some() { 1 } else { MAX_REPEAT };
    match peering.repeat {
        Some(repeat) if repeat > most => Err(ChangeError::TooMany(repeat)),
        _ => Ok(peering.copies()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::simulator::Provider;

    const GROUP: &str = "5f3a556351db42631e16f301";
    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn with(peerings: Vec<Peering>) -> Groups {
        let mut groups = Groups::default();
        let now = NOW + Duration::from_secs(0x6000_0000);
        groups.add(&Group::new(GROUP, "payments", peerings), now).unwrap();
        groups
    }

    fn named(name: &str) -> Peering {
        Peering { name: Some(name.to_owned()), ..Peering::new(Provider::Aws, "INITIATING") }
    }

    #[test]
    fn a_peering_without_id_gets_one_that_says_its_age() {
        let peering = Peering { age: Some(Duration::from_secs(0x10)), ..Peering::new(Provider::Aws, "AVAILABLE") };
        let groups = with(vec![peering.clone(), peering]);
        let ids: Vec<_> = groups.get(GROUP).unwrap().peerings.iter().map(|placed| placed.id.as_str()).collect();
        assert_eq!(ids, ["5ffffff00000000000000001", "5ffffff00000000000000002"]);
    }

    #[test]
    fn a_change_of_status_forgets_the_old_error() {
        let mut groups = with(vec![named("p")]);
        for (status, error) in [("FAILED", Some("REJECTED")), ("AVAILABLE", None)] {
            let change =
                Change::Status { peering: "p".to_owned(), status: status.to_owned(), error: error.map(str::to_owned) };
            groups.change(GROUP, &change, NOW).unwrap();
            let peering = &groups.get(GROUP).unwrap().peerings[0].peering;
            assert_eq!((peering.status.as_str(), peering.error.as_deref()), (status, error));
        }
    }

    #[test]
    fn adding_a_name_again_replaces_and_removing_takes_away() {
        let mut groups = with(vec![named("p")]);
        groups.change(GROUP, &Change::Add(named("p")), NOW).unwrap();
        assert_eq!(groups.get(GROUP).unwrap().peerings.len(), 1);
        let remove = Change::Remove { peering: "p".to_owned() };
        groups.change(GROUP, &remove, NOW).unwrap();
        assert!(groups.get(GROUP).unwrap().peerings.is_empty());
        let again = groups.change(GROUP, &remove, NOW).unwrap_err();
        assert_eq!(again.to_string(), format!("there is no peering `p` in group `{GROUP}`"));
    }
}
