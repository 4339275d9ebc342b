//! Socket activation and notifications for systemd. Without systemd, every function here does nothing.

use std::{io, time::Duration};

use listenfd::ListenFd;
pub use sd_notify::NotifyState;
use sd_notify::watchdog_enabled;
use tokio::net::TcpListener;
use tracing::warn;

/// The sockets that systemd passes; none without systemd.
///
/// # Errors
/// One is not a TCP socket.
pub fn listeners() -> io::Result<Vec<TcpListener>> {
    let mut sockets = ListenFd::from_env();
    let mut listeners = Vec::new();
    for number in 0..sockets.len() {
        if let Some(socket) = sockets.take_tcp_listener(number)? {
            socket.set_nonblocking(true)?;
            listeners.push(TcpListener::from_std(socket)?);
        }
    }
    Ok(listeners)
}

/// Notifies systemd of a state. [`NotifyState::Ready`] also ends [`NotifyState::Reloading`].
pub fn notify(state: NotifyState<'_>) {
    // systemd requires the time of a reload.
    let time = if matches!(state, NotifyState::Reloading) { NotifyState::monotonic_usec_now().ok() } else { None };
    let states: Vec<_> = [state].into_iter().chain(time).collect();
    if let Err(error) = sd_notify::notify(&states) {
        warn!("cannot notify systemd: {error}");
    }
}

/// How often to send [`NotifyState::Watchdog`]: half of systemd's timeout. None if the watchdog is off.
#[must_use]
pub fn watchdog_interval() -> Option<Duration> {
    watchdog_enabled().map(|timeout| timeout / 2)
}
