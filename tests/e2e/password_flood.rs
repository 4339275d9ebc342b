//! A flood of wrong passwords from the start on.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{sleep, spawn},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{http::Connection, process::TIMEOUT, setup::folder, web::SecuredExporter};

/// bcrypt of `secret` with the usual cost, which makes 30 comparisons take seconds without optimization.
const USERS: &str = "basic_auth_users: {prom: $2y$10$iM2gsLQNHpEZLRIaqZThIeGGf.3QGsljBGu5zdLnEgoMIdKgppY8m}";

/// Clients that each send one wrong password after the other. They stop when this is dropped.
pub(crate) struct PasswordFlood {
    refused: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
}

impl PasswordFlood {
    pub(crate) fn start(address: &str, clients: usize) -> PasswordFlood {
        let flood = PasswordFlood { refused: Arc::default(), ended: Arc::default() };
        for client in 0..clients {
            let (address, refused, ended) = (address.to_owned(), flood.refused.clone(), flood.ended.clone());
            spawn(move || {
                for turn in 0.. {
                    // Without a connection it tries again.
                    drop(send_wrong_passwords(&address, &format!("{client} {turn}"), &refused, &ended));
                    if ended.load(Ordering::Relaxed) {
                        return;
                    }
                    sleep(Duration::from_millis(20));
                }
            });
        }
        flood
    }

    /// The number of responses to wrong passwords.
    pub(crate) fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Drop for PasswordFlood {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// On one connection, until it is closed.
fn send_wrong_passwords(
    address: &str,
    password: &str,
    refused: &AtomicUsize,
    ended: &AtomicBool,
) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    for turn in 0.. {
        let header = authorization(&format!("prom:{password} {turn}"));
        stream.write_all(format!("GET /metrics HTTP/1.1\r\nHost: x\r\n{header}\r\n").as_bytes())?;
        if stream.read(&mut [0; 4096])? == 0 || ended.load(Ordering::Relaxed) {
            break;
        }
        refused.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

fn authorization(credentials: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(credentials))
}

#[test]
fn a_right_password_is_accepted_during_a_flood_of_wrong_ones() {
    let secured = SecuredExporter::start(folder(), USERS);
    let flood = PasswordFlood::start(&secured.exporter.address, 60);
    let start = Instant::now();
    while flood.refused() < 5 {
        assert!(start.elapsed() < TIMEOUT);
        sleep(Duration::from_millis(10));
    }
    // A queue in the order of arrival would have compared all 60 before.
    for limit in [15, 5] {
        let (before, start) = (flood.refused(), Instant::now());
        let status =
            Connection::open(&secured.exporter.address).ask("GET", "/metrics", &authorization("prom:secret")).status;
        assert_eq!(status, 200);
        let compared = flood.refused() - before;
        assert!(compared <= limit, "{compared} wrong passwords were compared before it, in {:?}", start.elapsed());
    }
}
