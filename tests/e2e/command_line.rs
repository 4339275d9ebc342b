//! Commands and flags as a user sees them: exit status, standard output and standard error.

use std::{fs, net::TcpListener, path::Path};

use insta::assert_snapshot;

use crate::{
    http::get,
    process::{Ended, Running, exporter, run},
    setup::{Atlas, Exporter, GROUP, SCENARIO, config, folder, write_config},
};

/// The result of a program, without what differs from run to run.
fn shown(ended: &Ended, folder: &Path) -> String {
    let mut text = format!("status {:?}\n", ended.status);
    for (name, output) in [("stdout", &ended.stdout), ("stderr", &ended.stderr)] {
        let output = output.replace(folder.to_str().unwrap(), "FOLDER").replace(env!("CARGO_PKG_VERSION"), "VERSION");
        for line in output.lines() {
            text.push_str(format!("{name}: {}", without_time(line)).trim_end());
            text.push('\n');
        }
    }
    text
}

fn without_time(line: &str) -> &str {
    match line.split_once(' ') {
        Some((time, rest)) if time.ends_with('Z') && time.contains('T') => rest.trim_start(),
        _ => line,
    }
}

fn shown_with<const N: usize>(arguments: [&str; N], config: &str) -> String {
    let folder = folder();
    fs::write(folder.path().join("config.yaml"), config).unwrap();
    shown(&run(exporter(folder.path(), arguments)), folder.path())
}

#[test]
fn the_version_is_printed() {
    assert_snapshot!(shown_with(["--version"], ""), @r"
    status Some(0)
    stdout: mongodbatlas-peering-exporter VERSION
    ");
}

#[test]
fn the_help_explains_every_command_and_flag() {
    assert_snapshot!(shown_with(["--help"], ""), @"
    status Some(0)
    stdout: Exports the state of MongoDB Atlas network peerings to Prometheus
    stdout:
    stdout: Usage: mongodbatlas-peering-exporter [OPTIONS] [COMMAND]
    stdout:
    stdout: Commands:
    stdout:   serve         Poll Atlas and serve the metrics (default)
    stdout:   check-config  Check the config file; exit status 64 if it has errors
    stdout:   once          Poll everything once and print the metrics; exit status 1 if a poll failed
    stdout:   doctor        Check every account and project against Atlas and explain how to fix problems; exit status 1 if there are any
    stdout:   simulate      Serve a simulated Atlas API, to test alerts
    stdout:   demo          Serve the metrics of a simulated Atlas; needs no credential
    stdout:   healthcheck   Check whether a running exporter is healthy; for containers without a shell
    stdout:   help          Print this message or the help of the given subcommand(s)
    stdout:
    stdout: Options:
    stdout:       --config.file <FILE>
    stdout:           Path of the config file
    stdout:
    stdout:           [default: config.yaml]
    stdout:
    stdout:       --web.listen-address <ADDRESS>
    stdout:           Address to listen on; repeatable. `:10917` means every address of this machine
    stdout:
    stdout:           [default: :10917]
    stdout:
    stdout:       --web.config.file <FILE>
    stdout:           Path of a web config file for TLS, basic auth and more, in the format of Prometheus exporters [default: none]
    stdout:
    stdout:       --web.telemetry-path <PATH>
    stdout:           Path under which to serve the metrics
    stdout:
    stdout:           [default: /metrics]
    stdout:
    stdout:       --web.systemd-socket
    stdout:           Listen on the sockets that systemd passes, instead of `--web.listen-address`
    stdout:
    stdout:       --web.enable-lifecycle
    stdout:           Allow `POST /-/reload`, which reloads the config like SIGHUP
    stdout:
    stdout:       --simulator.listen-address <ADDRESS>
    stdout:           Address of the simulated Atlas API, for `simulate` and `demo`
    stdout:
    stdout:           [default: 127.0.0.1:10918]
    stdout:
    stdout:       --simulator.scenario <FILE>
    stdout:           Path of a scenario for the simulated Atlas API, for `simulate` and `demo` [default: built in]
    stdout:
    stdout:       --healthcheck.ready
    stdout:           Let `healthcheck` check whether the exporter is ready, not whether it is healthy
    stdout:
    stdout:       --shard.index <INDEX>
    stdout:           Index of this exporter among several, from 0; `hostname` takes the number at the end of the hostname
    stdout:
    stdout:           [default: 0]
    stdout:
    stdout:       --shard.count <COUNT>
    stdout:           Number of exporters that divide the projects among them
    stdout:
    stdout:           [default: 1]
    stdout:
    stdout:       --log.level <LEVEL>
    stdout:           Minimum log level
    stdout:
    stdout:           Possible values:
    stdout:           - debug: Every request to Atlas
    stdout:           - info:  Changes
    stdout:           - warn:  Problems that may need attention
    stdout:           - error: Problems that need attention
    stdout:
    stdout:           [default: info]
    stdout:
    stdout:       --log.format <FORMAT>
    stdout:           Format of the log on standard error
    stdout:
    stdout:           Possible values:
    stdout:           - text: For people
    stdout:           - json: For programs: one JSON object per line
    stdout:
    stdout:           [default: text]
    stdout:
    stdout:   -h, --help
    stdout:           Print help (see a summary with '-h')
    stdout:
    stdout:   -V, --version
    stdout:           Print version
    ");
}

#[test]
fn an_unknown_flag_is_a_usage_error() {
    assert_snapshot!(shown_with(["once", "--frobnicate"], ""), @r"
    status Some(2)
    stderr: error: unexpected argument '--frobnicate' found
    stderr:
    stderr: Usage: mongodbatlas-peering-exporter once [OPTIONS]
    stderr:
    stderr: For more information, try '--help'.
    ");
}

const FAULTY: &str = "
poll: {interval: 100ms, concurrency: 0, colour: red}
accounts:
  - name: a
    base_url: http://atlas.test
    public_key: k
    private_key_env: NO_SUCH_VARIABLE
    groups: []
  - name: a
    api_version: v3
    public_key: k
    private_key_file: nowhere
    groups: [{id: xyz}, {providers: [AWS, AWS, OVH]}]
more: 1
";

#[test]
fn every_fault_of_a_config_is_reported_at_once() {
    assert_snapshot!(shown_with(["check-config"], FAULTY), @"
    status Some(64)
    stderr: ERROR config.yaml: poll.interval: must be a duration such as `60s` or `5m`, from 1s to 1day
    stderr: ERROR config.yaml: poll.concurrency: must be a whole number from 1 to 64
    stderr: ERROR config.yaml: poll.colour: unknown key; known here: interval, deadline, timeout, max_staleness, concurrency, items_per_page, containers
    stderr: ERROR config.yaml: accounts[0].base_url: must start with `https://`; for a simulator, set `allow_http: true`
    stderr: ERROR config.yaml: accounts[0].private_key_env: the environment variable `NO_SUCH_VARIABLE` is not set
    stderr: ERROR config.yaml: accounts[0].groups: at least one group is required; `discover: true` finds all that the credential can see
    stderr: ERROR config.yaml: accounts[1].name: another account has the name `a`
    stderr: ERROR config.yaml: accounts[1].api_version: must be `v2` or `v1.0`
    stderr: ERROR config.yaml: accounts[1].private_key_file: the file cannot be read: No such file or directory (os error 2)
    stderr: ERROR config.yaml: accounts[1].groups[0].id: `xyz`: an ID is 24 hexadecimal digits, as in the URL of the page in Atlas
    stderr: ERROR config.yaml: accounts[1].groups[1].id: is required
    stderr: ERROR config.yaml: accounts[1].groups[1].providers: AWS is listed twice
    stderr: ERROR config.yaml: accounts[1].groups[1].providers: must be a list of `AWS`, `AZURE` and `GCP`
    stderr: ERROR config.yaml: more: unknown key; known here: poll, accounts
    ");
}

#[test]
fn no_command_starts_with_a_faulty_config() {
    let faults = shown_with(["check-config"], FAULTY);
    assert_eq!(shown_with(["serve", "--web.listen-address=127.0.0.1:0"], FAULTY), faults);
    assert_eq!(shown_with(["--web.listen-address=127.0.0.1:0"], FAULTY), faults, "`serve` is the default");
    assert_eq!(shown_with(["once"], FAULTY), faults);
}

#[test]
fn a_missing_config_file_is_named() {
    let folder = folder();
    let file = folder.path().join("there/is/none.yaml");
    let flag = format!("--config.file={}", file.display());
    assert_snapshot!(shown(&run(exporter(folder.path(), ["serve", &flag])), folder.path()), @r"
    status Some(64)
    stderr: ERROR FOLDER/there/is/none.yaml: cannot be read: No such file or directory (os error 2)
    ");
}

#[test]
fn the_example_config_is_valid_once_its_variable_is_set() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let check = || exporter(root, ["check-config", "--config.file=config.example.yaml"]);
    let mut command = check();
    command.env("ATLAS_CLIENT_SECRET", "mdb_sa_sk_0123456789");
    assert_snapshot!(shown(&run(command), root), @r"
    status Some(0)
    stdout: config.example.yaml is valid: accounts: 1, with discovery: 1; projects in the config: 2, listings: 6
    ");
    assert_snapshot!(shown(&run(check()), root), @r"
    status Some(64)
    stderr: ERROR config.example.yaml: accounts[0].client_secret_env: the environment variable `ATLAS_CLIENT_SECRET` is not set
    ");
}

#[test]
fn an_address_in_use_is_named_and_the_program_exits() {
    let folder = folder();
    write_config(folder.path(), &config("http://127.0.0.1:9", &[(GROUP, "g")]));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let flag = format!("--web.listen-address={address}");
    // The second of two: the exporter must not serve on the first one only.
    let ended = run(exporter(folder.path(), ["serve", "--web.listen-address=127.0.0.1:0", &flag]));
    let result = shown(&ended, folder.path()).replace(&address, "ADDRESS");
    assert_snapshot!(result, @r"
    status Some(1)
    stderr: ERROR listen on `ADDRESS`: Address already in use (os error 98)
    ");
}

#[test]
fn every_listen_address_serves_metrics() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    write_config(folder.path(), &config(&atlas.url(), &[(GROUP, "g")]));
    let flags = ["--web.listen-address=127.0.0.1:0", "--web.listen-address=[::1]:0"];
    let process = Running::start(exporter(folder.path(), flags));
    let addresses = [process.address(0), process.address(1)];
    assert!(addresses[0].starts_with("127.0.0.1:") && addresses[1].starts_with("[::1]:"), "{addresses:?}");
    for address in addresses {
        let exposition = get(&address, "/metrics");
        assert_eq!(exposition.status, 200);
        assert!(exposition.text().contains("mongodbatlas_peering_exporter_build_info"), "{address}");
    }
}

#[test]
fn a_healthcheck_of_a_running_exporter_succeeds() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    let running = Exporter::of(folder.path(), &atlas);
    let flag = format!("--web.listen-address={}", running.address);
    let mut command = exporter(folder.path(), ["healthcheck", &flag]);
    command.env("HTTP_PROXY", "http://127.0.0.1:9");
    assert_snapshot!(shown(&run(command), folder.path()), @"status Some(0)");
}

#[test]
fn a_healthcheck_can_check_readiness() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    let ready = |running: &Exporter| {
        let flag = format!("--web.listen-address={}", running.address);
        shown(&run(exporter(folder.path(), ["healthcheck", "--healthcheck.ready", &flag])), folder.path())
    };
    let running = Exporter::of(folder.path(), &atlas);
    assert_snapshot!(ready(&running), @"status Some(0)");
    atlas.control("faults", r#"{"effect": "never"}"#);
    let not_ready = ready(&Exporter::start(folder.path(), []));
    assert!(not_ready.starts_with("status Some(1)\nstderr: ERROR status 503: not ready: "), "{not_ready}");
}

#[test]
fn a_healthcheck_without_an_exporter_fails_and_says_why() {
    let folder = folder();
    let address = {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().to_string()
    };
    let flag = format!("--web.listen-address={address}");
    let ended = run(exporter(folder.path(), ["healthcheck", &flag]));
    assert_snapshot!(shown(&ended, folder.path()).replace(&address, "ADDRESS"), @r"
    status Some(1)
    stderr: ERROR no response from `ADDRESS`: Connection refused (os error 111)
    ");
}

#[test]
fn a_nonexistent_shard_is_a_usage_error() {
    let folder = folder();
    write_config(folder.path(), &config("http://127.0.0.1:9", &[(GROUP, "payments")]));
    let checked = run(exporter(folder.path(), ["check-config", "--shard.index=3", "--shard.count=3"]));
    let ended = run(exporter(folder.path(), ["--shard.index=3", "--shard.count=3"]));
    assert_eq!(
        (checked.status, checked.stderr.split_once(' ').unwrap().1),
        (ended.status, ended.stderr.split_once(' ').unwrap().1)
    );
    assert_snapshot!(shown(&ended, folder.path()), @"
    status Some(64)
    stderr: ERROR --shard.index is 3, but must be below --shard.count, which is 3
    ");
}

#[test]
fn an_invalid_listen_address_is_a_usage_error() {
    let folder = folder();
    write_config(folder.path(), &config("http://127.0.0.1:9", &[(GROUP, "payments")]));
    for address in ["127.0.0.1:99999", "nonsense", "*:10917", ":::10917", "tcp://127.0.0.1:10917", ""] {
        for command in ["serve", "check-config", "healthcheck", "once", "doctor", "simulate", "demo"] {
            let ended = run(exporter(folder.path(), [command, &format!("--web.listen-address={address}")]));
            let expected = format!("listen on `{address}`: an address is `:10917` for every address of this machine");
            assert!(ended.stderr.contains(&expected), "{command}: {}", ended.stderr);
            assert_eq!(ended.status, Some(64), "{command}: {}", ended.stderr);
        }
        let second = ["healthcheck", "--web.listen-address=127.0.0.1:1", &format!("--web.listen-address={address}")];
        assert_eq!(run(exporter(folder.path(), second)).status, Some(64), "{address}");
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let flag = format!("--web.listen-address={}", taken.local_addr().unwrap());
    assert_eq!(run(exporter(folder.path(), [&flag])).status, Some(1), "it may be free later");
}
