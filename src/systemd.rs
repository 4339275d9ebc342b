//! What systemd hands over and wants to be told. Where it did not start us, nothing here does anything.

use std::{io, time::Duration};

use listenfd::ListenFd;
use sd_notify::{NotifyState, notify, watchdog_enabled};
use tokio::net::TcpListener;
use tracing::warn;

/// There is nothing to listen on.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// systemd handed nothing over.
    #[error("systemd handed over no socket: is the exporter started by a socket unit?")]
    None,
    /// It handed over something else.
    #[error("a socket of systemd's is of no use")]
    Unusable(#[source] io::Error),
}

/// The sockets that systemd listens on for us.
///
/// # Errors
/// There are none, or one is no TCP socket.
pub fn listeners() -> Result<Vec<TcpListener>, SocketError> {
    let mut sockets = ListenFd::from_env();
    let mut listeners = Vec::new();
    for number in 0..sockets.len() {
        if let Some(socket) = sockets.take_tcp_listener(number).map_err(SocketError::Unusable)? {
            socket.set_nonblocking(true).map_err(SocketError::Unusable)?;
            listeners.push(TcpListener::from_std(socket).map_err(SocketError::Unusable)?);
        }
    }
    if listeners.is_empty() { Err(SocketError::None) } else { Ok(listeners) }
}

/// It listens, and polls.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The config is read again; [`ready`] ends that.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The end has begun.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// How often systemd wants to hear that all is well, with a sign of life in half of that; nothing if it does not.
#[must_use]
pub fn watchdog() -> Option<Duration> {
    watchdog_enabled().map(|patience| patience / 2)
}

/// All is well.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = notify(state) {
        warn!("systemd cannot be told: {error}");
    }
}
