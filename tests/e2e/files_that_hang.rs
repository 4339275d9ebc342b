//! A FIFO without a writer in place of a file, like a mount whose server is gone.

use std::{
    fmt::Write,
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use crate::{
    http::get,
    process::{exporter, run, wait_for},
    setup::{Atlas, Exporter, GROUP, SCENARIO, config, folder, write_config},
    web::{SecuredExporter, with_certificate},
};

/// Puts a FIFO in place of the file.
fn hang(folder: &Path, name: &str) {
    assert!(Command::new("mkfifo").arg("fifo").current_dir(folder).status().unwrap().success());
    fs::rename(folder.join("fifo"), folder.join(name)).unwrap();
}

#[test]
fn a_file_that_hangs_at_the_start_is_a_usage_error() {
    let hangs = "cannot be read: reading it hangs; is it a FIFO, or on a mount whose server is gone?";
    thread::scope(|scope| {
        for (file, fault) in [
            ("config.yaml", "config.yaml: "),
            ("key", "config.yaml: accounts[0].private_key_file: the file "),
            ("ca.pem", "config.yaml: accounts[0].ca_file: the file `ca.pem` "),
            ("web.yml", "web.yml: "),
            ("server.key", "web.yml: tls_server_config.key_file: the file `server.key` "),
        ] {
            scope.spawn(move || {
                let (folder, _authority) = with_certificate();
                let base_url = "https://127.0.0.1:9\n    ca_file: ca.pem";
                write_config(folder.path(), &config(base_url, &[(GROUP, "payments")]));
                let tls = "tls_server_config: {cert_file: server.crt, key_file: server.key}";
                fs::write(folder.path().join("web.yml"), tls).unwrap();
                hang(folder.path(), file);
                let started = Instant::now();
                let ended = run(exporter(folder.path(), ["check-config", "--web.config.file=web.yml"]));
                assert!(started.elapsed() < Duration::from_secs(9), "{file}: {:?}", started.elapsed());
                assert_eq!(ended.status, Some(64), "{file}: {}", ended.stderr);
                assert!(ended.stderr.contains(&format!("{fault}{hangs}")), "{file}: {}", ended.stderr);
            });
        }
    });
}

const ACCOUNTS: usize = 4;

#[test]
fn secret_files_that_hang_stop_nothing() {
    let folder = folder();
    let mut scenario = "groups:\n".to_owned();
    let mut accounts = "poll: {interval: 1s}\naccounts:\n".to_owned();
    for n in 0..ACCOUNTS {
        let group = format!("5e57d85c85418064{n:08}");
        writeln!(
            scenario,
            "  - {{id: {group}, name: g{n}, peerings: [{{provider: AWS, status: AVAILABLE, vpcId: v{n}}}]}}"
        )
        .unwrap();
        writeln!(
            accounts,
            "  - {{name: a{n}, base_url: ATLAS, allow_http: true, public_key: demo, private_key_file: key{n}, \
             groups: [{{id: {group}}}]}}"
        )
        .unwrap();
        fs::write(folder.path().join(format!("key{n}")), "demo").unwrap();
    }
    let atlas = Atlas::start(folder.path(), &scenario);
    fs::write(folder.path().join("config.yaml"), accounts.replace("ATLAS", &atlas.url())).unwrap();
    let exporter = Exporter::start(folder.path(), []);
    exporter.wait_until_ready();
    let value = |name: &str, n: usize| {
        let exposition = exporter.exposition();
        let (series, account) = (format!("{name}{{"), format!("account=\"a{n}\""));
        let line = exposition.lines().find(|line| line.starts_with(&series) && line.contains(&account)).unwrap();
        line.rsplit_once(' ').unwrap().1.parse::<u32>().unwrap()
    };
    let unreadable = |n| value("mongodbatlas_api_credential_unreadable", n);

    // Half of them.
    for n in 0..ACCOUNTS / 2 {
        hang(folder.path(), &format!("key{n}"));
    }
    let before: Vec<_> = (0..ACCOUNTS).map(|n| value("mongodbatlas_peering_polls_total", n)).collect();
    let observed = Instant::now() + Duration::from_secs(12);
    while Instant::now() < observed {
        let started = Instant::now();
        assert_eq!(get(&exporter.address, "/-/healthy").status, 200);
        let exposition = exporter.exposition();
        assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
        assert_eq!(exposition.matches("\nmongodbatlas_network_peering_available{").count(), ACCOUNTS);
        assert!(threads_of(exporter.process.id(), "file-reader") <= ACCOUNTS / 2, "one read per account");
        thread::sleep(Duration::from_millis(50));
    }
    for (n, before) in before.into_iter().enumerate() {
        let polls = value("mongodbatlas_peering_polls_total", n) - before;
        assert!(polls >= 9, "the polls of account {n} go on: {polls} in 12 s");
        assert_eq!(value("mongodbatlas_peering_poll_success", n), 1);
        assert_eq!(unreadable(n), u32::from(n < ACCOUNTS / 2), "account {n}");
    }

    for n in 0..ACCOUNTS / 2 {
        fs::write(folder.path().join("new"), "demo").unwrap();
        fs::rename(folder.path().join("new"), folder.path().join(format!("key{n}"))).unwrap();
        wait_for("a readable secret", || (unreadable(n) == 0).then_some(()));
    }
    let ended = exporter.process.terminate();
    let warning = "reading it hangs; is it a FIFO, or on a mount whose server is gone?";
    assert_eq!(ended.stderr.matches(warning).count(), ACCOUNTS / 2, "one warning per account: {}", ended.stderr);
}

/// How many threads of a process have the name.
fn threads_of(process: u32, name: &str) -> usize {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    // A thread may end meanwhile.
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|comm| comm.trim_end() == name).count()
}

#[test]
fn a_certificate_that_hangs_is_replaced_by_the_previous_one() {
    let (folder, _authority) = with_certificate();
    let secured = SecuredExporter::start(folder, "tls_server_config: {TLS}");
    let key = fs::read(secured.folder.path().join("server.key")).unwrap();
    hang(secured.folder.path(), "server.key");
    let logs = |text: &str| secured.exporter.process.wait_for_log("anything", |log| Some(log.contains(text)));
    wait_for("a warning", || {
        let started = Instant::now();
        assert_eq!(secured.curl(&[]).status, "200");
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
        thread::sleep(Duration::from_millis(100));
        logs("the file `server.key` cannot be read: reading it hangs").then_some(())
    });
    fs::write(secured.folder.path().join("new.key"), key).unwrap();
    fs::rename(secured.folder.path().join("new.key"), secured.folder.path().join("server.key")).unwrap();
    assert_eq!(secured.curl(&[]).status, "200");
}

#[test]
fn a_config_that_hangs_at_a_reload_changes_nothing() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    let exporter = Exporter::of(folder.path(), &atlas);
    hang(folder.path(), "config.yaml");
    exporter.process.signal("HUP");
    let failed = "configuration reload failed, keeping the running one: cannot be read: reading it hangs";
    exporter.process.wait_for_log("the failure", |log| log.contains(failed).then_some(()));
    let polls = |exposition: &str| {
        let lines = exposition.lines().filter(|line| line.starts_with("mongodbatlas_peering_polls_total{"));
        lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u32>().unwrap()).sum::<u32>()
    };
    let before = polls(&exporter.exposition());
    wait_for("more polls", || (polls(&exporter.exposition()) > before + 3).then_some(()));
}
