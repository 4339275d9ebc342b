//! Clients that mean harm, or do it, over TLS.

use std::{
    collections::VecDeque,
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use crate::{
    prometheus::Prometheus,
    web::{Guarded, USERS, with_certificate},
};

/// The first bytes of a handshake that never goes on.
const HALF_A_HELLO: &[u8] = &[22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];

#[test]
fn a_thousand_handshakes_that_never_end_stop_no_scrape() {
    let (folder, _authority) = with_certificate();
    let guarded = Guarded::start(folder, "tls_server_config: {TLS}");
    let prometheus = Prometheus::scraping_with(&guarded.target(), &guarded.tls_config("ca.pem", None));
    // The exporter has let go of the oldest long before; some systems allow a process no more than 1024.
    let mut open = VecDeque::new();
    let start = Instant::now();
    for number in 0..1000 {
        let mut stream = TcpStream::connect(&guarded.exporter.address).unwrap();
        if number % 2 == 0 {
            stream.write_all(HALF_A_HELLO).unwrap();
        }
        open.push_back(stream);
        if open.len() > 500 {
            open.pop_front();
        }
        if number % 100 == 99 {
            let asked = Instant::now();
            assert_eq!(guarded.curl(&[]).status, "200");
            assert!(asked.elapsed() < Duration::from_secs(5), "{number}: {:?}", asked.elapsed());
        }
    }
    assert!(start.elapsed() < Duration::from_secs(20), "before the first would have been cut off anyway");
    assert_eq!(prometheus.value("min_over_time(up[1m])").as_deref(), Some("1"));
    assert_eq!(prometheus.last_error(), "");
}

#[test]
fn a_handshake_that_never_ends_is_cut_off() {
    let (folder, _authority) = with_certificate();
    let guarded = Guarded::start(folder, "tls_server_config: {TLS}");
    let start = Instant::now();
    let mut silent = TcpStream::connect(&guarded.exporter.address).unwrap();
    let mut half = TcpStream::connect(&guarded.exporter.address).unwrap();
    half.write_all(HALF_A_HELLO).unwrap();
    for stream in [&mut silent, &mut half] {
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        assert_eq!(stream.read(&mut [0; 16]).unwrap(), 0);
    }
    let took = start.elapsed();
    assert!((Duration::from_secs(15)..Duration::from_secs(28)).contains(&took), "{took:?}");
}

#[test]
fn a_flood_of_wrong_passwords_does_not_stop_who_is_known() {
    let (folder, _authority) = with_certificate();
    // Of cost 12: a fifth of a second and more each.
    let users = USERS.replace("{alice", "{bob: $2y$12$upTwOesjMmkdqKrxYFB4BeRr4Z8pRnPPOc.GZkjHC7y/uAJIj6lSi, alice");
    let guarded = Guarded::start(folder, &format!("tls_server_config: {{TLS}}\n{users}"));
    assert_eq!(guarded.curl(&["-u", "alice:secret"]).status, "200");
    std::thread::scope(|scope| {
        let flood: Vec<_> = (0..8)
            .map(|number| {
                let guarded = &guarded;
                scope.spawn(move || guarded.curl(&["-u", &format!("alice:{number}")]).status)
            })
            .collect();
        let asked = Instant::now();
        assert_eq!(guarded.curl(&["-u", "alice:secret"]).status, "200");
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
        for one in flood {
            assert_eq!(one.join().unwrap(), "401");
        }
    });
}
