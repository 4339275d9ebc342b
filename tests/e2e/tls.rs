//! TLS and HTTP/2 of the connections to Atlas.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::{
    process::{exporter, wait_for},
    setup::{Exporter, GROUP, config, folder, write_config},
    tls_atlas::{TlsAtlas, authority, write_authority},
};

#[test]
fn the_exporter_uses_http_2_if_the_server_offers_it() {
    let (folder, authority) = (folder(), authority());
    let atlas = TlsAtlas::start(&authority, &["h2", "http/1.1"]);
    let ended = atlas.poll_once(folder.path(), &write_authority(folder.path(), &authority));
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert_eq!(atlas.versions(), ["HTTP/2.0"]);
    assert!(ended.stdout.contains("64c0ffee00000000000000c3"), "{}", ended.stdout);
}

/// Forwards bytes to an address. After `fall_silent`, existing connections stall; new ones work.
struct Relay {
    address: SocketAddr,
    silences: Arc<AtomicUsize>,
}

impl Relay {
    fn start(to: SocketAddr) -> Relay {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let silences = Arc::<AtomicUsize>::default();
        let counter = silences.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let other = TcpStream::connect(to).unwrap();
                forward(stream.try_clone().unwrap(), other.try_clone().unwrap(), counter.clone());
                forward(other, stream, counter.clone());
            }
        });
        Relay { address, silences }
    }

    fn fall_silent(&self) {
        self.silences.fetch_add(1, Ordering::SeqCst);
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, silences: Arc<AtomicUsize>) {
    let before = silences.load(Ordering::SeqCst);
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if silences.load(Ordering::SeqCst) != before {
                // Neither close nor forward, like a router that lost the state of the connection.
                loop {
                    thread::park();
                }
            }
            if to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}

#[test]
fn a_silent_connection_is_replaced() {
    let (folder, authority) = (folder(), authority());
    let atlas = TlsAtlas::start(&authority, &["h2"]);
    let relay = Relay::start(atlas.address);
    let base_url = format!("https://localhost:{}", relay.address.port());
    write_config(folder.path(), &config(&base_url, &[(GROUP, "payments")]));
    let mut command = exporter(folder.path(), ["serve", "--web.listen-address=127.0.0.1:0"]);
    command.env("SSL_CERT_FILE", write_authority(folder.path(), &authority));
    let exporter = Exporter::run(command);
    let successes = |count| {
        wait_for("polls that succeed or fail", || {
            let page = exporter.exposition();
            let success = |line: &&str| line.starts_with("mongodbatlas_peering_poll_success{") && line.ends_with(" 1");
            (page.lines().filter(success).count() == count).then_some(())
        });
    };
    successes(3);
    relay.fall_silent();
    successes(0);
    successes(3);
}

#[test]
fn the_exporter_uses_http_1_1_if_the_server_offers_nothing_else() {
    let (folder, authority) = (folder(), authority());
    let atlas = TlsAtlas::start(&authority, &["http/1.1"]);
    let ended = atlas.poll_once(folder.path(), &write_authority(folder.path(), &authority));
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert_eq!(atlas.versions(), ["HTTP/1.1"]);
}

#[test]
fn an_untrusted_server_gets_no_request_and_the_reason_is_tls() {
    let (folder, trusted) = (folder(), authority());
    let atlas = TlsAtlas::start(&authority(), &["h2"]);
    let ended = atlas.poll_once(folder.path(), &write_authority(folder.path(), &trusted));
    assert_eq!(ended.status, Some(1), "{}", ended.stderr);
    for provider in ["AWS", "AZURE", "GCP"] {
        let labels = format!("account=\"default\",group_id=\"{GROUP}\",provider=\"{provider}\",reason=\"tls\"");
        let line = format!("mongodbatlas_peering_poll_failure_info{{{labels}}} 1\n");
        assert!(ended.stdout.contains(&line), "{}", ended.stdout);
    }
    assert!(ended.stderr.contains("reason=\"tls\"") && ended.stderr.contains("certificate"), "{}", ended.stderr);
    assert!(atlas.versions().is_empty());
}
