//! A group as it is now: each of its containers and peerings has an id, and no key stands for two.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    iter,
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};

use super::{
    ChangeError, Container, Group, Peering,
    change::{MAX_ADDED, MAX_PEERINGS},
    object_id,
    page::HOST,
};

/// How long ago a container without an id was made.
const CONTAINER_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A group with its containers and peerings.
#[derive(Debug)]
pub(super) struct Inhabited {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) access: bool,
    /// None for the scenario's.
    pub(super) org_id: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) containers: Vec<Contained>,
    pub(super) peerings: Vec<Placed>,
}

#[derive(Debug)]
pub(super) struct Contained {
    pub(super) id: String,
    pub(super) container: Container,
}

#[derive(Debug)]
pub(super) struct Placed {
    pub(super) id: String,
    pub(super) peering: Peering,
}

impl Inhabited {
    /// Gives everything in a group its id; refuses more than `most` peerings.
    pub(super) fn of(group: &Group, most: u32, now: SystemTime, serial: &mut u64) -> Result<Inhabited, ChangeError> {
        let ids = iter::once(&group.id).chain(&group.org_id);
        if let Some(id) = ids.into_iter().find(|id| !object_id::is_valid(id)) {
            return Err(ChangeError::BadId(id.clone()));
        }
        let mut inhabited = Inhabited::empty(group);
        inhabited.settle_containers(&group.containers, now, serial)?;
        let mut known = HashSet::new();
        for peering in &group.peerings {
            for copy in copies(peering, most)? {
                if inhabited.peerings.len() >= most as usize {
                    return Err(ChangeError::TooMany { group: group.id.clone(), most });
                }
                let placed = place(copy, now, serial)?;
                if let Some(key) = placed.keys().find(|key| known.contains(*key)) {
                    return Err(inhabited.twice(key));
                }
                known.extend(placed.keys().map(str::to_owned));
                inhabited.peerings.push(placed);
            }
        }
        Ok(inhabited)
    }

    /// The group alone.
    pub(super) fn empty(group: &Group) -> Inhabited {
        Inhabited {
            id: group.id.clone(),
            name: group.name.clone(),
            access: group.access,
            org_id: group.org_id.clone(),
            tags: group.tags.clone(),
            containers: Vec::new(),
            peerings: Vec::new(),
        }
    }

    fn settle_containers(
        &mut self,
        containers: &[Container],
        now: SystemTime,
        serial: &mut u64,
    ) -> Result<(), ChangeError> {
        for container in containers {
            let id = new_id(container.id.as_ref(), CONTAINER_AGE, now, serial)?;
            if self.containers.iter().any(|known| known.id == id) {
                return Err(ChangeError::ContainerTwice { group: self.id.clone(), container: id });
            }
            self.containers.push(Contained { id, container: container.clone() });
        }
        Ok(())
    }

    /// What a client is sent, in the version of the API that its paths begin with.
    pub(super) fn body(&self, version: &str, org_id: &str) -> Value {
        let tags: Vec<_> = self.tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
        json!({
            "clusterCount": 0,
            "created": "2024-01-01T00:00:00Z",
            "id": self.id,
            "links": [{"href": format!("{HOST}{version}/groups/{}", self.id), "rel": "self"}],
            "name": self.name,
            "orgId": org_id,
            "tags": tags,
            "withDefaultAlertsSettings": true,
        })
    }

    /// Finds a peering by its id or its name.
    pub(super) fn find(&mut self, key: &str) -> Result<&mut Placed, ChangeError> {
        let placed = self.peerings.iter_mut().find(|placed| placed.keys().any(|known| known == key));
        placed.ok_or_else(|| ChangeError::NoPeering { group: self.id.clone(), peering: key.to_owned() })
    }

    /// Adds every copy, or puts it in place of the one with its id or name. Makes all of the change or nothing.
    pub(super) fn put(
        &mut self,
        peering: &Peering,
        now: SystemTime,
        serial: &mut u64,
    ) -> Result<Vec<String>, ChangeError> {
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

/// Gives a peering its id.
fn place(peering: Peering, now: SystemTime, serial: &mut u64) -> Result<Placed, ChangeError> {
    let id = new_id(peering.id.as_ref(), peering.age(), now, serial)?;
    Ok(Placed { id, peering })
}

/// The id that was chosen, or one that says the age.
fn new_id(chosen: Option<&String>, age: Duration, now: SystemTime, serial: &mut u64) -> Result<String, ChangeError> {
    match chosen {
        Some(id) if !object_id::is_valid(id) => Err(ChangeError::BadId(id.clone())),
        Some(id) => Ok(id.clone()),
        None => {
            *serial += 1;
            Ok(object_id::new(now.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH), *serial))
        }
    }
}

/// The single peerings that this one stands for.
fn copies(peering: &Peering, most: u32) -> Result<impl Iterator<Item = Peering> + '_, ChangeError> {
    let limit = if peering.id.is_some() { 1 } else { most };
    match peering.repeat {
        Some(repeat) if !(1..=limit).contains(&repeat) => Err(ChangeError::BadRepeat { repeat, most }),
        _ => Ok(peering.copies()),
    }
}
