//! The handle on a running simulator, for tests, the demo and the control API.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Instant, SystemTime},
};

use serde_json::Value;

use super::{
    AccessList, Change, ChangeError, Credentials, Fault, Group, Peering, Request, Scenario, change::MAX_REPEAT,
    state::State, timeline::Timeline,
};

/// A simulated Atlas API; clones are handles on the same one.
#[derive(Clone, Debug)]
pub struct Simulator {
    state: Arc<Mutex<State>>,
}

impl Simulator {
    /// A simulator as the scenario describes it; what does not fit in is left out with a warning.
    #[must_use]
    pub fn new(scenario: Scenario) -> Simulator {
        Simulator { state: Arc::new(Mutex::new(State::new(scenario))) }
    }

    /// What it was asked since the last clear; the newest 100,000.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.state().log.all()
    }

    /// Forgets what it was asked.
    pub fn clear_requests(&self) {
        self.state().log.clear();
    }

    /// Gives a peering, named by id or name, another status and error.
    pub fn set_status(&self, group: &str, peering: &str, status: &str, error: Option<&str>) -> Result<(), ChangeError> {
        let change =
            Change::Status { peering: peering.to_owned(), status: status.to_owned(), error: error.map(str::to_owned) };
        self.change(group, &change).map(drop)
    }

    /// Adds a peering, or replaces the one with its id or name; returns the ids, one for each copy.
    pub fn put_peering(&self, group: &str, peering: Peering) -> Result<Vec<String>, ChangeError> {
        self.change(group, &Change::Add(peering))
    }

    /// Removes a peering, named by id or name.
    pub fn remove_peering(&self, group: &str, peering: &str) -> Result<(), ChangeError> {
        let peering = peering.to_owned();
        self.change(group, &Change::Remove { peering }).map(drop)
    }

    /// Makes any change and returns the ids of the peerings it touched.
    pub fn change(&self, group: &str, change: &Change) -> Result<Vec<String>, ChangeError> {
        self.state().groups.change(group, change, SystemTime::now())
    }

    /// Adds a group, or replaces the one with its id.
    pub fn add_group(&self, group: &Group) -> Result<(), ChangeError> {
        self.state().groups.add(group, MAX_REPEAT, SystemTime::now())
    }

    /// Removes a group with all that is in it.
    pub fn remove_group(&self, id: &str) -> Result<(), ChangeError> {
        self.state().groups.remove(id)
    }

    /// Every group with its containers and peerings as v2 shows them, and what only the control API knows: the
    /// `name` of a peering, and `in_timeline` for those that the scenario's timeline changes.
    #[must_use]
    pub fn groups(&self) -> Value {
        let state = self.state();
        state.groups.iter().map(|group| state.shown(group)).collect()
    }

    /// Accepts this API key from now on and no other; nonces of the old one are worth nothing.
    pub fn set_credentials(&self, credentials: Credentials) {
        self.state().digest.replace(credentials);
    }

    /// Accepts this service account from now on and no other; live tokens stay valid, as in Atlas.
    pub fn set_client(&self, client_id: &str, client_secret: &str) {
        self.state().tokens.replace(client_id, client_secret);
    }

    /// Ends all tokens.
    pub fn revoke_tokens(&self) {
        self.state().tokens.revoke_all();
    }

    /// How many tokens are alive.
    #[must_use]
    pub fn live_tokens(&self) -> usize {
        self.state().tokens.count_live(Instant::now())
    }

    /// Lets the client's address be on the access list or not.
    pub fn set_access_list(&self, access_list: AccessList) {
        self.state().settings.access_list = access_list;
    }

    /// Announces when the resources will be gone, or that they will not.
    pub fn set_sunset(&self, sunset: Option<String>) {
        self.state().settings.sunset = sunset;
    }

    /// Makes something go wrong from now on; the newest fault that matches a request wins.
    pub fn fail(&self, fault: Fault) {
        self.state().faults.set(fault);
    }

    /// The faults that are set and not used up.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        self.state().faults.all().to_vec()
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// Takes what is planned; there is nothing left for a second caller.
    pub(super) fn take_timeline(&self) -> Timeline {
        Timeline::new(mem::take(&mut self.state().settings.timeline))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
