//! The state behind a watch channel: tasks update it, renderers subscribe to it.

use tokio::sync::watch;

use super::State;

/// The state of the exporter; clones share it.
#[derive(Clone, Debug)]
pub struct SharedState(watch::Sender<State>);

impl SharedState {
    /// Shares a state.
    #[must_use]
    pub fn new(state: State) -> Self {
        Self(watch::Sender::new(state))
    }

    /// Changes the state, wakes subscribers and returns what the change returned.
    pub fn update<R: Default>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut result = R::default();
        self.0.send_modify(|state| result = change(state));
        result
    }

    /// Changes the state without waking subscribers, for what no metric shows or the next poll publishes anyway.
    pub fn update_quietly<R: Default>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut result = R::default();
        self.0.send_if_modified(|state| {
            result = change(state);
            false
        });
        result
    }

    /// Reads the state. Updates block until the guard is dropped.
    #[must_use]
    pub fn read(&self) -> watch::Ref<'_, State> {
        self.0.borrow()
    }

    /// A receiver that wakes on every update.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<State> {
        self.0.subscribe()
    }
}
