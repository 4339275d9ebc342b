//! Clients that try to exhaust the exporter over TLS.

use std::{
    collections::VecDeque,
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use crate::{
    prometheus::Prometheus,
    web::{SecuredExporter, USERS, with_certificate},
};

/// The first bytes of a handshake that does not continue.
const HALF_A_HELLO: &[u8] = &[22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];

#[test]
fn a_thousand_incomplete_handshakes_do_not_stop_scrapes() {
    let (folder, _authority) = with_certificate();
    let secured = SecuredExporter::start(folder, "tls_server_config: {TLS}");
    let prometheus = Prometheus::scraping_with(&secured.target(), &secured.tls_config("ca.pem", None));
    // The exporter has closed the oldest long before. Some systems limit a process to 1024 open files.
    let mut open = VecDeque::new();
    let start = Instant::now();
    for number in 0..1000 {
        let mut stream = TcpStream::connect(&secured.exporter.address).unwrap();
        if number % 2 == 0 {
            stream.write_all(HALF_A_HELLO).unwrap();
        }
        open.push_back(stream);
        if open.len() > 500 {
            open.pop_front();
        }
        if number % 100 == 99 {
            let sent = Instant::now();
            assert_eq!(secured.curl(&[]).status, "200");
            assert!(sent.elapsed() < Duration::from_secs(5), "{number}: {:?}", sent.elapsed());
        }
    }
    assert!(start.elapsed() < Duration::from_secs(20), "the first handshakes have not timed out yet");
    assert_eq!(prometheus.value("min_over_time(up[1m])").as_deref(), Some("1"));
    assert_eq!(prometheus.last_error(), "");
}

#[test]
fn an_incomplete_handshake_times_out() {
    let (folder, _authority) = with_certificate();
    let secured = SecuredExporter::start(folder, "tls_server_config: {TLS}");
    let start = Instant::now();
    let mut silent = TcpStream::connect(&secured.exporter.address).unwrap();
    let mut half = TcpStream::connect(&secured.exporter.address).unwrap();
    half.write_all(HALF_A_HELLO).unwrap();
    for stream in [&mut silent, &mut half] {
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        assert_eq!(stream.read(&mut [0; 16]).unwrap(), 0);
    }
    let took = start.elapsed();
    assert!((Duration::from_secs(15)..Duration::from_secs(28)).contains(&took), "{took:?}");
}

#[test]
fn wrong_passwords_do_not_delay_a_known_user() {
    let (folder, _authority) = with_certificate();
    // A comparison of cost 12 takes at least a fifth of a second.
    let users = USERS.replace("{alice", "{bob: $2y$12$upTwOesjMmkdqKrxYFB4BeRr4Z8pRnPPOc.GZkjHC7y/uAJIj6lSi, alice");
    let secured = SecuredExporter::start(folder, &format!("tls_server_config: {{TLS}}\n{users}"));
    assert_eq!(secured.curl(&["-u", "alice:secret"]).status, "200");
    std::thread::scope(|scope| {
        let flood: Vec<_> = (0..8)
            .map(|number| {
                let secured = &secured;
                scope.spawn(move || secured.curl(&["-u", &format!("alice:{number}")]).status)
            })
            .collect();
        let sent = Instant::now();
        assert_eq!(secured.curl(&["-u", "alice:secret"]).status, "200");
        assert!(sent.elapsed() < Duration::from_secs(2), "{:?}", sent.elapsed());
        for one in flood {
            assert_eq!(one.join().unwrap(), "401");
        }
    });
}
