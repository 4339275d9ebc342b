//! The setup of most tests: a folder, a simulated Atlas, a config and an exporter.

use std::{fmt::Write as _, fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use tempfile::TempDir;

use crate::{
    http::{ask, get},
    process::{Running, exporter, wait_for},
};

/// The group of [`SCENARIO`].
pub(crate) const GROUP: &str = "5e57d85c854180642f784401";

/// One group with peerings of every provider and fixed ids.
pub(crate) const SCENARIO: &str = "
groups:
  - id: 5e57d85c854180642f784401
    name: payments
    peerings:
      - {provider: AWS, id: 64c0ffee00000000000000a1, status: AVAILABLE, vpcId: vpc-0a1b2c3d}
      - {provider: AWS, id: 64c0ffee00000000000000a2, status: FAILED, error: EXPIRED, vpcId: vpc-0a1b2c3d}
      - {provider: AZURE, id: 64c0ffee00000000000000b1, status: AVAILABLE, vnetName: hub}
      - {provider: GCP, id: 64c0ffee00000000000000c1, status: WAITING_FOR_USER, networkName: default}
      - {provider: GCP, id: 64c0ffee00000000000000c2, status: WAITING_FOR_USER, networkName: default}
      - {provider: GCP, id: 64c0ffee00000000000000c3, status: AVAILABLE, networkName: default}
";

/// A temporary folder that others cannot enter, so that nothing warns of secrets in it.
pub(crate) fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    folder
}

/// Quotes any text for YAML: everything but letters and digits is escaped.
pub(crate) fn yaml(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for character in text.chars() {
        if character.is_ascii_alphanumeric() {
            quoted.push(character);
        } else {
            write!(quoted, "\\U{:08X}", u32::from(character)).unwrap();
        }
    }
    quoted + "\""
}

/// The `simulate` command.
pub(crate) struct Atlas {
    pub(crate) process: Running,
    pub(crate) address: String,
}

impl Atlas {
    /// Simulates a scenario.
    pub(crate) fn start(folder: &Path, scenario: &str) -> Atlas {
        Atlas::start_with(folder, scenario, [])
    }

    /// Simulates a scenario at this address.
    pub(crate) fn start_at(folder: &Path, scenario: &str, address: &str) -> Atlas {
        Atlas::listen(folder, scenario, address, [])
    }

    pub(crate) fn start_with<const N: usize>(folder: &Path, scenario: &str, more: [&str; N]) -> Atlas {
        Atlas::listen(folder, scenario, "127.0.0.1:0", more)
    }

    fn listen<const N: usize>(folder: &Path, scenario: &str, address: &str, more: [&str; N]) -> Atlas {
        fs::write(folder.join("scenario.yaml"), scenario).unwrap();
        let listen = format!("--simulator.listen-address={address}");
        let mut command = exporter(folder, ["simulate", &listen, "--simulator.scenario=scenario.yaml"]);
        command.args(more);
        let process = Running::start(command);
        let address = process.word_after("http://");
        Atlas { process, address }
    }

    /// The base URL for a config.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sends a request to the control API.
    pub(crate) fn control(&self, path: &str, json: &str) {
        let response = ask(&self.address, "POST", &format!("/simulator/{path}"), json);
        assert_eq!(response.status, 200, "{}", response.text());
    }

    /// The number of requests so far.
    pub(crate) fn requests(&self) -> usize {
        get(&self.address, "/simulator/requests").json().as_array().unwrap().len()
    }
}

/// A config that polls these groups (id and name) every second, with the private key in the file `key`.
pub(crate) fn config(base_url: &str, groups: &[(&str, &str)]) -> String {
    let mut text = format!(
        "poll: {{interval: 1s}}
accounts:
  - base_url: {base_url}
    allow_http: true
    public_key: demo
    private_key_file: key
    groups:
"
    );
    for (id, name) in groups {
        writeln!(text, "      - {{id: {id}, name: {}}}", yaml(name)).unwrap();
    }
    text
}

/// Writes the config and the private key.
pub(crate) fn write_config(folder: &Path, config: &str) {
    fs::write(folder.join("key"), "demo\n").unwrap();
    fs::write(folder.join("config.yaml"), config).unwrap();
}

/// A running exporter.
pub(crate) struct Exporter {
    pub(crate) process: Running,
    pub(crate) address: String,
}

impl Exporter {
    /// Starts one for [`GROUP`] and waits until every listing was polled.
    pub(crate) fn of(folder: &Path, atlas: &Atlas) -> Exporter {
        write_config(folder, &config(&atlas.url(), &[(GROUP, "payments")]));
        let exporter = Exporter::start(folder, []);
        exporter.wait_until_ready();
        exporter
    }

    pub(crate) fn start<const N: usize>(folder: &Path, more: [&str; N]) -> Exporter {
        let mut command = exporter(folder, ["serve", "--web.listen-address=127.0.0.1:0"]);
        command.args(more);
        Exporter::run(command)
    }

    /// Runs a command that serves metrics.
    pub(crate) fn run(command: Command) -> Exporter {
        let process = Running::start(command);
        let address = process.address(0);
        Exporter { process, address }
    }

    /// Waits until the exposition contains every poll so far: the exporter is ready before it renders.
    pub(crate) fn wait_until_ready(&self) {
        wait_for("an exposition with every listing polled", || {
            let ready = get(&self.address, "/-/ready").status == 200;
            let exposition = get(&self.address, "/metrics");
            let unpolled = exposition.text().lines().any(|line| line.starts_with(POLLS) && line.ends_with(" 0"));
            (ready && !unpolled).then_some(())
        });
    }

    /// The body of `/metrics`.
    pub(crate) fn exposition(&self) -> String {
        get(&self.address, "/metrics").text().to_owned()
    }
}

const POLLS: &str = "mongodbatlas_peering_polls_total{";
