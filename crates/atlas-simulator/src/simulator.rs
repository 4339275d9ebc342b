//! The handle on a running simulator, for tests, the demo and the control API.

use std::{
    fmt,
    sync::Arc,
    time::{Instant, SystemTime},
};

use parking_lot::{Mutex, MutexGuard};
use serde_json::Value;

use crate::{
    fault::Fault,
    scenario::{
        Scenario,
        group::ScenarioGroup,
        peering::ScenarioPeering,
        settings::{AccessList, Credentials},
    },
    state::{
        State,
        change::{Change, ChangeError, MAX_REPEAT},
        request_log::LoggedRequest,
    },
};

/// A simulated Atlas API. Clones are handles on the same one.
#[derive(Clone)]
pub struct Simulator {
    state: Arc<Mutex<State>>,
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator").finish_non_exhaustive()
    }
}

impl Simulator {
    /// A simulator in the initial state of the scenario. Invalid groups are left out with a warning.
    #[must_use]
    pub fn new(scenario: Scenario) -> Simulator {
        Simulator { state: Arc::new(Mutex::new(State::new(scenario))) }
    }

    /// The requests since the last clear, at most the newest 100,000.
    #[must_use]
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.state().log.iter().cloned().collect()
    }

    /// Clears the request log.
    pub fn clear_requests(&self) {
        self.state().log.clear();
    }

    /// Changes the status and error of a peering, found by ID or name.
    pub fn set_status(&self, group: &str, peering: &str, status: &str, error: Option<&str>) -> Result<(), ChangeError> {
        let change =
            Change::Status { peering: peering.to_owned(), status: status.to_owned(), error: error.map(str::to_owned) };
        self.change(group, &change).map(drop)
    }

    /// Adds a peering, or replaces the one with its ID or name. Returns the IDs, one for each copy.
    pub fn put_peering(&self, group: &str, peering: ScenarioPeering) -> Result<Vec<String>, ChangeError> {
        self.change(group, &Change::Add(peering))
    }

    /// Removes a peering, found by ID or name.
    pub fn remove_peering(&self, group: &str, peering: &str) -> Result<(), ChangeError> {
        self.change(group, &Change::Remove { peering: peering.to_owned() }).map(drop)
    }

    /// Makes a change and returns the IDs of the peerings it affected.
    pub(crate) fn change(&self, group: &str, change: &Change) -> Result<Vec<String>, ChangeError> {
        self.state().groups.change(group, change, SystemTime::now())
    }

    /// Adds a group, or replaces the one with its ID.
    pub fn add_group(&self, group: &ScenarioGroup) -> Result<(), ChangeError> {
        self.state().groups.add(group, MAX_REPEAT, SystemTime::now())
    }

    /// Removes a group with everything in it.
    pub fn remove_group(&self, id: &str) -> Result<(), ChangeError> {
        self.state().groups.remove(id)
    }

    /// Every group with its containers and peerings as v2 shows them. Peerings also have their `name`, and
    /// `in_timeline` if the scenario's timeline changes them.
    #[must_use]
    pub fn groups(&self) -> Value {
        self.state().groups_body()
    }

    /// Replaces the API key, which makes all nonces stale.
    pub fn set_credentials(&self, credentials: Credentials) {
        self.state().digest.replace(credentials);
    }

    /// Replaces the service account. Live tokens stay valid, as in Atlas.
    pub fn set_client(&self, client_id: &str, client_secret: &str) {
        self.state().tokens.replace(client_id, client_secret);
    }

    /// Revokes all tokens.
    pub fn revoke_tokens(&self) {
        self.state().tokens.revoke_all();
    }

    /// The number of valid tokens.
    #[must_use]
    pub fn live_tokens(&self) -> usize {
        self.state().tokens.count_live(Instant::now())
    }

    /// Puts the client's address on the access list, or removes it.
    pub fn set_access_list(&self, access_list: AccessList) {
        self.state().settings.access_list = access_list;
    }

    /// Sets the `Sunset` header of the resources.
    pub fn set_sunset(&self, sunset: Option<String>) {
        self.state().settings.sunset = sunset;
    }

    /// Sets a fault. The newest one that matches a request applies.
    pub fn fail(&self, fault: Fault) {
        if fault.times != Some(0) {
            self.state().faults.push(fault);
        }
    }

    /// Clears all faults.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}
