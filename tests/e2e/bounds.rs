//! Files that are small but expand to much are rejected soon, and do not harm a running exporter. Large responses of
//! Atlas do not either.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

use crate::{
    http::get,
    process::{exporter, run, wait_for},
    setup::{Atlas, Exporter, SCENARIO, config, folder, write_config},
};

/// A mapping of 2,000 keys and 40,000 aliases of it.
fn bomb() -> String {
    let keys: Vec<String> = (0..2000).map(|n| format!("k{n}: 1")).collect();
    let aliases: Vec<String> = (0..40_000).map(|n| format!("  c{n}: *a\n")).collect();
    format!("a: &a {{{}}}\nb:\n{}", keys.join(","), aliases.concat())
}

#[test]
fn a_file_whose_aliases_expand_to_much_is_rejected() {
    let folder = folder();
    for (name, text) in [("bomb", bomb()), ("deep", "{a: ".repeat(200_000)), ("large", " ".repeat((1 << 20) + 1))] {
        fs::write(folder.path().join(name), text).unwrap();
        fs::write(folder.path().join("config.yaml"), "accounts: [{client_id: a, client_secret_file: bomb}]").unwrap();
        for arguments in [
            ["check-config".to_owned(), format!("--config.file={name}"), String::new()],
            [
                "demo".to_owned(),
                format!("--web.config.file={name}"),
                "--simulator.listen-address=127.0.0.1:0".to_owned(),
            ],
            ["simulate".to_owned(), format!("--simulator.scenario={name}"), String::new()],
        ] {
            let mut command = exporter(folder.path(), []);
            command.args(arguments.iter().filter(|argument| !argument.is_empty()));
            let started = Instant::now();
            let ended = run(command);
            assert_eq!(ended.status, Some(64), "{arguments:?}: {}", ended.stderr);
            let expected = ["has more than", "is larger than"].iter().any(|start| ended.stderr.contains(start));
            assert!(expected && ended.stderr.len() < 500, "{arguments:?}: {}", ended.stderr);
            assert!(started.elapsed() < Duration::from_secs(10), "{arguments:?}: {:?}", started.elapsed());
        }
    }
}

#[test]
fn a_reload_of_such_a_file_does_not_harm_a_running_exporter() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    fs::write(folder.path().join("web.yml"), "").unwrap();
    Exporter::of(folder.path(), &atlas).process.terminate();
    let exporter = Exporter::start(folder.path(), ["--web.config.file=web.yml"]);
    exporter.wait_until_ready();
    let valid = fs::read_to_string(folder.path().join("config.yaml")).unwrap();
    for (reloads, (file, before)) in [("config.yaml", valid.as_str()), ("web.yml", "")].into_iter().enumerate() {
        let quiet = exporter.process.peak_memory();
        fs::write(folder.path().join(file), bomb()).unwrap();
        exporter.process.signal("HUP");
        let failed = "configuration reload failed, keeping the running one";
        exporter.process.wait_for_log("a failed reload", |log| {
            (log.matches(failed).count() > reloads && log.contains("with its aliases expanded")).then_some(())
        });
        assert_eq!(get(&exporter.address, "/-/ready").status, 200);
        assert!(exporter.exposition().contains("mongodbatlas_network_peering_status"));
        let growth = exporter.process.peak_memory().saturating_sub(quiet);
        assert!(growth < 100 << 20, "{file} takes {growth} bytes");
        fs::write(folder.path().join(file), before).unwrap();
    }
    exporter.process.signal("HUP");
    exporter.process.wait_for_log("a reload", |log| log.contains("configuration reloaded").then_some(()));
}

/// Responds to every request with a status and 8 MB of JSON, which has a small value for every other byte. Returns its
/// address.
fn server(status: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let body = format!(r#"{{"error":[{0}1],"detail":{{"a":[{0}1]}}}}"#, "1,".repeat(2 << 20));
    let response = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, response) = (stream.unwrap(), response.clone());
            thread::spawn(move || {
                // The exporter ends the connection before it has read everything.
                let _ = stream.read(&mut [0; 4096]).and_then(|_| stream.write_all(response.as_bytes()));
            });
        }
    });
    address
}

#[test]
fn large_errors_of_atlas_cost_little_memory() {
    let folder = folder();
    let address = server("400 Bad Request");
    let ids: Vec<String> = (10..18).map(|n| format!("5e57d85c854180642f7844{n}")).collect();
    let groups: Vec<(&str, &str)> = ids.iter().map(|id| (id.as_str(), "g")).collect();
    write_config(folder.path(), &config(&format!("http://{address}"), &groups));
    let exporter = Exporter::start(folder.path(), []);
    let failed = |exporter: &Exporter| {
        let count = |line: &str| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap();
        let lines = exporter.exposition();
        lines
            .lines()
            .filter(|line| line.starts_with("mongodbatlas_peering_poll_failures_total{"))
            .map(count)
            .sum::<u64>()
    };
    wait_for("a hundred failures", || (failed(&exporter) >= 100).then_some(()));
    let peak = exporter.process.peak_memory();
    assert!(peak < 64 << 20, "{peak} bytes");
}
