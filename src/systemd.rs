//! Socket activation and notifications for systemd. Without systemd, every function here does nothing.

use std::{io, time::Duration};

use listenfd::ListenFd;
use sd_notify::{NotifyState, notify, watchdog_enabled};
use tokio::net::TcpListener;
use tracing::warn;

/// No usable socket came from systemd.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// systemd passed none.
    #[error("systemd passed no socket: is the exporter started by a socket unit?")]
    None,
    /// systemd passed something other than a TCP socket.
    #[error("cannot use a socket passed by systemd")]
    Unusable(#[source] io::Error),
}

/// The sockets that systemd listens on for us.
///
/// # Errors
/// systemd passed no socket, or one that is not a TCP socket.
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

/// The exporter listens and polls; this also ends [`notify_reloading`].
pub fn notify_ready() {
    send(&[NotifyState::Ready]);
}

/// A reload has started.
pub fn notify_reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => send(&[NotifyState::Reloading, now]),
        Err(_) => send(&[NotifyState::Reloading]),
    }
}

/// The shutdown has started.
pub fn notify_stopping() {
    send(&[NotifyState::Stopping]);
}

/// How often to call [`notify_watchdog`]: half of systemd's timeout. None if the watchdog is off.
#[must_use]
pub fn watchdog_interval() -> Option<Duration> {
    watchdog_enabled().map(|timeout| timeout / 2)
}

/// The exporter does its work.
pub fn notify_watchdog() {
    send(&[NotifyState::Watchdog]);
}

fn send(state: &[NotifyState<'_>]) {
    if let Err(error) = notify(state) {
        warn!("cannot notify systemd: {error}");
    }
}
