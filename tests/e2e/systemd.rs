//! Socket activation and notifications for systemd.

use std::{
    fs,
    net::TcpListener,
    os::unix::net::UnixDatagram,
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    http::get,
    process::{Running, exporter, run, wait_for},
    setup::{Atlas, Exporter, GROUP, SCENARIO, config, folder, write_config},
};

#[test]
fn the_first_connection_to_a_systemd_socket_starts_the_exporter_and_gets_a_response() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    write_config(folder.path(), &config(&atlas.url(), &[(GROUP, "payments")]));
    // This address was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut command = Command::new("systemd-socket-activate");
    command.current_dir(folder.path()).args(["--listen", &address]);
    command.args([env!("CARGO_BIN_EXE_mongodbatlas-peering-exporter"), "--web.systemd-socket"]);
    let activated = Running::start(command);
    activated.wait_for_log("a socket", |log| log.contains("Listening on").then_some(()));
    assert_eq!(get(&address, "/metrics").status, 200);
    wait_for("polls", || (get(&address, "/-/ready").status == 200).then_some(()));
    assert_eq!(activated.terminate().status, Some(0));
}

#[test]
fn without_a_systemd_socket_the_flag_is_a_usage_error() {
    let folder = folder();
    write_config(folder.path(), &config("http://127.0.0.1:9", &[(GROUP, "payments")]));
    let ended = run(exporter(folder.path(), ["--web.systemd-socket"]));
    assert_eq!(ended.status, Some(64));
    assert!(ended.stderr.contains("systemd passed no socket"), "{}", ended.stderr);
}

#[test]
fn systemd_is_notified_of_readiness_the_watchdog_reloads_and_shutdown() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    write_config(folder.path(), &config(&atlas.url(), &[(GROUP, "payments")]));
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut command = exporter(folder.path(), ["serve", "--web.listen-address=127.0.0.1:0"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "600000");
    let exporter = Exporter::run(command);
    let wait_for_notification = |word: &str| {
        let started = Instant::now();
        loop {
            let mut message = [0; 256];
            let length = socket.recv(&mut message).unwrap();
            if String::from_utf8_lossy(&message[..length]).lines().any(|line| line == word) {
                return;
            }
            assert!(started.elapsed() < Duration::from_secs(20), "no notification {word}");
        }
    };
    wait_for_notification("READY=1");
    (0..3).for_each(|_| wait_for_notification("WATCHDOG=1"));
    fs::write(folder.path().join("config.yaml"), "accounts: []").unwrap();
    exporter.process.signal("HUP");
    wait_for_notification("RELOADING=1");
    wait_for_notification("READY=1");
    exporter.process.signal("TERM");
    wait_for_notification("STOPPING=1");
}
