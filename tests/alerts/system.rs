//! The exporter, Prometheus and Alertmanager, for as long as a test lasts.

use std::{fs, path::Path, process::Command};

use serde_json::Value;
use tempfile::TempDir;
use url::form_urlencoded::byte_serialize;

use crate::{
    http::{ask, get},
    process::{Running, exporter, run, wait_for},
    receiver::Receiver,
};

/// The group whose peering breaks, and whose access is lost.
pub(crate) const SHOP: &str = "5e57d85c854180642f784401";

/// Three groups, in which all is well.
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
    /// Prometheus is the last.
    programs: Vec<Running>,
    folder: TempDir,
}

impl System {
    /// So many replicas of the exporter on one simulated Atlas in which all is well.
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
        Self::watch(folder, programs, atlas, &targets)
    }

    /// The demo as it is.
    pub(crate) fn demo() -> Self {
        let folder = TempDir::new().unwrap();
        let listen = ["demo", "--simulator.listen-address=127.0.0.1:0", "--web.listen-address=127.0.0.1:0"];
        let demo = Running::start(exporter(folder.path(), listen));
        let target = demo.address(0);
        let atlas = demo.word_after("break a peering: see http://").trim_end_matches("/simulator/").to_owned();
        Self::watch(folder, vec![demo], atlas, &[target])
    }

    /// Starts the rest, and waits until everything was polled, scraped and evaluated.
    fn watch(folder: TempDir, mut programs: Vec<Running>, atlas: String, targets: &[String]) -> Self {
        let receiver = Receiver::start();
        let at = |name: &str| folder.path().join(name);
        let text = faster("alertmanager.example.yaml").replace("127.0.0.1:9095", &receiver.address);
        fs::write(at("alertmanager.yaml"), text).unwrap();
        let mut command = Command::new("prometheus-alertmanager");
        command.args(["--config.file=alertmanager.yaml", "--storage.path=alertmanager"]);
        command.args(["--web.listen-address=127.0.0.1:0", "--cluster.listen-address="]).current_dir(folder.path());
        let alertmanager = Running::start(command);
        let alerting = alertmanager.word_after("msg=\"Listening on\" address=");

        // Prometheus takes five seconds to find its targets, which are five minutes of these rules: they come later.
        fs::write(at("rules.yaml"), "groups: []").unwrap();
        let text = faster("prometheus.example.yaml").replace("localhost:9093", &alerting);
        fs::write(at("prometheus.yaml"), text.replace("localhost:10917", &targets.join("\", \""))).unwrap();
        let mut command = Command::new("prometheus");
        command.args(["--config.file=prometheus.yaml", "--storage.tsdb.path=tsdb"]);
        command.arg("--web.listen-address=127.0.0.1:0").current_dir(folder.path());
        let prometheus = Running::start(command);
        let asked = prometheus.word_after("msg=\"Listening on\" address=");
        prometheus.wait_for_log("its start", |log| log.contains("Server is ready").then_some(()));
        programs.extend([alertmanager, prometheus]);

        let system = Self { receiver, atlas, prometheus: asked, alertmanager: alerting, programs, folder };
        let replicas = targets.len();
        system.wait_for(&format!("count(up == 1) == {replicas} and min(mongodbatlas_peering_polls_total) > 0"));
        fs::write(system.folder.path().join("rules.yaml"), faster("rules.yaml")).unwrap();
        system.programs.last().unwrap().signal("HUP");
        system.wait_for("peering:mongodbatlas_network_peering_available:ever == 1");
        system
    }

    /// Tells the simulated Atlas to change something.
    pub(crate) fn tell(&self, path: &str, json: &str) {
        let answer = ask(&self.atlas, "POST", &format!("/simulator/{path}"), json);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// Kills every replica.
    pub(crate) fn end_exporters(&mut self) {
        // The simulator is before them, Alertmanager and Prometheus behind.
        let end = self.programs.len() - 2;
        self.programs.drain(1..end);
    }

    /// Waits until a query has an answer, and returns its series.
    pub(crate) fn wait_for(&self, query: &str) -> Vec<Value> {
        let path = format!("/api/v1/query?query={}", byte_serialize(query.as_bytes()).collect::<String>());
        wait_for(query, || {
            let answer = get(&self.prometheus, &path).json();
            let series = answer.pointer("/data/result").and_then(Value::as_array)?.clone();
            (!series.is_empty()).then_some(series)
        })
    }

    /// The names of the alerts that Alertmanager holds back for the sake of others.
    pub(crate) fn inhibited(&self) -> Vec<String> {
        let answer = get(&self.alertmanager, "/api/v2/alerts?active=false&silenced=false&unprocessed=false").json();
        let name = |alert: &Value| alert["labels"]["alertname"].as_str().unwrap().to_owned();
        let mut names: Vec<_> = answer.as_array().unwrap().iter().map(name).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// A shipped file after `prometheus/faster.sed`.
fn faster(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("prometheus");
    let mut command = Command::new("sed");
    command.args(["-E", "-f", "faster.sed", name]).current_dir(folder);
    let ended = run(command);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    ended.stdout
}
