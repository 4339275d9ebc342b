//! The exporter, Prometheus and Alertmanager of one test.

use std::{fs, path::Path, process::Command};

use serde_json::Value;
use tempfile::TempDir;
use url::form_urlencoded::byte_serialize;

use crate::{
    http::{ask, get},
    process::{Running, exporter, run, wait_for},
    receiver::Receiver,
};

/// The project whose peering fails, and which denies access.
pub(crate) const SHOP: &str = "5e57d85c854180642f784401";

/// Three projects whose peerings are AVAILABLE.
const SCENARIO: &str = "
groups:
  - id: 5e57d85c854180642f784401
    name: shop
    peerings:
      - {provider: AWS, name: shop, id: 64c0ffee00000000000000a1, status: AVAILABLE, vpcId: vpc-0a1b2c3d4e5f60718}
  - id: 5e57d85c854180642f784402
    name: identity
    peerings:
      - {provider: AZURE, status: AVAILABLE, vnetName: hub}
  - id: 5e57d85c854180642f784403
    name: analytics
    peerings:
      - {provider: GCP, status: AVAILABLE, networkName: default}
";

const CONFIG: &str = "
poll: {interval: 1s}
accounts:
  - name: production
    base_url: http://ATLAS
    allow_http: true
    client_id: mdb_sa_id_5f0000000000000000000002
    client_secret_file: secret
";

pub(crate) struct System {
    pub(crate) receiver: Receiver,
    pub(crate) atlas: String,
    prometheus: String,
    alertmanager: String,
    /// In the order of their start; Prometheus is last.
    programs: Vec<Running>,
    folder: TempDir,
}

impl System {
    /// Starts replicas of the exporter that poll one simulated Atlas without failures.
    pub(crate) fn start(replicas: usize) -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("scenario.yaml"), SCENARIO).unwrap();
        let listen = "--simulator.listen-address=127.0.0.1:0";
        let command = exporter(folder.path(), ["simulate", listen, "--simulator.scenario=scenario.yaml"]);
        let simulator = Running::start(command);
        let atlas = simulator.word_after("http://");
        fs::write(folder.path().join("secret"), "mdb_sa_sk_demo\n").unwrap();
        fs::write(folder.path().join("config.yaml"), CONFIG.replace("ATLAS", &atlas)).unwrap();
        let mut programs = vec![simulator];
        let mut targets = Vec::new();
        for _ in 0..replicas {
            let replica = Running::start(exporter(folder.path(), ["--web.listen-address=127.0.0.1:0"]));
            targets.push(replica.address(0));
            programs.push(replica);
        }
        Self::scrape(folder, programs, atlas, &targets)
    }

    /// Starts the demo.
    pub(crate) fn demo() -> Self {
        let folder = TempDir::new().unwrap();
        let listen = ["demo", "--simulator.listen-address=127.0.0.1:0", "--web.listen-address=127.0.0.1:0"];
        let demo = Running::start(exporter(folder.path(), listen));
        let target = demo.address(0);
        let atlas = demo.word_after("break a peering: see http://").trim_end_matches("/simulator/").to_owned();
        Self::scrape(folder, vec![demo], atlas, &[target])
    }

    /// Starts Prometheus and Alertmanager, and waits until the rules have been evaluated on scraped data.
    fn scrape(folder: TempDir, mut programs: Vec<Running>, atlas: String, targets: &[String]) -> Self {
        let receiver = Receiver::start();
        let at = |name: &str| folder.path().join(name);
        let text = faster("alertmanager.example.yaml").replace("127.0.0.1:9095", &receiver.address);
        fs::write(at("alertmanager.yaml"), text).unwrap();
        let mut command = Command::new("prometheus-alertmanager");
        command.args(["--config.file=alertmanager.yaml", "--storage.path=alertmanager"]);
        command.args(["--web.listen-address=127.0.0.1:0", "--cluster.listen-address="]).current_dir(folder.path());
        let alertmanager = Running::start(command);
        let alertmanager_address = alertmanager.word_after("msg=\"Listening on\" address=");

        // Prometheus takes five seconds to discover its targets, which is five minutes for these rules, so it loads them later.
        fs::write(at("rules.yaml"), "groups: []").unwrap();
        let text = faster("prometheus.example.yaml").replace("localhost:9093", &alertmanager_address);
        fs::write(at("prometheus.yaml"), text.replace("localhost:10917", &targets.join("\", \""))).unwrap();
        let mut command = Command::new("prometheus");
        command.args(["--config.file=prometheus.yaml", "--storage.tsdb.path=tsdb"]);
        command.arg("--web.listen-address=127.0.0.1:0").current_dir(folder.path());
        let prometheus = Running::start(command);
        let address = prometheus.word_after("msg=\"Listening on\" address=");
        prometheus.wait_for_log("Prometheus to start", |log| log.contains("Server is ready").then_some(()));
        programs.extend([alertmanager, prometheus]);

        let system =
            Self { receiver, atlas, prometheus: address, alertmanager: alertmanager_address, programs, folder };
        let replicas = targets.len();
        system.wait_for(&format!("count(up == 1) == {replicas} and min(mongodbatlas_peering_polls_total) > 0"));
        fs::write(system.folder.path().join("rules.yaml"), faster("rules.yaml")).unwrap();
        system.programs.last().unwrap().signal("HUP");
        system.wait_for("peering:mongodbatlas_network_peering_available:ever == 1");
        system
    }

    /// Changes something in the simulated Atlas.
    pub(crate) fn simulate(&self, path: &str, json: &str) {
        let response = ask(&self.atlas, "POST", &format!("/simulator/{path}"), json);
        assert_eq!(response.status, 200, "{}", response.text());
    }

    /// Kills every replica.
    pub(crate) fn kill_exporters(&mut self) {
        // The simulator comes before them, Alertmanager and Prometheus after them.
        let end = self.programs.len() - 2;
        self.programs.drain(1..end);
    }

    /// Waits until a query returns series.
    pub(crate) fn wait_for(&self, query: &str) -> Vec<Value> {
        let path = format!("/api/v1/query?query={}", byte_serialize(query.as_bytes()).collect::<String>());
        wait_for(query, || {
            let response = get(&self.prometheus, &path).json();
            let series = response.pointer("/data/result").and_then(Value::as_array)?.clone();
            (!series.is_empty()).then_some(series)
        })
    }

    /// The names of the alerts that are inhibited by others.
    pub(crate) fn inhibited(&self) -> Vec<String> {
        let response = get(&self.alertmanager, "/api/v2/alerts?active=false&silenced=false&unprocessed=false").json();
        let name = |alert: &Value| alert["labels"]["alertname"].as_str().unwrap().to_owned();
        let mut names: Vec<_> = response.as_array().unwrap().iter().map(name).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// A shipped file, made faster by `prometheus/faster.sed`.
fn faster(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("prometheus");
    let mut command = Command::new("sed");
    command.args(["-E", "-f", "faster.sed", name]).current_dir(folder);
    let ended = run(command);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    ended.stdout
}
